// ask.h - HTTP requests that only the aggregator can answer.
//
// A gateway holds snapshots and recent events; labs, activity, samples and commands are the
// aggregator's. asks_begin suspends the connection and asks over control; when the answer is
// there, or has not come in time, the connection is resumed and its handler finds the ask done.
// The answer's JSON is passed on as bytes. Questions beyond those that may be on the way at once
// wait for their turn, up to asks_max in all. An ask whose connection is closed meanwhile is let go
// of at once and forgotten when its answer comes.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_ASK_H
#define GATEWAY_ASK_H

#include "../common/bus.h"

#include <microhttpd.h>

typedef struct asks asks_t;
typedef struct ask ask_t;

asks_t *asks_new (loop_t *loop, const char *control, const bus_keys_t *keys, int64_t timeout_ms,
                  int64_t most, metrics_t *metrics, reason_t *why);
void asks_destroy (asks_t **self_p);

//  fn is called when a connection was resumed: its daemon must be run. Once, before the first ask.
typedef void asks_resumed_fn (void *argument);
void asks_on_resumed (asks_t *self, asks_resumed_fn *fn, void *argument);

//  Resumes every connection that still waits, with the answer that there is none.
void asks_end (asks_t *self);

//  operation is a constant; json is an object's text. The caller owns the ask; null when too many wait already, and the
//  connection is not suspended.
ask_t *asks_begin (asks_t *self, struct MHD_Connection *connection, const char *operation,
                   const buffer_t *json);
void ask_destroy (ask_t **self_p);

//  An HTTP status: the aggregator's, or 503 when it did not answer. detail is "" for a 2xx.
int ask_status (const ask_t *self);
const char *ask_detail (const ask_t *self);
//  The answer's first payload frame, which is JSON, borrowed; empty when there is none.
const buffer_t *ask_payload (const ask_t *self);
//  All of these, null when there is none; and what stands beside them, null when nobody answered.
zmsg_t *ask_frames (const ask_t *self);
struct json_object *ask_answer (const ask_t *self);

#endif
