// feed_frame.h - the header frame beside each message of the feed.
//
// A feed message is two frames: this header, and the JSON that clients get as it is. A
// gateway routes and filters by the header and never parses the JSON. The header is one
// line of text, ten fields apart by '|', and an eleventh when the event belongs to a trace:
//
//   kind|type|region|worker_id|job_type|priority|epoch|seq|time_us|offset+size|traceparent
//
// kind: `event` (numbered, for clients and the replica), `state` (JSON is a worker's
// snapshot without _reason, for the replica only; seq is the last number it covers),
// `gone` (no JSON; the worker left the state), `tick` (no JSON; seq is the last number,
// at least every 250 ms, so that loss at the tail and silence show).
// offset+size, of a `worker.snapshot` event: the bytes of frame 1 that hold the snapshot
// without its closing brace and _reason, so that a gateway keeps them without a parser;
// `0+0` elsewhere. traceparent is trace_context.h's. Fields that do not apply are empty,
// numbers 0. The first field lets a subscriber filter by prefix.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_FEED_FRAME_H
#define COMMON_FEED_FRAME_H

#include "buffer.h"
#include "envelope.h"
#include "event.h"
#include "reason.h"
#include "trace_context.h"

typedef enum feed_kind { FEED_EVENT, FEED_STATE, FEED_GONE, FEED_TICK } feed_kind_t;

#define FEED_REGION_SIZE    65
#define FEED_WORKER_ID_SIZE 37
#define FEED_JOB_TYPE_SIZE  65

typedef struct feed_header {
    feed_kind_t kind;
    event_type_t type;  //  EVENT_UNKNOWN for tick, state and gone, or one newer than us
    char type_name [65];
    char region [FEED_REGION_SIZE];
    char worker_id [FEED_WORKER_ID_SIZE];
    char job_type [FEED_JOB_TYPE_SIZE];
    int priority;
    char epoch [ENVELOPE_EPOCH_SIZE];
    uint64_t seq;
    time_us_t time;
    size_t snapshot_offset, snapshot_size;
    trace_context_t trace;  //  not set: none
} feed_header_t;

//  Of the bytes written, the last that tell of the trace: what is kept of an event is without them.
size_t feed_header_trace_size (const feed_header_t *self);

void feed_header_write (buffer_t *out, const feed_header_t *self);

//  0, or -EINVAL and *self untouched. A type that this build does not know is no error
//  (EVENT_UNKNOWN). snapshot_offset + snapshot_size does not wrap; whether frame 1 has so
//  many bytes is the caller's to check.
int feed_header_parse (feed_header_t *self, const char *text, size_t size, reason_t *why);

#endif
