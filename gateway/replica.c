// replica.c - see replica.h.
//
// SPDX-License-Identifier: MIT

#include "replica.h"

#include "../common/cleanup.h"
#include "../common/digest.h"
#include "../common/snapshot.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define REASON_TAIL ",\"_reason\":\"initial\"}}"

//  What a region's workers sum up to, as they are and masked.
typedef struct region {
    uint64_t digests [2];
} region_t;

struct replica {
    zhashx_t *workers;    //  by worker id; owns them
    zhashx_t *instances;  //  by EC2 instance id; of two with one id, either
    replica_jobs_t *jobs;
    struct json_object *coming;  //  jobs of the state that is being taken
    zhashx_t *regions;           //  digests by region
    uint64_t digests [2];        //  of all, as they are and masked
    const mask_t *mask;          //  null: nothing is masked
    bool taking;                 //  a state
    unsigned state;              //  counts the states taken
    replica_worker_t **sorted;
    size_t sorted_count;
    bool sorted_stale;
    char *stats;
};

static void
worker_destroy (void **self_p)
{
    replica_worker_t *self = *self_p;

    if (self) {
        frame_release (&self->frame);
        free (self);
        *self_p = NULL;
    }
}

static void
region_destroy (void **region_p)
{
    free (*region_p);
    *region_p = NULL;
}

replica_t *
replica_new (const mask_t *mask)
{
    replica_t *self = calloc (1, sizeof *self);

    if (self) {
        self->mask = mask && !mask_is_empty (mask) ? mask : NULL;
        self->workers = zhashx_new ();
        self->instances = zhashx_new ();
        self->jobs = replica_jobs_new ();
        self->regions = zhashx_new ();
        zhashx_set_destructor (self->regions, region_destroy);
        zhashx_set_destructor (self->workers, worker_destroy);
        if (!self->jobs) {
            replica_destroy (&self);
        }
    }
    return self;
}

void
replica_destroy (replica_t **self_p)
{
    assert (self_p);
    replica_t *self = *self_p;

    if (self) {
        replica_jobs_destroy (&self->jobs);
        json_destroy (&self->coming);
        zhashx_destroy (&self->regions);
        zhashx_destroy (&self->instances);
        zhashx_destroy (&self->workers);
        free (self->sorted);
        free (self->stats);
        free (self);
        *self_p = NULL;
    }
}

//  The value of a text member of our own writer's JSON, where no blanks stand and the texts asked
//  for are never escaped.
static void
copy_member (char *out, size_t size, const char *json, size_t json_size, const char *name)
{
    const char *at = memmem (json, json_size, name, strlen (name));
    size_t length = 0;

    if (at) {
        at += strlen (name);
        const char *end = memchr (at, '"', (size_t) (json + json_size - at));
        length = end ? (size_t) (end - at) : 0;
    }
    snprintf (out, size, "%.*s", (int) length, at ? at : "");
}

static void
set_digest (replica_t *self, replica_worker_t *worker, bool masked, uint64_t digest)
{
    region_t *region = zhashx_lookup (self->regions, worker->region);
    uint64_t change = digest - worker->digests [masked];

    if (!region && (region = calloc (1, sizeof *region))) {
        zhashx_insert (self->regions, worker->region, region);
    }
    if (region) {
        region->digests [masked] += change;
    }
    self->digests [masked] += change;
    worker->digests [masked] = digest;
}

//  Of what was told, in both forms.
static void
take_digests (replica_t *self, replica_worker_t *worker, const char *json, size_t size)
{
    buffer_t masked = {0};
    uint64_t digest = digest_of_snapshot (json, size);

    set_digest (self, worker, false, digest);
    if (self->mask) {
        bool any = mask_write (self->mask, json, size, &masked);
        set_digest (self, worker, true,
                    any && !buffer_failed (&masked) ? digest_of_snapshot (masked.data, masked.size)
                                                    : digest);
        buffer_clear (&masked);
    }
}

//  The frame of a full state: the snapshot as it came, with its reason behind it.
static int
set_frame (replica_worker_t *worker, const feed_header_t *header, const char *json, size_t size)
{
    buffer_t event = {0};

    frame_write_envelope (&event, EVENT_WORKER_SNAPSHOT);
    size_t head = event.size;
    snapshot_splice_reason (&event, json, size, "initial");  //  and REASON_TAIL behind it
    buffer_text (&event, "}");
    frame_t *frame = buffer_failed (&event)
                         ? NULL
                         : frame_of_state (header, EVENT_WORKER_SNAPSHOT, event.data, event.size);
    buffer_clear (&event);
    if (!frame) {
        return -ENOMEM;
    }
    frame_release (&worker->frame);
    frame->digest = worker->digests [false];
    frame->masked_digest = worker->digests [true];
    worker->frame = frame;
    worker->json_head = head;
    return 0;
}

static replica_worker_t *
add_worker (replica_t *self, const feed_header_t *header)
{
    replica_worker_t *worker = calloc (1, sizeof *worker);

    if (worker) {
        memcpy (worker->worker_id, header->worker_id, sizeof worker->worker_id);
        memcpy (worker->region, header->region, sizeof worker->region);
        zhashx_insert (self->workers, worker->worker_id, worker);
        self->sorted_stale = true;
    }
    return worker;
}

int
replica_put (replica_t *self, const feed_header_t *header, const char *json, size_t size)
{
    replica_worker_t *worker = zhashx_lookup (self->workers, header->worker_id);
    bool is_object = size >= 2 && json [0] == '{' && json [size - 1] == '}';

    if (!is_object || (worker && worker->state == self->state && header->seq < worker->seq)) {
        return 0;
    }
    if (!worker && !(worker = add_worker (self, header))) {
        return -ENOMEM;
    }
    //  A state message tells replicas alone; a state that is taken is where everybody begins.
    if (header->kind == FEED_EVENT || (self->taking && worker->state != self->state)) {
        take_digests (self, worker, json, size);
    }
    if (set_frame (worker, header, json, size) < 0) {
        return -ENOMEM;
    }
    if (header->kind == FEED_EVENT || worker->state != self->state) {
        worker->event = header->kind == FEED_EVENT ? header->seq : 0;
    }
    worker->seq = header->seq;
    worker->state = self->state;
    copy_member (worker->status, sizeof worker->status, json, size, "\"status\":\"");
    copy_member (worker->instance_id, sizeof worker->instance_id, json, size,
                 "\"aws_instance_id\":\"");
    (void) zhashx_insert (self->instances, worker->instance_id, worker);  //  not over another
    return 0;
}

//  Another worker with this instance id, in another region, takes the place.
static void
forget_instance (replica_t *self, const replica_worker_t *gone)
{
    if (zhashx_lookup (self->instances, gone->instance_id) != gone) {
        return;
    }
    zhashx_delete (self->instances, gone->instance_id);
    for (replica_worker_t *worker = zhashx_first (self->workers); worker;
         worker = zhashx_next (self->workers)) {
        if (worker != gone && strcmp (worker->instance_id, gone->instance_id) == 0) {
            zhashx_insert (self->instances, worker->instance_id, worker);
            return;
        }
    }
}

static void
drop (replica_t *self, replica_worker_t *worker)
{
    set_digest (self, worker, false, 0);
    set_digest (self, worker, true, 0);
    forget_instance (self, worker);
    zhashx_delete (self->workers, worker->worker_id);
}

void
replica_remove (replica_t *self, const feed_header_t *header)
{
    replica_worker_t *worker = zhashx_lookup (self->workers, header->worker_id);

    if (worker && header->seq >= worker->seq) {
        drop (self, worker);
        self->sorted_stale = true;
    }
}

void
replica_begin (replica_t *self)
{
    self->state++;
    self->taking = true;
    json_destroy (&self->coming);
}

void
replica_put_jobs (replica_t *self, struct json_object *jobs)
{
    json_destroy (&self->coming);
    self->coming = json_object_get (jobs);
}

//  A job's region is its worker's, and all workers are known by now.
static void
take_jobs (replica_t *self)
{
    replica_jobs_clear (self->jobs);
    for (size_t i = 0; self->coming && i < json_object_array_length (self->coming); i++) {
        struct json_object *job = json_object_array_get_idx (self->coming, i);
        const char *worker_id = json_get_text (job, "worker_id"),
                   *type = json_get_text (job, "job_type");
        feed_header_t what = {.type = EVENT_JOB_SUBMITTED};
        const replica_worker_t *worker =
            worker_id ? zhashx_lookup (self->workers, worker_id) : NULL;
        const char *record = json_object_to_json_string_ext (
            job, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        int64_t priority = 0;

        snprintf (what.worker_id, sizeof what.worker_id, "%s", worker_id ? worker_id : "");
        snprintf (what.job_type, sizeof what.job_type, "%s", type ? type : "");
        snprintf (what.region, sizeof what.region, "%s", worker ? worker->region : "");
        (void) json_get_integer (job, "priority", &priority);
        what.priority = (int) priority;
        replica_jobs_put (self->jobs, &what, record, strlen (record));
    }
    json_destroy (&self->coming);
}

void
replica_end (replica_t *self)
{
    zlistx_t *ids = zhashx_keys (self->workers);

    for (const char *id = zlistx_first (ids); id; id = zlistx_next (ids)) {
        replica_worker_t *worker = zhashx_lookup (self->workers, id);
        if (worker->state != self->state) {
            drop (self, worker);
        }
    }
    zlistx_destroy (&ids);
    take_jobs (self);
    self->sorted_stale = true;
    self->taking = false;
}

bool
replica_digest (const replica_t *self, bool masked, uint64_t *digest)
{
    *digest = self->digests [masked];
    return !self->taking;
}

uint64_t
replica_region_digest (const replica_t *self, bool masked, const char *region)
{
    const region_t *sums = zhashx_lookup (self->regions, region);

    return sums ? sums->digests [masked] : 0;
}

uint64_t
replica_worker_digest (const replica_worker_t *worker, bool masked)
{
    return worker->digests [masked];
}

size_t
replica_size (const replica_t *self)
{
    return zhashx_size (self->workers);
}

const replica_worker_t *
replica_find (replica_t *self, const char *id)
{
    const replica_worker_t *worker = zhashx_lookup (self->workers, id);

    return worker ? worker : zhashx_lookup (self->instances, id);
}

static int
by_id (const void *a, const void *b)
{
    const replica_worker_t *const *first = a, *const *second = b;
    return strcmp ((*first)->worker_id, (*second)->worker_id);
}

static void
sort (replica_t *self)
{
    size_t count = zhashx_size (self->workers), at = 0;
    replica_worker_t **sorted = realloc (self->sorted, (count + 1) * sizeof (replica_worker_t *));

    assert (sorted && "a pointer for each worker");
    for (replica_worker_t *worker = zhashx_first (self->workers); worker;
         worker = zhashx_next (self->workers)) {
        sorted [at++] = worker;
    }
    qsort (sorted, count, sizeof (replica_worker_t *), by_id);
    self->sorted = sorted;
    self->sorted_count = count;
    self->sorted_stale = false;
}

const replica_worker_t *
replica_next (replica_t *self, const char *after)
{
    if (self->sorted_stale) {
        sort (self);
    }
    size_t low = 0, high = self->sorted_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp (self->sorted [middle]->worker_id, after) <= 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < self->sorted_count ? self->sorted [low] : NULL;
}

void
replica_write_worker (const replica_worker_t *worker, const mask_t *mask, json_writer_t *out)
{
    const frame_t *frame = mask ? frame_masked (worker->frame, mask) : worker->frame;
    size_t head = frame ? frame->json_offset + worker->json_head : 0;

    if (!frame) {
        out->out->failed = true;
        return;
    }
    json_put_raw (out, frame->bytes + head, frame->size - head - strlen (REASON_TAIL "\n\n"));
    buffer_text (out->out, "}");
}

replica_jobs_t *
replica_jobs (replica_t *self)
{
    return self->jobs;
}

void
replica_set_stats (replica_t *self, const char *json, size_t size)
{
    free (self->stats);
    self->stats = strndup (json, size);
}

const char *
replica_stats (const replica_t *self)
{
    return self->stats ? self->stats : "{}";
}
