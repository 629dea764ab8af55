// plain.c - see plain.h.
//
// SPDX-License-Identifier: MIT

#include "plain.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

typedef struct range {
    uint32_t first, last;
} range_t;

//  After Unicode's East Asian Width (W and F) and emoji presentation, in blocks.
static const range_t WIDE [] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                                {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                                {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                                {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
//  Combining marks, joiners, variation selectors.
static const range_t EMPTY [] = {{0x300, 0x36f},   {0x483, 0x489},   {0x591, 0x5bd},
                                 {0x610, 0x61a},   {0x64b, 0x65f},   {0x200b, 0x200d},
                                 {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
//  C1 (C0 and DEL are ASCII); line and paragraph separators; marks, embeddings, overrides and
//  isolates of direction; the mark of byte order.
static const range_t UNFIT [] = {{0x80, 0x9f},     {0x61c, 0x61c},   {0x200e, 0x200f},
                                 {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff},
                                 {0xd800, 0xdfff}};

//  ASCII, which is most of it, needs no table.
#define IS_IN(ranges, code) \
    ((code) >= 0x80 && is_in (ranges, sizeof (ranges) / sizeof *(ranges), code))

static bool
is_in (const range_t *ranges, size_t count, uint32_t code)
{
    for (size_t i = 0; i < count; i++) {
        if (code >= ranges [i].first && code <= ranges [i].last) {
            return true;
        }
    }
    return false;
}

//  The next character's bytes, at least 1; *code is UINT32_MAX when they are none.
static size_t
next (const char *text, uint32_t *code)
{
    static const uint32_t LEAST [] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char) *text;
    size_t size = first < 0x80   ? 1
                  : first < 0xc2 ? 0
                  : first < 0xe0 ? 2
                  : first < 0xf0 ? 3
                  : first < 0xf5 ? 4
                                 : 0;

    *code = size == 1 ? first : first & (0xffu >> (size + 1));
    for (size_t i = 1; i < size; i++) {
        unsigned char byte = (unsigned char) text [i];
        if ((byte & 0xc0) != 0x80) {
            *code = UINT32_MAX;
            return i;
        }
        *code = *code << 6 | (byte & 0x3fu);
    }
    if (size == 0 || *code < LEAST [size] || *code > 0x10ffff) {
        *code = UINT32_MAX;
    }
    return size > 0 ? size : 1;
}

const char *
plain_text (char *out, size_t size, const char *text)
{
    size_t used = 0;

    for (size_t step; *text; text += step) {
        uint32_t code;
        step = next (text, &code);
        bool unfit = code < 0x20 || code == 0x7f || code == UINT32_MAX || IS_IN (UNFIT, code);
        if (used + (unfit ? 1 : step) >= size) {
            break;
        }
        memcpy (out + used, unfit ? "?" : text, unfit ? 1 : step);
        used += unfit ? 1 : step;
    }
    out [used] = '\0';
    return out;
}

size_t
plain_fit (const char *text, size_t columns, size_t *taken)
{
    size_t at = 0;

    *taken = 0;
    while (text [at]) {
        uint32_t code;
        size_t step = next (text + at, &code), width = IS_IN (WIDE, code) ? 2 : 1;
        width = IS_IN (EMPTY, code) ? 0 : width;
        if (*taken + width > columns) {
            break;
        }
        *taken += width;
        at += step;
    }
    return at;
}

size_t
plain_width (const char *text)
{
    size_t taken;

    (void) plain_fit (text, SIZE_MAX / 2, &taken);
    return taken;
}

const char *
plain_span (char out [PLAIN_SPAN_SIZE], time_us_t span)
{
    long long seconds = span > 0 ? (long long) (span / SECOND_US) : 0;

    if (seconds < 60) {
        snprintf (out, PLAIN_SPAN_SIZE, "%llds", seconds);
    } else if (seconds < 3600) {
        snprintf (out, PLAIN_SPAN_SIZE, "%lldm", seconds / 60);
    } else if (seconds < 86400) {
        snprintf (out, PLAIN_SPAN_SIZE, "%lldh%02lldm", seconds / 3600, seconds / 60 % 60);
    } else {
        snprintf (out, PLAIN_SPAN_SIZE, "%lldd%02lldh", seconds / 86400, seconds / 3600 % 24);
    }
    return out;
}
