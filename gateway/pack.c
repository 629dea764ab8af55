// pack.c - see pack.h.
//
// SPDX-License-Identifier: MIT

#include "pack.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LEVEL      5
#define RAW_WINDOW (-15)  //  deflate without zlib's own head and trailer
#define MEMORY     8
#define FLUSH_BYTES \
    32  //  of the empty block at the end, and of block heads that deflateBound omits

struct packer {
    z_stream stream;
};

//  gzip (RFC 1952): deflate, no flags, no time, no name; the system is unknown.
const char PACK_HEAD [PACK_HEAD_SIZE] = {'\x1f', '\x8b', 8, 0, 0, 0, 0, 0, 0, '\xff'};

packer_t *
packer_new (void)
{
    packer_t *self = calloc (1, sizeof *self);

    if (self && deflateInit2 (&self->stream, LEVEL, Z_DEFLATED, RAW_WINDOW, MEMORY,
                              Z_DEFAULT_STRATEGY) != Z_OK) {
        free (self);
        return NULL;
    }
    return self;
}

void
packer_destroy (packer_t **self_p)
{
    assert (self_p);
    packer_t *self = *self_p;

    if (self) {
        deflateEnd (&self->stream);
        free (self);
        *self_p = NULL;
    }
}

void
packer_restart (packer_t *self)
{
    deflateReset (&self->stream);
}

//  0 when room did not do, which deflateBound and FLUSH_BYTES rule out.
static size_t
run (z_stream *stream, const void *bytes, size_t size, char *out, size_t room)
{
    stream->next_in = (z_const Bytef *) bytes;
    stream->avail_in = (uInt) size;
    stream->next_out = (Bytef *) out;
    stream->avail_out = (uInt) room;
    int rc = deflate (stream, Z_SYNC_FLUSH);
    return rc == Z_OK && stream->avail_in == 0 && stream->avail_out > 0 ? room - stream->avail_out
                                                                        : 0;
}

frame_t *
packer_run (packer_t *self, const void *bytes, size_t size)
{
    size_t room = deflateBound (&self->stream, size) + FLUSH_BYTES;
    char *out = malloc (room);
    size_t used = out ? run (&self->stream, bytes, size, out, room) : 0;
    frame_t *frame = used ? frame_of_bytes (out, used) : NULL;

    free (out);
    return frame;
}

packed_t *
packer_alone (packer_t *self, const void *bytes, size_t size)
{
    packer_restart (self);
    size_t room = deflateBound (&self->stream, size) + FLUSH_BYTES;
    packed_t *made = malloc (sizeof *made + room);
    size_t used = made ? run (&self->stream, bytes, size, made->bytes, room) : 0;
    if (used == 0) {
        free (made);
        return NULL;
    }
    made->size = used;
    made->crc = pack_crc (bytes, size);
    packed_t *fitted = realloc (made, sizeof *made + used);
    return fitted ? fitted : made;
}

uint32_t
pack_crc (const void *bytes, size_t size)
{
    return (uint32_t) crc32_z (0, bytes, size);
}

void
pack_sum_add (pack_sum_t *self, uint32_t crc, uint64_t size)
{
    self->crc = (uint32_t) crc32_combine (self->crc, crc, (z_off_t) size);
    self->size += size;
}

//  crc32_combine shifts the first by the second's size and adds the second; adding is its own
//  inverse, so what was added comes back.
pack_sum_t
pack_sum_since (const pack_sum_t *whole, const pack_sum_t *part)
{
    uint64_t size = whole->size - part->size;
    uint32_t shifted = (uint32_t) crc32_combine (part->crc, 0, (z_off_t) size);

    return (pack_sum_t){.crc = whole->crc ^ shifted, .size = size};
}

static void
put_little_endian (char *out, uint32_t number)
{
    for (int i = 0; i < 4; i++) {
        out [i] = (char) (number >> (8 * i) & 0xff);
    }
}

void
pack_write_tail (char tail [PACK_TAIL_SIZE], const pack_sum_t *sum)
{
    memcpy (tail, "\x03\x00", 2);
    put_little_endian (tail + 2, sum->crc);
    put_little_endian (tail + 6, (uint32_t) sum->size);
}
