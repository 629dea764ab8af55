// deflated.c - see deflated.h.
//
// SPDX-License-Identifier: MIT

#include "deflated.h"

#include "../common/cleanup.h"

#include <assert.h>
#include <stdlib.h>
#include <zlib.h>

#define DEFLATED_MAGIC 0xdef1a7edu
#define LEVEL          1  //  a third of level 5's time, and a tenth more bytes
#define GZIP_WINDOW    (15 + 16)
#define MEMORY         8
#define BLOCK          ((size_t) 16 * 1024)
#define SLICE          ((size_t) 64 * 1024)  //  of the plain body, some 0.5 ms

typedef struct deflated {
    unsigned magic;
    buffer_t plain;
    size_t taken;
    z_stream stream;
} deflated_t;

static void
destroy (void *argument)
{
    deflated_t *self = argument;
    assert (self->magic == DEFLATED_MAGIC);

    deflateEnd (&self->stream);
    buffer_clear (&self->plain);
    self->magic = 0;
    free (self);
}

//  Slices until there is something to send: the first ones are swallowed.
static ssize_t
read_more (void *argument, uint64_t at, char *out, size_t room)
{
    deflated_t *self = argument;
    assert (self->magic == DEFLATED_MAGIC);
    z_stream *stream = &self->stream;
    int rc = Z_OK;

    (void) at;
    stream->next_out = (Bytef *) out;
    stream->avail_out = (uInt) (room < BLOCK ? room : BLOCK);
    uInt before = stream->avail_out;
    while (stream->avail_out == before && rc == Z_OK) {
        size_t left = self->plain.size - self->taken, slice = left < SLICE ? left : SLICE;
        stream->next_in = (z_const Bytef *) self->plain.data + self->taken;
        stream->avail_in = (uInt) slice;
        rc = deflate (stream, slice == left ? Z_FINISH : Z_NO_FLUSH);
        self->taken += slice - stream->avail_in;
    }
    if (stream->avail_out < before) {
        return (ssize_t) (before - stream->avail_out);
    }
    return rc == Z_STREAM_END ? MHD_CONTENT_READER_END_OF_STREAM
                              : MHD_CONTENT_READER_END_WITH_ERROR;
}

struct MHD_Response *
deflated_response (buffer_t *body)
{
    deflated_t *self = calloc (1, sizeof *self);

    if (!self || deflateInit2 (&self->stream, LEVEL, Z_DEFLATED, GZIP_WINDOW, MEMORY,
                               Z_DEFAULT_STRATEGY) != Z_OK) {
        free (self);
        return NULL;
    }
    self->magic = DEFLATED_MAGIC;
    self->plain = *body;
    struct MHD_Response *response =
        MHD_create_response_from_callback (MHD_SIZE_UNKNOWN, BLOCK, read_more, self, destroy);
    if (!response) {
        self->plain = (buffer_t){0};
        destroy (self);
        return NULL;
    }
    *body = (buffer_t){0};
    return response;
}
