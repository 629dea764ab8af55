// sse_parser.c - see sse_parser.h.
//
// Line breaks and colons are ASCII, and no byte of a longer character is, so lines are cut in
// bytes and only the values that are kept are decoded.
//
// SPDX-License-Identifier: MIT

#include "sse_parser.h"

#include "../../common/buffer.h"
#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PARSER_MAGIC 0x55e9a25eu
#define MARK         "\xef\xbb\xbf"
#define REPLACEMENT  "\xef\xbf\xbd"
#define RETRY_DIGITS 12  //  of milliseconds: 31 years, more is not a time to wait

struct sse_parser {
    uint32_t magic;
    size_t event_max;
    sse_event_fn *fn;
    void *argument;
    int over;       //  the errno that ended it, or 0
    bool begun;     //  the first line is taken, a mark before it is gone
    bool after_cr;  //  a LF that comes next belongs to it
    bool has_data;
    buffer_t line, type, data, next_id, last_id;
    int64_t retry_ms;
};

sse_parser_t *
sse_parser_new (size_t event_max, const char *id, sse_event_fn *fn, void *argument)
{
    _cleanup_ (sse_parser_destroy) sse_parser_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    *self = (sse_parser_t){.magic = PARSER_MAGIC,
                           .event_max = event_max,
                           .fn = fn,
                           .argument = argument,
                           .retry_ms = SSE_RETRY_UNKNOWN};
    buffer_text (&self->next_id, id);
    buffer_text (&self->last_id, id);
    return buffer_failed (&self->next_id) || buffer_failed (&self->last_id) ? NULL
                                                                            : take_ptr (self);
}

void
sse_parser_destroy (sse_parser_t **self_p)
{
    sse_parser_t *self = *self_p;

    if (self) {
        assert (self->magic == PARSER_MAGIC);
        buffer_clear (&self->line);
        buffer_clear (&self->type);
        buffer_clear (&self->data);
        buffer_clear (&self->next_id);
        buffer_clear (&self->last_id);
        self->magic = 0;
        free (self);
        *self_p = NULL;
    }
}

//  How many bytes of text are one character, or, when they are none, the bytes that one U+FFFD
//  stands for (the Encoding Standard: the longest beginning of a character, at least one byte).
static size_t
character (const unsigned char *text, size_t size, bool *good)
{
    unsigned char first = text [0];
    size_t wanted = first < 0x80                     ? 1
                    : first >= 0xc2 && first <= 0xdf ? 2
                    : first >= 0xe0 && first <= 0xef ? 3
                    : first >= 0xf0 && first <= 0xf4 ? 4
                                                     : 0;
    unsigned char least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    unsigned char most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    size_t at = 1;

    while (at < wanted && at < size && text [at] >= least && text [at] <= most) {
        least = 0x80;
        most = 0xbf;
        at++;
    }
    *good = wanted > 0 && at == wanted;
    return at;
}

static void
append_decoded (buffer_t *out, const char *bytes, size_t size)
{
    const unsigned char *text = (const unsigned char *) bytes;
    size_t kept = 0;

    for (size_t at = 0, step; at < size; at += step) {
        bool good;
        step = character (text + at, size - at, &good);
        if (!good) {
            buffer_append (out, bytes + kept, at - kept);
            buffer_append (out, REPLACEMENT, 3);
            kept = at + step;
        }
    }
    buffer_append (out, bytes + kept, size - kept);
}

static const char *
text_of (const buffer_t *buffer)
{
    return buffer->data && buffer->size > 0 ? buffer->data : "";
}

static int
dispatch (sse_parser_t *self)
{
    bool goes_on = true;

    buffer_reset (&self->last_id);
    buffer_append (&self->last_id, text_of (&self->next_id), self->next_id.size);
    if (self->has_data && !buffer_failed (&self->data) && !buffer_failed (&self->type) &&
        !buffer_failed (&self->last_id)) {
        sse_event_t event = {.type = self->type.size > 0 ? self->type.data : "message",
                             .data = text_of (&self->data),
                             .size = self->data.size,
                             .id = text_of (&self->last_id)};
        goes_on = self->fn (self->argument, &event);
    }
    self->has_data = false;
    buffer_reset (&self->data);
    buffer_reset (&self->type);
    return goes_on ? 0 : -ECANCELED;
}

static void
take_retry (sse_parser_t *self, const char *value, size_t size)
{
    int64_t ms = 0;

    for (size_t i = 0; i < size; i++) {
        if (value [i] < '0' || value [i] > '9' || size > RETRY_DIGITS) {
            return;
        }
        ms = ms * 10 + (value [i] - '0');
    }
    self->retry_ms = size > 0 ? ms : self->retry_ms;
}

static bool
is_field (const char *line, size_t size, const char *name)
{
    return strlen (name) == size && memcmp (line, name, size) == 0;
}

//  A type is told as a text, and must not be taken for another that is a beginning of it.
static void
blot_nulls (buffer_t *text)
{
    for (size_t i = 0; i < text->size; i++) {
        text->data [i] = text->data [i] ? text->data [i] : '?';
    }
}

static void
take_field (sse_parser_t *self, const char *line, size_t name, const char *value, size_t size)
{
    if (is_field (line, name, "data")) {
        if (self->has_data) {
            buffer_append (&self->data, "\n", 1);
        }
        append_decoded (&self->data, value, size);
        self->has_data = true;
    } else if (is_field (line, name, "event")) {
        buffer_reset (&self->type);
        append_decoded (&self->type, value, size);
        blot_nulls (&self->type);
    } else if (is_field (line, name, "id") && !memchr (value, '\0', size)) {
        buffer_reset (&self->next_id);
        append_decoded (&self->next_id, value, size);
    } else if (is_field (line, name, "retry")) {
        take_retry (self, value, size);
    }
}

//  The line that is whole now.
static int
take_line (sse_parser_t *self)
{
    const char *line = text_of (&self->line);
    size_t size = self->line.size, skipped = 0;

    if (!self->begun && size >= 3 && memcmp (line, MARK, 3) == 0) {
        skipped = 3;
    }
    self->begun = true;
    line += skipped;
    size -= skipped;
    if (size == 0) {
        return dispatch (self);
    }
    const char *colon = memchr (line, ':', size);
    size_t name = colon ? (size_t) (colon - line) : size;
    size_t value = name + (colon ? 1 : 0);
    value += value < size && line [value] == ' ';
    take_field (self, line, name, line + value, size - value);
    bool failed = buffer_failed (&self->data) || buffer_failed (&self->type) ||
                  buffer_failed (&self->next_id);
    return failed ? -ENOMEM : self->data.size > self->event_max ? -E2BIG : 0;
}

int
sse_parser_feed (sse_parser_t *self, const char *bytes, size_t size)
{
    assert (self->magic == PARSER_MAGIC);
    for (size_t at = 0; self->over == 0 && at < size;) {
        if (self->after_cr && bytes [at] == '\n') {
            self->after_cr = false;
            at++;
            continue;
        }
        self->after_cr = false;
        size_t end = at;
        while (end < size && bytes [end] != '\n' && bytes [end] != '\r') {
            end++;
        }
        if (end - at > self->event_max - self->line.size) {
            self->over = -E2BIG;
            break;
        }
        buffer_append (&self->line, bytes + at, end - at);
        at = end;
        if (buffer_failed (&self->line)) {
            self->over = -ENOMEM;
        } else if (end < size) {
            self->after_cr = bytes [end] == '\r';
            at = end + 1;
            self->over = take_line (self);
            buffer_reset (&self->line);
        }
    }
    return self->over;
}

const char *
sse_parser_last_id (const sse_parser_t *self)
{
    return text_of (&self->last_id);
}

int64_t
sse_parser_retry_ms (const sse_parser_t *self)
{
    return self->retry_ms;
}
