// otlp_json.h - what every OTLP request in JSON is made of: resource, scope, attributes, values.
//
// Rules: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding ; fixed64 and int64 are
// decimal texts, a double that is no number is "NaN", "Infinity" or "-Infinity" (protobuf's JSON
// mapping).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_OTLP_JSON_H
#define COMMON_OTLP_JSON_H

#include "json.h"

typedef struct otlp_resource {  //  who speaks; the texts are borrowed
    const char *service_name, *service_version, *service_instance_id;
} otlp_resource_t;

//  {"resourceX":[{"resource":…,"scopeX":[{"scope":…,"<items>":[ ; the writer stands in that array.
//  outer, inner and items are the names: "resourceSpans", "scopeSpans", "spans".
void otlp_json_open (json_writer_t *json, const otlp_resource_t *resource, const char *outer,
                     const char *inner, const char *items);
void otlp_json_close (json_writer_t *json);

//  One member of an attributes array.
void otlp_json_attribute (json_writer_t *json, const char *key, const char *text);
void otlp_json_attribute_integer (json_writer_t *json, const char *key, int64_t value);

//  A member that is a fixed64, uint64 or int64: a decimal text.
void otlp_json_member_u64 (json_writer_t *json, const char *key, uint64_t value);
void otlp_json_put_u64 (json_writer_t *json, uint64_t value);
//  Likewise a time: nanoseconds since 1970. One before that is 0, "unknown" to OTLP.
void otlp_json_member_time (json_writer_t *json, const char *key, time_us_t wall);
//  A double, with as many digits as it takes to read the same one back.
void otlp_json_put_double (json_writer_t *json, double value);

#endif
