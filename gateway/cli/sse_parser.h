// sse_parser.h - text/event-stream by the letter: bytes go in, in any pieces; events come out.
//
// WHATWG HTML, section 9.2.6: lines end with CR, LF or CRLF; one byte order mark at the start is
// dropped; what has no empty line behind it is not dispatched and moves no cursor; bytes that are
// no UTF-8 become U+FFFD. It knows nothing of connections: whoever opens a new one makes a new
// parser and gives it the id to go on from.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_SSE_PARSER_H
#define GATEWAY_CLI_SSE_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSE_RETRY_UNKNOWN (-1)

typedef struct sse_parser sse_parser_t;

typedef struct sse_event {  //  borrowed, during the call only; all end with NUL
    const char *type;       //  "message" when none was given; a NUL in it is '?'
    const char *data;
    size_t size;     //  of data, which may hold NULs
    const char *id;  //  the last that came, "" before the first
} sse_event_t;

//  False: no more of what was fed is wanted.
typedef bool sse_event_fn (void *argument, const sse_event_t *event);

//  event_max bounds a line and an event, in bytes. id: what to go on from, "" for none. Null when
//  memory is out.
sse_parser_t *sse_parser_new (size_t event_max, const char *id, sse_event_fn *fn, void *argument);
void sse_parser_destroy (sse_parser_t **self_p);

//  0; -ECANCELED when fn wanted no more; -E2BIG over event_max; -ENOMEM. After anything but 0 the
//  parser takes no more and says the same again.
int sse_parser_feed (sse_parser_t *self, const char *bytes, size_t size);

//  The cursor: of the last event dispatched, or moved by an id alone.
const char *sse_parser_last_id (const sse_parser_t *self);
//  The last `retry`, in ms, or SSE_RETRY_UNKNOWN.
int64_t sse_parser_retry_ms (const sse_parser_t *self);

#endif
