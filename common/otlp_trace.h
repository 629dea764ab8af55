// otlp_trace.h - a span as OTLP wants it in JSON.
//
// Format: opentelemetry-proto trace/v1; ids are lower-case hex (not base64 as protobuf's JSON
// mapping has bytes), the kind is a number, times are decimal texts of nanoseconds.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_OTLP_TRACE_H
#define COMMON_OTLP_TRACE_H

#include "otlp_json.h"
#include "trace_context.h"

#define SPAN_ATTRIBUTES_MAX 8
#define SPAN_TEXT_MAX       256  //  bytes of an attribute's text; the rest is cut off

typedef enum span_kind {  //  as OTLP numbers them
    SPAN_INTERNAL = 1,
    SPAN_SERVER = 2,
    SPAN_CLIENT = 3,
    SPAN_PRODUCER = 4,
    SPAN_CONSUMER = 5
} span_kind_t;

typedef struct span_attribute {
    const char *key;
    const char *text;  //  null: integer counts
    int64_t integer;
} span_attribute_t;

//  Texts are borrowed while it is written.
typedef struct span {
    const char *name;
    span_kind_t kind;
    trace_context_t own;
    const trace_context_t *parent;  //  null: it begins its trace
    bool parent_is_remote;          //  the parent is another process's
    time_us_t start, end;  //  wall; an end before the start (a clock set back) is the start
    const char *error;     //  null: none; else what went wrong, for people, or ""
    span_attribute_t attributes [SPAN_ATTRIBUTES_MAX];  //  up to the first without a key
} span_t;

void otlp_trace_write_span (json_writer_t *json, const span_t *span);

#endif
