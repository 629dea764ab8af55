// jobs.c - the set: what is asked for, found, and forgotten; see jobs.h. What happens to a job in
// between is jobs_life.c's.
//
// SPDX-License-Identifier: MIT

#include "jobs.h"

#include "../common/cleanup.h"
#include "jobs_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#define CLIENT_KEY_SIZE 320  //  of two texts of at most 128 bytes
#define KEY_SIZE        (JOB_TYPE_SIZE + WORKER_ID_SIZE + 1)

static void
free_entry (void **entry_p)
{
    job_entry_t *entry = *entry_p;

    job_clear (&entry->job);
    free (entry->next_step);
    free (entry->next_message);
    free (entry);
    *entry_p = NULL;
}

static bool
due_before (const void *a, const void *b)
{
    const job_entry_t *first = a, *second = b;

    return first->due < second->due;
}

jobs_t *
jobs_new (const jobs_rules_t *rules, const jobs_listener_t *listener)
{
    _cleanup_ (jobs_destroy) jobs_t *self = calloc (1, sizeof *self);

    if (!self || !(self->by_id = zhashx_new ()) || !(self->by_key = zhashx_new ()) ||
        !(self->built_in = zhashx_new ()) ||
        !(self->queue = job_queue_new (listener->owner, listener->argument))) {
        return NULL;
    }
    self->rules = rules;
    self->listener = *listener;
    self->deadlines = HEAP (due_before, job_entry_t, due_place);
    zhashx_set_destructor (self->by_id, free_entry);
    return take_ptr (self);
}

void
jobs_destroy (jobs_t **self_p)
{
    assert (self_p);
    jobs_t *self = *self_p;

    if (self) {
        job_queue_destroy (&self->queue);
        heap_clear (&self->deadlines);
        zhashx_destroy (&self->built_in);
        zhashx_destroy (&self->by_key);
        zhashx_destroy (&self->by_id);
        free (self);
        *self_p = NULL;
    }
}

static void
make_key (char key [KEY_SIZE], const char *type, const char *worker)
{
    snprintf (key, KEY_SIZE, "%s|%s", type, worker);
}

//  A key is its submitter's own: nobody learns of another's job by guessing it.
static void
make_client_key (char key [CLIENT_KEY_SIZE], const char *by, const char *client_key)
{
    snprintf (key, CLIENT_KEY_SIZE, "%s\n%s", by ? by : "", client_key);
}

static void
put_in (jobs_t *self, job_entry_t *entry)
{
    const job_t *job = &entry->job;
    char key [KEY_SIZE], client_key [CLIENT_KEY_SIZE];

    zhashx_insert (self->by_id, job->id, entry);
    if (job->client_key) {
        make_client_key (client_key, job->submitted_by, job->client_key);
        zhashx_update (self->by_key, client_key, entry);
    }
    if (job_type_find (job->type)) {
        make_key (key, job->type, job->worker_id);
        zhashx_update (self->built_in, key, entry);
    }
    entry->older = self->newest;
    *(self->newest ? &self->newest->newer : &self->oldest) = entry;
    self->newest = entry;
    entry->queued.job = job;
    self->counts [job->status]++;
    self->payload_bytes += job_status_is_over (job->status) ? 0 : job_payload_bytes (job);
}

//  --- what is over

static void
unlink_entry (jobs_t *self, job_entry_t *entry)
{
    job_recent_t *recent = &self->recent [entry->job.status - JOB_COMPLETED];

    *(entry->newer ? &entry->newer->older : &self->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &self->oldest) = entry->newer;
    *(entry->ended_previous ? &entry->ended_previous->ended_next : &self->ended_first) =
        entry->ended_next;
    *(entry->ended_next ? &entry->ended_next->ended_previous : &self->ended_last) =
        entry->ended_previous;
    for (size_t i = 0; entry->is_recent && i < JOBS_RECENT; i++) {
        if (recent->entries [i] == entry) {
            recent->entries [i] = NULL;
        }
    }
}

static void
forget (jobs_t *self, job_entry_t *entry)
{
    const job_t *job = &entry->job;
    char key [KEY_SIZE], client_key [CLIENT_KEY_SIZE];

    self->listener.forgotten (self->listener.argument, job);
    unlink_entry (self, entry);
    if (job->client_key) {
        make_client_key (client_key, job->submitted_by, job->client_key);
        if (zhashx_lookup (self->by_key, client_key) == entry) {
            zhashx_delete (self->by_key, client_key);
        }
    }
    make_key (key, job->type, job->worker_id);
    if (zhashx_lookup (self->built_in, key) == entry) {
        zhashx_delete (self->built_in, key);
    }
    self->counts [job->status]--;
    zhashx_delete (self->by_id, job->id);
}

//  Payload and result are in the store; without one the job goes.
static void
leave_state (jobs_t *self, job_entry_t *entry)
{
    if (self->rules->is_stored) {
        entry->is_recent = false;
        job_set_text (&entry->job.payload, NULL);
        job_set_text (&entry->job.result, NULL);
        job_set_text (&entry->job.gathered, NULL);
    } else {
        forget (self, entry);
    }
}

void
jobs_keep_ended (jobs_t *self, job_entry_t *entry)
{
    job_recent_t *recent = &self->recent [entry->job.status - JOB_COMPLETED];
    job_entry_t **place = &recent->entries [recent->next++ % JOBS_RECENT];

    if (*place) {
        leave_state (self, *place);
    }
    *place = entry;
    entry->is_recent = true;
    entry->ended_previous = self->ended_last;
    *(self->ended_last ? &self->ended_last->ended_next : &self->ended_first) = entry;
    self->ended_last = entry;
}

static size_t
count_ended (const jobs_t *self)
{
    return self->counts [JOB_COMPLETED] + self->counts [JOB_FAILED] + self->counts [JOB_CANCELLED];
}

void
jobs_trim (jobs_t *self, moment_t now)
{
    while (self->ended_first && (count_ended (self) > (size_t) self->rules->jobs_keep ||
                                 now.wall - job_ended_at (&self->ended_first->job) >
                                     self->rules->jobs_keep_hours * HOUR_US)) {
        forget (self, self->ended_first);
    }
}

//  --- those of a store

static int
compare (int64_t a, int64_t b)
{
    return a < b ? -1 : a > b;
}

//  A program before us gave no numbers: by their times then, which are older than any number.
static int
by_creation (const void *a, const void *b)
{
    const job_t *first = a, *second = b;
    int numbers = compare (first->order, second->order);

    return numbers ? numbers : compare (first->created_at, second->created_at);
}

static int
by_end (const void *a, const void *b)
{
    const job_entry_t *const *first = a, *const *second = b;

    return compare ((*first)->job.end_order, (*second)->job.end_order);
}

//  The count goes on from the largest.
static void
follow_count (jobs_t *self, const job_t *job)
{
    self->order = job->order > self->order ? job->order : self->order;
    self->order = job->end_order > self->order ? job->end_order : self->order;
}

void
jobs_restore (jobs_t *self, job_t *jobs, size_t count, moment_t now)
{
    job_entry_t **ended = count ? calloc (count, sizeof (job_entry_t *)) : NULL;
    size_t ended_count = 0;

    if (count == 0) {
        return;
    }
    assert (ended && "a pointer for each job of the store");
    if (count > 0) {  //  else there may be no array at all
        qsort (jobs, count, sizeof *jobs, by_creation);
    }
    for (size_t i = 0; i < count; i++) {
        follow_count (self, &jobs [i]);
    }
    for (size_t i = 0; i < count; i++) {
        job_entry_t *entry = calloc (1, sizeof *entry);
        assert (entry && "what fitted into memory before");
        entry->job = jobs [i];
        put_in (self, entry);
        if (job_status_is_over (entry->job.status)) {
            ended [ended_count++] = entry;
        } else {
            jobs_begin (self, entry, now);
        }
    }
    qsort (ended, ended_count, sizeof (job_entry_t *), by_end);
    for (size_t i = 0; i < ended_count; i++) {
        jobs_keep_ended (self, ended [i]);
    }
    free (ended);
}

//  --- asking for one

static job_entry_t *
last_of (const jobs_t *self, const char *type, const char *worker)
{
    char key [KEY_SIZE];

    make_key (key, type, worker);
    return zhashx_lookup (self->built_in, key);
}

int64_t
jobs_wait_seconds (const jobs_t *self, const job_order_t *order, moment_t now)
{
    const job_type_t *type = job_type_find (order->type);
    const job_entry_t *last =
        type && type->refreshes ? last_of (self, order->type, worker_id (order->worker)) : NULL;
    time_us_t since = last ? now.wall - last->job.created_at : 0,
              least = self->rules->refresh_min_seconds * SECOND_US;

    return last && since >= 0 && since < least ? (least - since + SECOND_US - 1) / SECOND_US : 0;
}

static job_verdict_t
judge (const jobs_t *self, const job_order_t *order, moment_t now, const job_t **job)
{
    const job_type_t *type = job_type_find (order->type);
    char key [CLIENT_KEY_SIZE];

    *job = NULL;
    if (order->client_key) {
        make_client_key (key, order->by, order->client_key);
        if ((*job = zhashx_lookup (self->by_key, key))) {
            return JOB_IS_KNOWN;
        }
    }
    if (type && (*job = jobs_open_of (self, order->type, worker_id (order->worker)))) {
        return JOB_IS_OPEN;
    }
    if (type && !job_gate_is_open (type->gate, order->worker)) {
        return JOB_NOT_RUNNING;
    }
    if (jobs_wait_seconds (self, order, now) > 0) {
        return JOB_TOO_SOON;
    }
    if (jobs_open (self) >= (size_t) self->rules->jobs_max) {
        return JOB_TOO_MANY;
    }
    return order->payload && self->payload_bytes + strlen (order->payload) >
                                 (size_t) self->rules->jobs_bytes_max
               ? JOB_TOO_LARGE
               : JOB_IS_NEW;
}

static void
set_worker (job_t *job, const worker_t *worker)
{
    if (worker) {
        snprintf (job->worker_id, sizeof job->worker_id, "%s", worker_id (worker));
        snprintf (job->region, sizeof job->region, "%s", worker_region (worker));
        snprintf (job->instance_id, sizeof job->instance_id, "%s", worker_instance_id (worker));
    }
}

static job_entry_t *
make (const job_order_t *order, time_us_t wall)
{
    const job_type_t *type = job_type_find (order->type);
    job_entry_t *entry = calloc (1, sizeof *entry);
    uuid_t id;

    assert (entry && "half a kilobyte for a job");
    job_t *job = &entry->job;
    job_init (job);
    uuid_generate (id);
    uuid_unparse_lower (id, job->id);
    snprintf (job->type, sizeof job->type, "%s", order->type);
    job->priority = order->priority != INTEGER_UNKNOWN ? (int) order->priority
                    : type                             ? type->priority
                                                       : JOB_PRIORITY_DEFAULT;
    job->timeout_seconds = order->timeout_seconds != INTEGER_UNKNOWN ? order->timeout_seconds
                           : type                                    ? type->timeout_seconds
                                                                     : JOB_FREE_TIMEOUT_SECONDS;
    set_worker (job, order->worker);
    job_set_text (&job->step, type ? type->steps [0].name : NULL);
    job_set_text (&job->client_key, order->client_key);
    job_set_text (&job->workflow_id, order->workflow_id);
    job_set_text (&job->payload, order->payload ? order->payload : "{}");
    job_set_text (&job->submitted_by, order->by);
    job->created_at = wall;
    return entry;
}

job_verdict_t
jobs_submit (jobs_t *self, const job_order_t *order, moment_t now, const job_t **job)
{
    assert ((order->worker || !job_type_find (order->type)) && "a built-in job is of a worker");
    job_verdict_t verdict = judge (self, order, now, job);

    if (verdict != JOB_IS_NEW) {
        return verdict;
    }
    job_entry_t *entry = make (order, now.wall);
    entry->job.order = ++self->order;
    put_in (self, entry);
    jobs_begin (self, entry, now);
    *job = &entry->job;
    self->listener.changed (
        self->listener.argument, *job,
        &(job_change_t){.event = EVENT_JOB_SUBMITTED, .old_status = JOB_PENDING});
    return JOB_IS_NEW;
}

//  --- looking

const job_t *
jobs_find (const jobs_t *self, const char *id)
{
    return zhashx_lookup (self->by_id, id);
}

const job_t *
jobs_open_of (const jobs_t *self, const char *type, const char *worker)
{
    const job_entry_t *entry = last_of (self, type, worker);

    return entry && !job_status_is_over (entry->job.status) ? &entry->job : NULL;
}

const job_t *
jobs_newest (const jobs_t *self)
{
    return self->newest ? &self->newest->job : NULL;
}

const job_t *
jobs_older (const job_t *job)
{
    const job_entry_t *older = job_entry (job)->older;

    return older ? &older->job : NULL;
}

bool
jobs_is_of_state (const job_t *job)
{
    return !job_status_is_over (job->status) || job_entry (job)->is_recent;
}

size_t
jobs_count (const jobs_t *self, job_status_t status)
{
    return self->counts [status];
}

size_t
jobs_open (const jobs_t *self)
{
    return self->counts [JOB_PENDING] + self->counts [JOB_ASSIGNED] +
           self->counts [JOB_IN_PROGRESS];
}

job_queue_t *
jobs_queue (jobs_t *self)
{
    return self->queue;
}
