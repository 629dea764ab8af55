// job_queue.h - what waits for a runner, and which of it is next for whom.
//
// Jobs wait in lanes, one for each capability and worker: whoever may take one job of a lane may
// take all of them, so only a lane's first is ever looked at. Lanes are gathered in pools, each a
// heap by their first jobs:
//
//     of a free type       *  all of the capability        r:<region>    w:<worker id>
//     of a built-in type   o:<collector>, who owns the worker by lease; asked for when the lane is
//                          made and when leases have changed (job_queue_share)
//
// Higher priority first, then older (job_t.order) first. Finding the first costs nothing, putting in and taking
// out O(log n), however many wait. Pure.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOB_QUEUE_H
#define AGGREGATOR_JOB_QUEUE_H

#include "../common/job.h"

typedef struct job_queue job_queue_t;

//  Stands in what waits.
typedef struct queued {
    const job_t *job;
    size_t place;
    struct lane *lane;  //  null: it does not wait
} queued_t;

//  Who owns a worker's work of this kind: writes an id, or "" when nobody does.
typedef void job_owner_fn (void *argument, const char *kind, const job_t *job,
                           char owner [JOB_RUNNER_MAX + 1]);

job_queue_t *job_queue_new (job_owner_fn *fn, void *argument);
void job_queue_destroy (job_queue_t **self_p);

//  Its type, step, worker and priority stay as they are while it waits.
void job_queue_put (job_queue_t *self, queued_t *item);
void job_queue_take (job_queue_t *self, queued_t *item);  //  nothing when it does not wait

//  The first of a pool, e.g. ("worker.pause", 'o', "/collector/ec2/a"), ("build", '*', ""). Null:
//  none waits there.
queued_t *job_queue_first (const job_queue_t *self, const char *capability, char pool,
                           const char *name);
//  Of two that are not null.
bool job_queue_before (const queued_t *a, const queued_t *b);

//  Leases have changed: asks anew who owns what.
void job_queue_share (job_queue_t *self);

size_t job_queue_size (const job_queue_t *self);

#endif
