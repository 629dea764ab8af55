// jobs.c - see jobs.h.
//
// SPDX-License-Identifier: MIT

#include "jobs.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "../common/worker_id.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uuid/uuid.h>

#define KEY_SIZE         128
#define REASON_SIZE      64
#define PRIORITY_DEFAULT 5

typedef struct job {
    char id [UUID_STR_LEN], worker_id [WORKER_ID_SIZE];
    const char *type;
    char reason [REASON_SIZE], submitted_by [REASON_SIZE];
    time_us_t created_at;
} job_t;

struct jobs {
    loop_t *loop;
    feed_t *feed;
    store_t *store;
    int64_t jobs_max;
    zhashx_t *open;  //  job_t by worker and type (J1)
    metric_t *submitted, *refused, *pending;
};

static void
free_job (void **job_p)
{
    free (*job_p);
    *job_p = NULL;
}

static void
make_key (char key [KEY_SIZE], const char *type, const char *worker)
{
    snprintf (key, KEY_SIZE, "%s|%s", worker, type);
}

//  The types there are; null for another.
static const char *
known_type (const char *name)
{
    static const char *const TYPES [] = {"worker.pause"};

    for (size_t i = 0; name && i < sizeof TYPES / sizeof *TYPES; i++) {
        if (strcmp (TYPES [i], name) == 0) {
            return TYPES [i];
        }
    }
    return NULL;
}

static void
write_job (json_writer_t *json, const job_t *job, const char *status)
{
    json_member_text (json, "id", job->id);
    json_member_text (json, "job_type", job->type);
    json_member_text (json, "status", status);
    json_member_integer (json, "priority", PRIORITY_DEFAULT);
    json_key (json, "payload");
    json_open_object (json);
    json_member_text (json, "reason", job->reason);
    json_close_object (json);
    json_member_integer (json, "progress", 0);
    json_member_integer (json, "attempts", 0);
    json_member_time (json, "created_at", job->created_at);
    json_member_text (json, "submitted_by", job->submitted_by);
}

static void
write_open (json_writer_t *json, const job_t *job)
{
    json_open_object (json);
    json_member_text (json, "worker_id", job->worker_id);
    write_job (json, job, "pending");
    json_close_object (json);
}

static void
save (jobs_t *self, const job_t *job)
{
    buffer_t row = {0};
    json_writer_t json = json_writer (&row);

    if (self->store) {
        write_open (&json, job);
        store_put (self->store, STORE_JOBS, job->id, row.data, row.size);
        buffer_clear (&row);
    }
}

static void
copy_text (char *to, size_t size, struct json_object *from, const char *key)
{
    const char *text = json_get_text (from, key);

    snprintf (to, size, "%s", text ? text : "");
}

//  A row of a type that we do not know is left in the store for who does.
static void
restore_job (void *argument, const char *id, const void *bytes, size_t size)
{
    jobs_t *self = argument;
    _cleanup_ (json_destroy) struct json_object *row = NULL;
    reason_t why = {0};
    char key [KEY_SIZE];

    int rc = json_parse (&row, bytes, size, size, &why);
    const char *type = rc < 0 ? NULL : known_type (json_get_text (row, "job_type"));
    job_t *job = type ? calloc (1, sizeof *job) : NULL;
    if (!job) {
        log_warn ("a job of the store is left there", LOG_TEXT ("job", id),
                  LOG_TEXT ("reason", rc < 0 ? why.text : "its type is not known"));
        return;
    }
    job->type = type;
    copy_text (job->id, sizeof job->id, row, "id");
    copy_text (job->worker_id, sizeof job->worker_id, row, "worker_id");
    copy_text (job->reason, sizeof job->reason, json_get_object (row, "payload"), "reason");
    copy_text (job->submitted_by, sizeof job->submitted_by, row, "submitted_by");
    (void) json_get_time (row, "created_at", &job->created_at);
    make_key (key, type, job->worker_id);
    zhashx_update (self->open, key, job);
}

bool
jobs_has (const jobs_t *self, const char *type, const worker_t *worker)
{
    char key [KEY_SIZE];

    make_key (key, type, worker_id (worker));
    return zhashx_lookup (self->open, key) != NULL;
}

bool
jobs_submit (jobs_t *self, const char *type, const worker_t *worker, const char *reason,
             const char *by)
{
    char key [KEY_SIZE];
    uuid_t id;

    make_key (key, type, worker_id (worker));
    if (zhashx_lookup (self->open, key)) {
        return false;
    }
    job_t *job =
        zhashx_size (self->open) < (size_t) self->jobs_max ? calloc (1, sizeof *job) : NULL;
    if (!job) {
        metric_increment (self->refused);
        return false;
    }
    uuid_generate (id);
    uuid_unparse_lower (id, job->id);
    job->type = type;
    snprintf (job->worker_id, sizeof job->worker_id, "%s", worker_id (worker));
    snprintf (job->reason, sizeof job->reason, "%s", reason);
    snprintf (job->submitted_by, sizeof job->submitted_by, "%s", by);
    job->created_at = loop_now (self->loop).wall;
    zhashx_insert (self->open, key, job);
    metric_increment (self->submitted);
    metric_set (self->pending, (double) zhashx_size (self->open));
    write_job (feed_begin_job (self->feed, EVENT_JOB_SUBMITTED, worker, type, PRIORITY_DEFAULT),
               job, "pending");
    feed_end (self->feed);
    save (self, job);
    return true;
}

bool
jobs_cancel (jobs_t *self, const char *type, const worker_t *worker, const char *reason)
{
    char key [KEY_SIZE];

    make_key (key, type, worker_id (worker));
    const job_t *job = zhashx_lookup (self->open, key);
    if (!job) {
        return false;
    }
    json_writer_t *json =
        feed_begin_job (self->feed, EVENT_JOB_CANCELLED, worker, type, PRIORITY_DEFAULT);
    write_job (json, job, "cancelled");
    json_member_text (json, "error", reason);
    feed_end (self->feed);
    if (self->store) {
        store_delete (self->store, STORE_JOBS, job->id);
    }
    zhashx_delete (self->open, key);
    metric_set (self->pending, (double) zhashx_size (self->open));
    return true;
}

size_t
jobs_pending (const jobs_t *self)
{
    return zhashx_size (self->open);
}

void
jobs_write (jobs_t *self, json_writer_t *json)
{
    json_open_array (json);
    for (const job_t *job = zhashx_first (self->open); job; job = zhashx_next (self->open)) {
        write_open (json, job);
    }
    json_close_array (json);
}

jobs_t *
jobs_new (loop_t *loop, feed_t *feed, store_t *store, int64_t jobs_max, metrics_t *metrics,
          reason_t *why)
{
    _cleanup_ (jobs_destroy) jobs_t *self = calloc (1, sizeof *self);

    if (!self || !(self->open = zhashx_new ())) {
        reason_set (why, -ENOMEM, "jobs: out of memory");
        return NULL;
    }
    self->loop = loop;
    self->feed = feed;
    self->store = store;
    self->jobs_max = jobs_max;
    zhashx_set_destructor (self->open, free_job);
    self->submitted =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_jobs_submitted_total", "Jobs asked for");
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_jobs_refused_total",
                                 "Jobs not taken because jobs_max was reached");
    self->pending = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_jobs_pending",
                                 "Jobs that nobody has taken yet");
    if (store && store_each (store, STORE_JOBS, "", restore_job, self, why) < 0) {
        return NULL;
    }
    metric_set (self->pending, (double) zhashx_size (self->open));
    return take_ptr (self);
}

void
jobs_destroy (jobs_t **self_p)
{
    assert (self_p);
    jobs_t *self = *self_p;

    if (self) {
        zhashx_destroy (&self->open);
        free (self);
        *self_p = NULL;
    }
}
