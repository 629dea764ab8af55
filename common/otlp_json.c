// otlp_json.c - see otlp_json.h.
//
// SPDX-License-Identifier: MIT

#include "otlp_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE "cmlwatch"

void
otlp_json_open (json_writer_t *json, const otlp_resource_t *resource, const char *outer,
                const char *inner, const char *items)
{
    json_open_object (json);
    json_key (json, outer);
    json_open_array (json);
    json_open_object (json);
    json_key (json, "resource");
    json_open_object (json);
    json_key (json, "attributes");
    json_open_array (json);
    otlp_json_attribute (json, "service.name", resource->service_name);
    otlp_json_attribute (json, "service.version", resource->service_version);
    otlp_json_attribute (json, "service.instance.id", resource->service_instance_id);
    json_close_array (json);
    json_close_object (json);
    json_key (json, inner);
    json_open_array (json);
    json_open_object (json);
    json_key (json, "scope");
    json_open_object (json);
    json_member_text (json, "name", SCOPE);
    json_member_text (json, "version", resource->service_version);
    json_close_object (json);
    json_key (json, items);
    json_open_array (json);
}

void
otlp_json_close (json_writer_t *json)
{
    json_close_array (json);
    json_close_object (json);
    json_close_array (json);
    json_close_object (json);
    json_close_array (json);
    json_close_object (json);
}

static void
open_attribute (json_writer_t *json, const char *key)
{
    json_open_object (json);
    json_member_text (json, "key", key);
    json_key (json, "value");
    json_open_object (json);
}

static void
close_attribute (json_writer_t *json)
{
    json_close_object (json);
    json_close_object (json);
}

void
otlp_json_attribute (json_writer_t *json, const char *key, const char *text)
{
    open_attribute (json, key);
    json_member_text (json, "stringValue", text);
    close_attribute (json);
}

void
otlp_json_attribute_integer (json_writer_t *json, const char *key, int64_t value)
{
    char text [24];

    snprintf (text, sizeof text, "%" PRId64, value);
    open_attribute (json, key);
    json_member_text (json, "intValue", text);
    close_attribute (json);
}

void
otlp_json_put_u64 (json_writer_t *json, uint64_t value)
{
    char text [24];

    snprintf (text, sizeof text, "%" PRIu64, value);
    json_put_text (json, text);
}

void
otlp_json_member_u64 (json_writer_t *json, const char *key, uint64_t value)
{
    json_key (json, key);
    otlp_json_put_u64 (json, value);
}

void
otlp_json_member_time (json_writer_t *json, const char *key, time_us_t wall)
{
    otlp_json_member_u64 (json, key, wall > 0 ? (uint64_t) wall * 1000 : 0);
}

void
otlp_json_put_double (json_writer_t *json, double value)
{
    char text [40];

    if (!isfinite (value)) {
        json_put_text (json, isnan (value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
        return;
    }
    snprintf (text, sizeof text, "%.15g", value);
    if (strtod (text, NULL) != value) {
        snprintf (text, sizeof text, "%.17g", value);
    }
    json_put_raw (json, text, strlen (text));
}
