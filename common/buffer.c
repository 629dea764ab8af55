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

static bool
grow (buffer_t *self, size_t size)
{
    size_t wanted = self->capacity ? self->capacity : BUFFER_LEAST;

    if (self->failed || size > SIZE_MAX / 4 - self->size) {
        self->failed = true;
        return false;
    }
    while (wanted < self->size + size + 1) {
        wanted *= 2;
    }
    char *data = realloc (self->data, wanted);
    if (!data) {
        self->failed = true;
        return false;
    }
    self->data = data;
    self->capacity = wanted;
    return true;
}

char *
buffer_reserve (buffer_t *self, size_t size)
{
    if (self->failed || (size >= self->capacity - self->size && !grow (self, size))) {
        return NULL;
    }
    return self->data + self->size;
}

void
buffer_append (buffer_t *self, const void *bytes, size_t size)
{
    char *room = buffer_reserve (self, size);

    if (room) {
        if (size > 0) {
            memcpy (room, bytes, size);
        }
        self->size += size;
        self->data [self->size] = '\0';
    }
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

void
buffer_unsigned (buffer_t *self, uint64_t value)
{
    char text [20], *end = text + sizeof text, *start = end;

    do {
        *--start = (char) ('0' + value % 10);
        value /= 10;
    } while (value > 0);
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
