// job.c - see job.h.
//
// SPDX-License-Identifier: MIT

#include "job.h"

#include "cleanup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEPT "kept"  //  of a row: what the record does not say

#define COUNT_MOST INT64_C (1000000000000)  //  of jobs, and of one's assignments

static const char *const NAMES [JOB_STATUS_COUNT] = {"pending",   "assigned", "in_progress",
                                                     "completed", "failed",   "cancelled"};

#define BIT(status) (1u << (status))

//  What may follow. Back to pending: its runner is lost, took too long, gave it back, or is done
//  with one of its steps.
static const unsigned FOLLOWS [JOB_STATUS_COUNT] = {
    [JOB_PENDING] =
        BIT (JOB_ASSIGNED) | BIT (JOB_COMPLETED) | BIT (JOB_FAILED) | BIT (JOB_CANCELLED),
    [JOB_ASSIGNED] =
        BIT (JOB_PENDING) | BIT (JOB_IN_PROGRESS) | BIT (JOB_FAILED) | BIT (JOB_CANCELLED),
    [JOB_IN_PROGRESS] =
        BIT (JOB_PENDING) | BIT (JOB_COMPLETED) | BIT (JOB_FAILED) | BIT (JOB_CANCELLED),
};

const char *
job_status_name (job_status_t status)
{
    return status >= 0 && status < JOB_STATUS_COUNT ? NAMES [status] : NULL;
}

job_status_t
job_status_parse (const char *name)
{
    int status = 0;

    while (status < JOB_STATUS_COUNT && !(name && strcmp (NAMES [status], name) == 0)) {
        status++;
    }
    return (job_status_t) status;
}

bool
job_status_is_over (job_status_t status)
{
    return FOLLOWS [status] == 0;
}

bool
job_status_is_active (job_status_t status)
{
    return status == JOB_ASSIGNED || status == JOB_IN_PROGRESS;
}

bool
job_status_may_follow (job_status_t from, job_status_t to)
{
    return FOLLOWS [from] & BIT (to);
}

bool
job_type_is_valid (const char *type)
{
    size_t size = strlen (type);

    return size > 0 && size < JOB_TYPE_SIZE &&
           strspn (type, "abcdefghijklmnopqrstuvwxyz0123456789._-") == size;
}

void
job_init (job_t *self)
{
    *self = (job_t){.priority = JOB_PRIORITY_DEFAULT,
                    .created_at = TIME_UNKNOWN,
                    .assigned_at = TIME_UNKNOWN,
                    .started_at = TIME_UNKNOWN,
                    .completed_at = TIME_UNKNOWN,
                    .failed_at = TIME_UNKNOWN,
                    .cancelled_at = TIME_UNKNOWN};
}

//  The texts that are owned, by the name they have in the record. Those after the payload and the
//  result are plain.
#define TEXTS(TEXT)     \
    TEXT (workflow_id)  \
    TEXT (client_key)   \
    TEXT (submitted_by) \
    TEXT (step)         \
    TEXT (message)      \
    TEXT (error)        \
    TEXT (error_code)   \
    TEXT (cancelled_by) \
    TEXT (runner_id)
#define TREES(TREE) \
    TREE (payload)  \
    TREE (result)
#define TIMES(TIME)     \
    TIME (created_at)   \
    TIME (assigned_at)  \
    TIME (started_at)   \
    TIME (completed_at) \
    TIME (failed_at)    \
    TIME (cancelled_at)

void
job_clear (job_t *self)
{
#define FREE(name) free (self->name);
    TEXTS (FREE)
    TREES (FREE)
#undef FREE
    free (self->gathered);
    job_init (self);
}

void
job_set_text (char **place, const char *text)
{
    char *copy = text ? strdup (text) : NULL;

    free (*place);
    *place = copy;
}

time_us_t
job_ended_at (const job_t *self)
{
    switch (self->status) {
    case JOB_COMPLETED: return self->completed_at;
    case JOB_FAILED: return self->failed_at;
    case JOB_CANCELLED: return self->cancelled_at;
    default: return TIME_UNKNOWN;
    }
}

static const char *
or_null (const char *text)
{
    return *text ? text : NULL;
}

static void
write_object (json_writer_t *json, const char *key, const char *text)
{
    json_member_raw (json, key, text, text ? strlen (text) : 0);
}

//  The order of the table of schemas.
void
job_write (json_writer_t *json, const job_t *self)
{
    json_member_text (json, "id", self->id);
    json_member_text (json, "job_type", self->type);
    json_member_text (json, "status", NAMES [self->status]);
    json_member_integer (json, "priority", self->priority);
    json_member_text (json, "worker_id", or_null (self->worker_id));
    json_member_text (json, "workflow_id", self->workflow_id);
    json_member_text (json, "client_key", self->client_key);
    write_object (json, "payload", self->payload ? self->payload : "{}");
    json_member_number (json, "progress", self->progress);
    json_member_text (json, "step", self->step);
    json_member_text (json, "message", self->message);
#define WRITE_TIME(name) json_member_time (json, #name, self->name);
    TIMES (WRITE_TIME)
#undef WRITE_TIME
    json_member_text (json, "error", self->error);
    json_member_text (json, "error_code", self->error_code);
    write_object (json, "result", self->result);
    json_member_text (json, "submitted_by", self->submitted_by);
    json_member_text (json, "cancelled_by", self->cancelled_by);
    json_member_integer (json, "attempts", self->attempts);
    json_member_text (json, "runner_id", self->runner_id);
    json_member_integer (json, "timeout_seconds", self->timeout_seconds);
}

void
job_save (buffer_t *out, const job_t *self)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    job_write (&json, self);
    json_key (&json, KEPT);
    json_open_object (&json);
    json_member_text (&json, "region", self->region);
    json_member_text (&json, "instance_id", self->instance_id);
    json_member_integer (&json, "attempt", self->attempt);
    json_member_integer (&json, "order", self->order);
    json_member_integer (&json, "end_order", self->end_order);
    write_object (&json, "gathered", self->gathered);
    json_close_object (&json);
    json_close_object (&json);
}

static bool
read_text (char *out, size_t size, struct json_object *row, const char *key)
{
    const char *text = json_get_text (row, key);

    return (size_t) snprintf (out, size, "%s", text ? text : "") < size;
}

static void
read_tree (char **place, struct json_object *row, const char *key)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);
    struct json_object *tree = json_get_object (row, key);

    if (tree) {
        json_put_tree (&json, tree);
        job_set_text (place, text.data);
    }
}

//  What no program can have written is as if it were not there.
static void
read_number (int64_t *place, struct json_object *from, const char *key, int64_t least, int64_t most)
{
    int64_t number;

    if (json_get_integer (from, key, &number) && number >= least && number <= most) {
        *place = number;
    }
}

//  Members that an older program did not write are unknown.
static void
read_rest (job_t *self, struct json_object *row)
{
    struct json_object *kept = json_get_object (row, KEPT);
    int64_t priority = self->priority;

#define READ_TEXT(name) job_set_text (&self->name, json_get_text (row, #name));
#define READ_TREE(name) read_tree (&self->name, row, #name);
#define READ_TIME(name) (void) json_get_time (row, #name, &self->name);
    TEXTS (READ_TEXT)
    TREES (READ_TREE)
    TIMES (READ_TIME)
#undef READ_TEXT
#undef READ_TREE
#undef READ_TIME
    read_number (&priority, row, "priority", JOB_PRIORITY_LEAST, JOB_PRIORITY_MOST);
    self->priority = (int) priority;
    (void) json_get_number (row, "progress", &self->progress);
    read_number (&self->attempts, row, "attempts", 0, COUNT_MOST);
    read_number (&self->timeout_seconds, row, "timeout_seconds", 1, JOB_TIMEOUT_MOST);
    self->attempt = self->attempts;
    read_number (&self->attempt, kept, "attempt", 0, COUNT_MOST);
    read_number (&self->order, kept, "order", 0, COUNT_MOST);
    read_number (&self->end_order, kept, "end_order", 0, COUNT_MOST);
    read_tree (&self->gathered, kept, "gathered");
}

int
job_restore (job_t *self, struct json_object *row, reason_t *why)
{
    struct json_object *kept = json_get_object (row, KEPT);

    job_init (self);
    self->status = job_status_parse (json_get_text (row, "status"));
    if (!read_text (self->id, sizeof self->id, row, "id") || !*self->id ||
        !read_text (self->type, sizeof self->type, row, "job_type") ||
        !job_type_is_valid (self->type) ||
        !read_text (self->worker_id, sizeof self->worker_id, row, "worker_id") ||
        !read_text (self->region, sizeof self->region, kept, "region") ||
        !read_text (self->instance_id, sizeof self->instance_id, kept, "instance_id") ||
        strchr (self->worker_id, '|') ||
        strchr (self->region, '|') ||  //  of headers, where it parts
        self->status == JOB_STATUS_COUNT) {
        return reason_set (why, -EINVAL, "not the row of a job");
    }
    read_rest (self, row);
    if (self->created_at == TIME_UNKNOWN ||
        (job_status_is_over (self->status) && job_ended_at (self) == TIME_UNKNOWN)) {
        job_clear (self);
        return reason_set (why, -EINVAL, "a job that was never asked for, or ended at no time");
    }
    return 0;
}
