// replica.h - the workers, and the jobs (replica_jobs.h), as the aggregator last told them, as bytes.
//
// A worker's snapshot is kept as the frame that a client gets in a full state, made of the JSON
// that came, with the few facts that lists filter by; nothing is parsed for a client. Each worker
// remembers the number its state covers: an older message never overwrites a newer one, whatever
// way it came (feed or state answer).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_REPLICA_H
#define GATEWAY_REPLICA_H

#include "../common/json.h"
#include "frame.h"
#include "replica_jobs.h"

typedef struct replica replica_t;

typedef struct replica_worker {
    char worker_id [FEED_WORKER_ID_SIZE];
    char region [FEED_REGION_SIZE];
    char status [32];
    char instance_id [128];
    uint64_t seq;    //  what the snapshot covers
    uint64_t event;  //  of the last worker.snapshot that came as an event
    unsigned state;  //  of which state it is: the last taken, or the one being taken
    //  Of the snapshot that was last told, as it is and masked; 0: none, or it is terminated.
    uint64_t digests [2];
    frame_t *frame;    //  as a client gets it in a full state
    size_t json_head;  //  of its JSON, before the canonical snapshot
} replica_worker_t;

//  mask is borrowed; null: nobody is told less than another.
replica_t *replica_new (const mask_t *mask);
void replica_destroy (replica_t **self_p);

//  A state is taken anew: what is put between the two stands, whatever its number; at the end all
//  else goes. Until then readers find the old.
void replica_begin (replica_t *self);
void replica_end (replica_t *self);

//  Takes a snapshot; what is no object, or older than what is held: ignored. 0 or -ENOMEM.
int replica_put (replica_t *self, const feed_header_t *header, const char *json, size_t size);
//  The worker left the state; a state newer than this news stays.
void replica_remove (replica_t *self, const feed_header_t *header);

size_t replica_size (const replica_t *self);
//  By worker id or EC2 instance id; null when there is none.
const replica_worker_t *replica_find (replica_t *self, const char *id);
//  The sum of the digests (common/digest.h) of all workers, and of a region's, as of the last
//  event that was put, as they are or masked. False while a state is being taken: then nobody
//  knows.
bool replica_digest (const replica_t *self, bool masked, uint64_t *digest);
uint64_t replica_region_digest (const replica_t *self, bool masked, const char *region);
uint64_t replica_worker_digest (const replica_worker_t *worker, bool masked);

//  In the order of worker ids; after "" is the first.
const replica_worker_t *replica_next (replica_t *self, const char *after);
//  The canonical snapshot, whole, as the next value, masked unless mask is null.
void replica_write_worker (const replica_worker_t *worker, const mask_t *mask, json_writer_t *out);

//  Of the state that is being taken: an array of records, which is held; they are the jobs when the
//  state ends.
void replica_put_jobs (replica_t *self, struct json_object *jobs);
replica_jobs_t *replica_jobs (replica_t *self);

//  The data of the last system.stats, "{}" before the first.
void replica_set_stats (replica_t *self, const char *json, size_t size);
const char *replica_stats (const replica_t *self);

#endif
