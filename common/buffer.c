// buffer.c - see buffer.h. Doubles its memory, so that n appends cost O(n).
//
// SPDX-License-Identifier: MIT

#include "buffer.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_LEAST 256

void
buffer_clear (buffer_t *self)
{
    free (self->data);
    *self = (buffer_t){0};
}

void
buffer_reset (buffer_t *self)
{
    self->size = 0;
    self->failed = false;
    if (self->data) {
        self->data [0] = '\0';
    }
}

char *
buffer_grow (buffer_t *self, size_t size)
{
    size_t wanted = self->capacity ? self->capacity : BUFFER_LEAST;

    if (self->failed || size > SIZE_MAX / 4 - self->size) {
        self->failed = true;
        return NULL;
    }
    while (wanted < self->size + size + 1) {
        wanted *= 2;
    }
    char *data = realloc (self->data, wanted);
    if (!data) {
        self->failed = true;
        return NULL;
    }
    self->data = data;
    self->capacity = wanted;
    return data + self->size;
}

void
buffer_text (buffer_t *self, const char *text)
{
    buffer_append (self, text, strlen (text));
}

void
buffer_format (buffer_t *self, const char *format, ...)
{
    va_list args;

    va_start (args, format);
    int size = vsnprintf (NULL, 0, format, args);
    va_end (args);
    char *room = size < 0 ? NULL : buffer_reserve (self, (size_t) size);
    if (!room) {
        self->failed = true;
        return;
    }
    va_start (args, format);
    vsnprintf (room, (size_t) size + 1, format, args);
    va_end (args);
    self->size += (size_t) size;
}

//  In pairs: half the divisions.
char *
buffer_digits_before (char *end, uint64_t value)
{
    for (; value >= 100; value /= 100) {
        unsigned pair = (unsigned) (value % 100);
        *--end = (char) ('0' + pair % 10);
        *--end = (char) ('0' + pair / 10);
    }
    *--end = (char) ('0' + value % 10);
    if (value >= 10) {
        *--end = (char) ('0' + value / 10);
    }
    return end;
}

void
buffer_unsigned (buffer_t *self, uint64_t value)
{
    char text [20], *end = text + sizeof text, *start = buffer_digits_before (end, value);

    buffer_append (self, start, (size_t) (end - start));
}

void
buffer_integer (buffer_t *self, int64_t value)
{
    if (value < 0) {
        buffer_append (self, "-", 1);
    }
    buffer_unsigned (self, value < 0 ? 0 - (uint64_t) value : (uint64_t) value);
}

bool
buffer_failed (const buffer_t *self)
{
    return self->failed;
}
