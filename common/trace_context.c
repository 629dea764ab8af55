// trace_context.c - see trace_context.h.
//
// SPDX-License-Identifier: MIT

#include "trace_context.h"

#include "clock.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define LENGTH        (TRACEPARENT_SIZE - 1)
#define RANDOM_BITS   56
#define TRACE_ID_AT   3
#define SPAN_ID_AT    36
#define FLAGS_AT      53
#define IS_DASH_AT(i) ((i) == TRACE_ID_AT - 1 || (i) == SPAN_ID_AT - 1 || (i) == FLAGS_AT - 1)

static bool
is_any_set (const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes [i]) {
            return true;
        }
    }
    return false;
}

bool
trace_context_is_set (const trace_context_t *self)
{
    return is_any_set (self->span_id, SPAN_ID_BYTES);
}

bool
trace_context_is_sampled (const trace_context_t *self)
{
    return (self->flags & TRACE_FLAG_SAMPLED) && trace_context_is_set (self);
}

//  -1: no lower-case hex digit; capitals are none here.
static int
digit_of (char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
read_hex (uint8_t *bytes, size_t size, const char *text)
{
    for (size_t i = 0; i < size; i++) {
        bytes [i] = (uint8_t) (digit_of (text [2 * i]) * 16 + digit_of (text [2 * i + 1]));
    }
}

//  Dashes and digits where they belong. Version ff is none; version 00 ends here, a later one may
//  go on behind a dash.
static bool
has_form (const char *text)
{
    for (size_t i = 0; i < LENGTH; i++) {
        if (IS_DASH_AT (i) ? text [i] != '-' : digit_of (text [i]) < 0) {
            return false;
        }
    }
    return strncmp (text, "ff", 2) != 0 &&
           (text [LENGTH] == '\0' || (text [LENGTH] == '-' && strncmp (text, "00", 2) != 0));
}

bool
trace_context_parse (trace_context_t *self, const char *text)
{
    trace_context_t context;

    if (!text || !has_form (text)) {
        return false;
    }
    read_hex (context.trace_id, TRACE_ID_BYTES, text + TRACE_ID_AT);
    read_hex (context.span_id, SPAN_ID_BYTES, text + SPAN_ID_AT);
    read_hex (&context.flags, 1, text + FLAGS_AT);
    context.flags &= TRACE_FLAG_SAMPLED;
    if (!is_any_set (context.trace_id, TRACE_ID_BYTES) ||
        !is_any_set (context.span_id, SPAN_ID_BYTES)) {
        return false;
    }
    *self = context;
    return true;
}

const char *
trace_context_hex (char *out, const uint8_t *bytes, size_t size)
{
    static const char DIGITS [] = "0123456789abcdef";

    for (size_t i = 0; i < size; i++) {
        out [2 * i] = DIGITS [bytes [i] >> 4];
        out [2 * i + 1] = DIGITS [bytes [i] & 15];
    }
    out [2 * size] = '\0';
    return out;
}

const char *
trace_context_write (const trace_context_t *self, char text [TRACEPARENT_SIZE])
{
    text [0] = '\0';
    if (trace_context_is_set (self)) {
        memcpy (text, "00-", TRACE_ID_AT);
        trace_context_hex (text + TRACE_ID_AT, self->trace_id, TRACE_ID_BYTES);
        text [SPAN_ID_AT - 1] = '-';
        trace_context_hex (text + SPAN_ID_AT, self->span_id, SPAN_ID_BYTES);
        text [FLAGS_AT - 1] = '-';
        trace_context_hex (text + FLAGS_AT, &self->flags, 1);
    }
    return text;
}

//  Never all zero, which names nothing. The kernel has always something to give after the boot;
//  before it, the clock is better than none.
static void
fill_random (uint8_t *bytes, size_t size)
{
    while (!is_any_set (bytes, size)) {
        if (getrandom (bytes, size, GRND_NONBLOCK) != (ssize_t) size) {
            moment_t now = clock_now ();
            memcpy (bytes, &now, size < sizeof now ? size : sizeof now);
        }
    }
}

bool
trace_context_decide (const uint8_t trace_id [TRACE_ID_BYTES], double ratio)
{
    uint64_t random = 0;

    for (size_t i = TRACE_ID_BYTES - RANDOM_BITS / 8; i < TRACE_ID_BYTES; i++) {
        random = random << 8 | trace_id [i];
    }
    return random >= (uint64_t) ldexp (1 - ratio, RANDOM_BITS);
}

trace_context_t
trace_context_begin (double ratio)
{
    trace_context_t context = {0};

    fill_random (context.trace_id, TRACE_ID_BYTES);
    fill_random (context.span_id, SPAN_ID_BYTES);
    context.flags = trace_context_decide (context.trace_id, ratio) ? TRACE_FLAG_SAMPLED : 0;
    return context;
}

trace_context_t
trace_context_child (const trace_context_t *parent)
{
    trace_context_t context = *parent;

    memset (context.span_id, 0, SPAN_ID_BYTES);
    fill_random (context.span_id, SPAN_ID_BYTES);
    return context;
}
