// envelope.h - one message of the ingest bus: a CloudEvents 1.0 object in structured mode.
//
// Two frames: the topic `<type>|<region>|<worker key>` and the JSON object (design.md
// section 3; https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md). The
// object is what counts; the topic only lets a subscriber take a part of the bus.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_ENVELOPE_H
#define COMMON_ENVELOPE_H

#include "buffer.h"
#include "clock.h"
#include "event.h"
#include "json_doc.h"
#include "reason.h"

#include <stdbool.h>
#include <stdint.h>

#define ENVELOPE_EPOCH_SIZE  9    //  8 hex digits and NUL
#define ENVELOPE_SOURCE_MAX  200  //  bytes of a source; longer is refused
#define ENVELOPE_SUBJECT_MAX 200

typedef struct envelope {
    event_type_t type;                 //  of place INGEST
    char epoch [ENVELOPE_EPOCH_SIZE];  //  of the collector's start, from id
    uint64_t sequence;                 //  from 1, from id
    time_us_t time;                    //  when it was observed, wall
    const char *source;                //  "/collector/ec2/host-1"
    const char *subject;               //  "<region>/<instance id>", or the region, or ""
    const char *traceparent;           //  null: none
    const json_node_t *data;           //  an object
    json_doc_t doc;                    //  owns the texts and data above
} envelope_t;

//  Decodes one JSON object. 0; or -E2BIG, -EINVAL (not JSON, not CloudEvents: why names
//  the attribute and what would be right), -ENOTSUP (a type no collector may say), and
//  *self is untouched. On 0 the caller calls envelope_clear.
int envelope_decode (envelope_t *self, const void *bytes, size_t size, size_t size_max,
                     reason_t *why);
void envelope_clear (envelope_t *self);

//  "ec2" of "/collector/ec2/host-1", into kind; false when source has another form.
#define ENVELOPE_KIND_SIZE 32
bool envelope_source_kind (const char *source, char kind [ENVELOPE_KIND_SIZE]);

//  Writes the JSON object; data is JSON text already. time is TIME_UNKNOWN never.
void envelope_write (buffer_t *out, event_type_t type, const char *source, const char *epoch,
                     uint64_t sequence, const char *subject, time_us_t time,
                     const char *traceparent, const char *data, size_t data_size);

//  Writes `<type>|<region>|<worker key>` for a subject `<region>/<worker key>`.
void envelope_write_topic (buffer_t *out, event_type_t type, const char *subject);

#endif
