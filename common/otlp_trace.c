// otlp_trace.c - see otlp_trace.h.
//
// SPDX-License-Identifier: MIT

#include "otlp_trace.h"

#include <string.h>

#define STATUS_ERROR     2      //  STATUS_CODE_ERROR
#define FLAG_SAYS_REMOTE 0x100  //  SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
#define FLAG_IS_REMOTE   0x200  //  SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK

static void
put_hex (json_writer_t *json, const char *key, const uint8_t *bytes, size_t size)
{
    char text [2 * TRACE_ID_BYTES + 1];

    json_member_text (json, key, trace_context_hex (text, bytes, size));
}

//  A character that the cut goes through is not begun: its bytes 10xxxxxx go with it.
static void
put_attribute (json_writer_t *json, const span_attribute_t *attribute)
{
    char text [SPAN_TEXT_MAX + 1];

    if (!attribute->text) {
        otlp_json_attribute_integer (json, attribute->key, attribute->integer);
        return;
    }
    size_t size = strnlen (attribute->text, SPAN_TEXT_MAX);
    while (attribute->text [size] && size > 0 && (attribute->text [size] & 0xc0) == 0x80) {
        size--;
    }
    memcpy (text, attribute->text, size);
    text [size] = '\0';
    otlp_json_attribute (json, attribute->key, text);
}

void
otlp_trace_write_span (json_writer_t *json, const span_t *span)
{
    int64_t flags = span->own.flags | FLAG_SAYS_REMOTE;

    json_open_object (json);
    put_hex (json, "traceId", span->own.trace_id, TRACE_ID_BYTES);
    put_hex (json, "spanId", span->own.span_id, SPAN_ID_BYTES);
    if (span->parent) {
        put_hex (json, "parentSpanId", span->parent->span_id, SPAN_ID_BYTES);
        flags |= span->parent_is_remote ? FLAG_IS_REMOTE : 0;
    }
    json_member_integer (json, "flags", flags);
    json_member_text (json, "name", span->name);
    json_member_integer (json, "kind", span->kind);
    otlp_json_member_time (json, "startTimeUnixNano", span->start);
    otlp_json_member_time (json, "endTimeUnixNano",
                           span->end > span->start ? span->end : span->start);
    json_key (json, "attributes");
    json_open_array (json);
    for (size_t i = 0; i < SPAN_ATTRIBUTES_MAX && span->attributes [i].key; i++) {
        put_attribute (json, &span->attributes [i]);
    }
    json_close_array (json);
    if (span->error) {
        json_key (json, "status");
        json_open_object (json);
        if (*span->error) {
            json_member_text (json, "message", span->error);
        }
        json_member_integer (json, "code", STATUS_ERROR);
        json_close_object (json);
    }
    json_close_object (json);
}
