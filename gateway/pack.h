// pack.h - deflate for streams that share what was compressed once.
//
// A gzip stream to a client is a header, runs of deflate blocks, and a trailer. Each run ends
// with an empty stored block (a flush, RFC 1951 and zlib's Z_SYNC_FLUSH), on a byte's border, so
// the bytes of a run may go to any client whose window holds what the run refers to. A run made
// alone refers to nothing: it fits everywhere. A run of a packer refers to the runs that it made
// before, back to its last restart: it fits those who got all of these and nothing else.
// The trailer's checksum is each client's own; it is put together from those of the runs.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_PACK_H
#define GATEWAY_PACK_H

#include "frame.h"

typedef struct packer packer_t;

packer_t *packer_new (void);
void packer_destroy (packer_t **self_p);

//  The next run refers to nothing before it.
void packer_restart (packer_t *self);
//  The next run. Null when memory is out; the packer must be restarted then.
frame_t *packer_run (packer_t *self, const void *bytes, size_t size);

//  A run that refers to nothing, by a packer that makes no others. The caller frees it; null when
//  memory is out.
packed_t *packer_alone (packer_t *self, const void *bytes, size_t size);

//  The stream's own checksum, over everything it said.
typedef struct pack_sum {
    uint32_t crc;
    uint64_t size;
} pack_sum_t;

void pack_sum_add (pack_sum_t *self, uint32_t crc, uint64_t size);
//  The sum of what was added to whole since it was part.
pack_sum_t pack_sum_since (const pack_sum_t *whole, const pack_sum_t *part);
uint32_t pack_crc (const void *bytes, size_t size);

#define PACK_HEAD_SIZE 10
extern const char PACK_HEAD [PACK_HEAD_SIZE];

//  The last block, which is empty, and the trailer.
#define PACK_TAIL_SIZE 10
void pack_write_tail (char tail [PACK_TAIL_SIZE], const pack_sum_t *sum);

#endif
