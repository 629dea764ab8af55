// job_queue.c - see job_queue.h.
//
// SPDX-License-Identifier: MIT

#include "job_queue.h"

#include "../common/cleanup.h"
#include "heap.h"
#include "job_types.h"

#include <assert.h>
#include <czmq.h>
#include <stdio.h>
#include <stdlib.h>

#define POOLS_OF_A_LANE 3
#define KEY_SIZE        (JOB_CAPABILITY_SIZE + JOB_RUNNER_MAX + 4)

typedef struct pool {
    char key [KEY_SIZE];
    heap_t lanes;
    size_t member;  //  which of its places a lane has here
} pool_t;

typedef struct lane {
    char key [KEY_SIZE];
    char capability [JOB_CAPABILITY_SIZE];
    const char *kind;  //  of a built-in step; null: free
    heap_t jobs;
    pool_t *pools [POOLS_OF_A_LANE];
    size_t places [POOLS_OF_A_LANE];
} lane_t;

struct job_queue {
    job_owner_fn *owner;
    void *argument;
    zhashx_t *lanes, *pools;
    size_t size;
};

bool
job_queue_before (const queued_t *a, const queued_t *b)
{
    return a->job->priority != b->job->priority ? a->job->priority > b->job->priority
                                                : a->job->order < b->job->order;
}

static bool
job_before (const void *a, const void *b)
{
    return job_queue_before (a, b);
}

//  A lane in a pool has a job.
static bool
lane_before (const void *a, const void *b)
{
    const lane_t *first = a, *second = b;

    return job_queue_before (heap_first (&first->jobs), heap_first (&second->jobs));
}

static void
free_lane (void **lane_p)
{
    lane_t *lane = *lane_p;

    heap_clear (&lane->jobs);
    free (lane);
    *lane_p = NULL;
}

static void
free_pool (void **pool_p)
{
    pool_t *pool = *pool_p;

    heap_clear (&pool->lanes);
    free (pool);
    *pool_p = NULL;
}

job_queue_t *
job_queue_new (job_owner_fn *fn, void *argument)
{
    _cleanup_ (job_queue_destroy) job_queue_t *self = calloc (1, sizeof *self);

    if (!self || !(self->lanes = zhashx_new ()) || !(self->pools = zhashx_new ())) {
        return NULL;
    }
    self->owner = fn;
    self->argument = argument;
    zhashx_set_destructor (self->lanes, free_lane);
    zhashx_set_destructor (self->pools, free_pool);
    return take_ptr (self);
}

void
job_queue_destroy (job_queue_t **self_p)
{
    assert (self_p);

    if (*self_p) {
        zhashx_destroy (&(*self_p)->lanes);
        zhashx_destroy (&(*self_p)->pools);
        free (*self_p);
        *self_p = NULL;
    }
}

static void
pool_key (char key [KEY_SIZE], const char *capability, char pool, const char *name)
{
    snprintf (key, KEY_SIZE, "%s|%c:%s", capability, pool, name);
}

static void
leave_pool (job_queue_t *self, lane_t *lane, size_t at)
{
    pool_t *pool = lane->pools [at];

    if (pool) {
        heap_remove (&pool->lanes, lane);
        lane->pools [at] = NULL;
        if (pool->lanes.count == 0) {
            zhashx_delete (self->pools, pool->key);
        }
    }
}

static void
join_pool (job_queue_t *self, lane_t *lane, size_t at, char letter, const char *name)
{
    char key [KEY_SIZE];

    pool_key (key, lane->capability, letter, name);
    pool_t *pool = zhashx_lookup (self->pools, key);
    if (!pool) {
        pool = calloc (1, sizeof *pool);
        assert (pool && "some hundred bytes for a pool");
        memcpy (pool->key, key, sizeof key);
        pool->lanes = (heap_t){.before = lane_before,
                               .place = offsetof (lane_t, places) + at * sizeof (size_t)};
        zhashx_insert (self->pools, key, pool);
    }
    lane->pools [at] = pool;
    heap_push (&pool->lanes, lane);
}

static const job_t *
first_job (const lane_t *lane)
{
    const queued_t *item = heap_first (&lane->jobs);

    return item->job;
}

static void
join_pools (job_queue_t *self, lane_t *lane)
{
    const job_t *job = first_job (lane);
    char owner [JOB_RUNNER_MAX + 1] = "";

    if (lane->kind) {
        self->owner (self->argument, lane->kind, job, owner);
        join_pool (self, lane, 0, 'o', owner);
        return;
    }
    join_pool (self, lane, 0, '*', "");
    if (*job->worker_id) {
        join_pool (self, lane, 1, 'r', job->region);
        join_pool (self, lane, 2, 'w', job->worker_id);
    }
}

static void
leave_pools (job_queue_t *self, lane_t *lane)
{
    for (size_t i = 0; i < POOLS_OF_A_LANE; i++) {
        leave_pool (self, lane, i);
    }
}

static void
first_changed (lane_t *lane)
{
    for (size_t i = 0; i < POOLS_OF_A_LANE; i++) {
        if (lane->pools [i]) {
            heap_moved (&lane->pools [i]->lanes, lane);
        }
    }
}

static lane_t *
lane_for (job_queue_t *self, const job_t *job)
{
    const job_type_t *type = job_type_find (job->type);
    const job_step_t *step = type ? job_type_step (type, job->step) : NULL;
    char capability [JOB_CAPABILITY_SIZE], key [KEY_SIZE];

    job_capability (capability, job->type, step ? step->name : NULL);
    pool_key (key, capability, 'w', job->worker_id);
    lane_t *lane = zhashx_lookup (self->lanes, key);
    if (!lane) {
        lane = calloc (1, sizeof *lane);
        assert (lane && "some hundred bytes for a lane");
        memcpy (lane->key, key, sizeof key);
        memcpy (lane->capability, capability, sizeof capability);
        lane->kind = step ? step->kind : NULL;
        lane->jobs = HEAP (job_before, queued_t, place);
        zhashx_insert (self->lanes, key, lane);
    }
    return lane;
}

void
job_queue_put (job_queue_t *self, queued_t *item)
{
    assert (!item->lane && "it waits once");
    lane_t *lane = lane_for (self, item->job);

    heap_push (&lane->jobs, item);
    item->lane = lane;
    self->size++;
    if (lane->jobs.count == 1) {
        join_pools (self, lane);
    } else if (heap_first (&lane->jobs) == item) {
        first_changed (lane);
    }
}

void
job_queue_take (job_queue_t *self, queued_t *item)
{
    lane_t *lane = item->lane;

    if (!lane) {
        return;
    }
    item->lane = NULL;
    self->size--;
    if (lane->jobs.count == 1) {
        leave_pools (self, lane);
        heap_remove (&lane->jobs, item);
        zhashx_delete (self->lanes, lane->key);
        return;
    }
    bool was_first = heap_first (&lane->jobs) == item;
    heap_remove (&lane->jobs, item);
    if (was_first) {
        first_changed (lane);
    }
}

queued_t *
job_queue_first (const job_queue_t *self, const char *capability, char pool, const char *name)
{
    char key [KEY_SIZE];

    pool_key (key, capability, pool, name);
    const pool_t *found = zhashx_lookup (self->pools, key);
    const lane_t *lane = found ? heap_first (&found->lanes) : NULL;
    return lane ? heap_first (&lane->jobs) : NULL;
}

void
job_queue_share (job_queue_t *self)
{
    for (lane_t *lane = zhashx_first (self->lanes); lane; lane = zhashx_next (self->lanes)) {
        if (lane->kind) {
            leave_pools (self, lane);
            join_pools (self, lane);
        }
    }
}

size_t
job_queue_size (const job_queue_t *self)
{
    return self->size;
}
