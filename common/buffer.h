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

typedef struct buffer {
    char *data;  //  null until the first append
    size_t size, capacity;
    bool failed;
} buffer_t;

//  Frees the bytes and leaves an empty buffer that may be used again. For _cleanup_.
void buffer_clear (buffer_t *self);

//  Forgets the content and keeps the memory.
void buffer_reset (buffer_t *self);

void buffer_append (buffer_t *self, const void *bytes, size_t size);
void buffer_text (buffer_t *self, const char *text);
void buffer_format (buffer_t *self, const char *format, ...)
    __attribute__ ((format (printf, 2, 3)));

//  Decimal.
void buffer_unsigned (buffer_t *self, uint64_t value);
void buffer_integer (buffer_t *self, int64_t value);

//  Makes room for size more bytes and returns where they start; the caller writes them
//  and adds to self->size. Null when memory is out.
char *buffer_reserve (buffer_t *self, size_t size);

//  True when an append was lost; the content is not to be used.
bool buffer_failed (const buffer_t *self);

#endif
