// buffer.h - bytes that grow: what every writer of ours writes into.
//
// A failed allocation is remembered, not returned from each call: after it all
// appends do nothing and buffer_failed() is true, so a writer is checked once, at its
// end. data always ends with a NUL that size does not count.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct buffer {
    char *data;  //  null until the first append
    size_t size, capacity;
    bool failed;
} buffer_t;

//  Frees the bytes and leaves an empty buffer that may be used again. For _cleanup_.
void buffer_clear (buffer_t *self);

//  Forgets the content and keeps the memory.
void buffer_reset (buffer_t *self);

//  Makes room for size more bytes and returns where they start; the caller writes them
//  and adds to self->size. Null when memory is out.
static inline char *buffer_reserve (buffer_t *self, size_t size);

static inline void buffer_append (buffer_t *self, const void *bytes, size_t size);
void buffer_text (buffer_t *self, const char *text);
void buffer_format (buffer_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

//  Decimal.
void buffer_unsigned (buffer_t *self, uint64_t value);
void buffer_integer (buffer_t *self, int64_t value);

//  Its digits, written so that they end at end, with no NUL; returns where they start. At most 20.
char *buffer_digits_before (char *end, uint64_t value);

//  True when an append was lost; the content is not to be used.
bool buffer_failed (const buffer_t *self);

//  --- within: an observation is a thousand appends that find room, and they are no calls

//  As buffer_reserve, when there is no room yet.
char *buffer_grow (buffer_t *self, size_t size);

static inline char *
buffer_reserve (buffer_t *self, size_t size)
{
    bool fits = size < self->capacity - self->size && !self->failed;

    return fits ? self->data + self->size : buffer_grow (self, size);
}

static inline void
buffer_append (buffer_t *self, const void *bytes, size_t size)
{
    char *room = buffer_reserve (self, size);

    if (room) {
        if (size > 0) {
            memcpy (room, bytes, size);
        }
        room [size] = '\0';
        self->size += size;
    }
}

#endif
