//  text/event-stream as the terminal program reads it: whole and in pieces gives the same.
//  SPDX-License-Identifier: MIT

#include "../../common/buffer.h"
#include "../../common/cleanup.h"
#include "../../gateway/cli/sse_parser.h"
#include "fuzz.h"

#define EVENT_MAX 512

static bool
note (void *argument, const sse_event_t *event)
{
    buffer_t *heard = argument;

    CHECK (*event->type && strlen (event->data) <= event->size);
    CHECK (event->data [event->size] == '\0' && !strpbrk (event->id, "\r\n"));
    buffer_format (heard, "%s|%zu|%s|", event->type, event->size, event->id);
    buffer_append (heard, event->data, event->size);
    return true;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (buffer_clear) buffer_t whole = {0};
    _cleanup_ (buffer_clear) buffer_t pieces = {0};
    _cleanup_ (sse_parser_destroy) sse_parser_t *one = sse_parser_new (EVENT_MAX, "", note, &whole);
    _cleanup_ (sse_parser_destroy) sse_parser_t *many =
        sse_parser_new (EVENT_MAX, "", note, &pieces);
    const char *bytes = (const char *) data;
    size_t piece = size > 0 ? 1 + data [0] % 7u : 1;

    CHECK (one && many);
    int rc = sse_parser_feed (one, bytes, size), last = 0;
    for (size_t at = 0; at < size; at += piece) {
        last = sse_parser_feed (many, bytes + at, size - at < piece ? size - at : piece);
    }
    CHECK (rc == last && whole.size == pieces.size);
    CHECK (whole.size == 0 || memcmp (whole.data, pieces.data, whole.size) == 0);
    CHECK (strcmp (sse_parser_last_id (one), sse_parser_last_id (many)) == 0);
    CHECK (sse_parser_retry_ms (one) == sse_parser_retry_ms (many));
    return 0;
}
