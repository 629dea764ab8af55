// SPDX-License-Identifier: MIT

#include "job.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
text_or_empty (struct json_object *json, const char *key)
{
    const char *text = json_get_text (json, key);
    return text ? text : "";
}

//  "<type>:<step>", or the type.
static const collector_capability_t *
find_capability (const collector_capability_t *capabilities, const char *type, const char *step)
{
    size_t size = strlen (type);

    for (const collector_capability_t *each = capabilities; each->name; each++) {
        const char *rest = each->name + (strncmp (each->name, type, size) == 0 ? size : 0);
        if (rest != each->name &&
            (step ? *rest == ':' && strcmp (rest + 1, step) == 0 : *rest == '\0')) {
            return each;
        }
    }
    return NULL;
}

static int
take_worker (collector_job_t *self)
{
    struct json_object *json = self->json;

    self->worker = (collector_worker_t){
        .worker_id = text_or_empty (json, "worker_id"),
        .region = text_or_empty (json, "region"),
        .instance_id = text_or_empty (json, "instance_id"),
        .account_id = text_or_empty (json, "account_id"),
        .name = "",
        .status = "",
        .public_ip = "",
        .private_ip = "",
        .detailed_monitoring = FLAG_UNKNOWN,
    };
    if (asprintf (&self->subject, "%s/%s", self->worker.region, self->worker.instance_id) < 0) {
        self->subject = NULL;
        return -ENOMEM;
    }
    self->worker.subject = self->subject;
    return *self->worker.region && *self->worker.instance_id ? 0 : -EINVAL;
}

collector_job_t *
job_new (job_runner_t *runner, struct json_object *assigned,
         const collector_capability_t *capabilities, time_us_t now, reason_t *why)
{
    const char *type = json_get_text (assigned, "job_type");
    _cleanup_ (job_destroy) collector_job_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = JOB_MAGIC;
    self->runner = runner;
    self->json = json_object_get (assigned);
    self->id = json_get_text (assigned, "job_id");
    self->step = json_get_text (assigned, "step");
    self->began = now;
    json_get_integer (assigned, "timeout_seconds", &self->timeout_seconds);
    self->capability = type ? find_capability (capabilities, type, self->step) : NULL;
    if (!self->id || !json_get_integer (assigned, "attempt", &self->attempt) ||
        take_worker (self) < 0) {
        reason_set (why, -EINVAL, "the job '%.40s' lacks job_id, attempt, region or instance_id",
                    self->id ? self->id : "");
        return NULL;
    }
    if (!self->capability) {
        reason_set (why, -ENOTSUP, "the job %.40s is of the type '%.64s'%s%.64s, which is not ours",
                    self->id, type ? type : "", self->step ? ":" : "",
                    self->step ? self->step : "");
        return NULL;
    }
    return take_ptr (self);
}

void
job_destroy (collector_job_t **self_p)
{
    collector_job_t *self = take_ptr (*self_p);

    if (self) {
        assert (!self->unit && "it was let go");
        json_object_put (self->result);
        json_object_put (self->json);
        free (self->subject);
        free (self);
    }
}

void
jobs_name (const collector_job_t *self, json_writer_t *json)
{
    json_open_array (json);
    for (const collector_job_t *job = self; job; job = job->next) {
        json_open_object (json);
        json_member_text (json, "job_id", job->id);
        json_member_integer (json, "attempt", job->attempt);
        json_close_object (json);
    }
    json_close_array (json);
}

//  --- what a source asks of it

const collector_worker_t *
collector_job_worker (const collector_job_t *self)
{
    return &self->worker;
}

time_us_t
collector_job_ends_by (const collector_job_t *self)
{
    return self->timeout_seconds > 0 ? self->began + self->timeout_seconds * SECOND_US : INT64_MAX;
}

void
collector_job_set_work (collector_job_t *self, void *work)
{
    self->work = work;
}

void *
collector_job_work (const collector_job_t *self)
{
    return self->work;
}

bool
collector_job_hold (collector_job_t *self, const char *account)
{
    const job_runner_parts_t *parts = job_runner_parts (self->runner);

    assert (!self->unit);
    self->unit = parts->units
                     ? unit_table_hold (parts->units, self->subject, self->worker.region, account)
                     : NULL;
    return self->unit != NULL;
}

void *
collector_job_unit (const collector_job_t *self)
{
    assert (self->unit);
    return self->unit->memory;
}

void
collector_job_by_round (collector_job_t *self)
{
    const job_runner_parts_t *parts = job_runner_parts (self->runner);

    if (!collector_job_hold (self, "")) {
        collector_job_fail (&self, "not_owned", "the worker is read by another collector");
        return;
    }
    self->round = JOB_ROUND_WANTED;
    parts->make_due (parts->argument, self->unit->key);
}

//  --- what is said of it

//  The three that may be said have the same members in the same order.
static void
say (const collector_job_t *self, event_type_t type, double progress, const char *message)
{
    const job_runner_parts_t *parts = job_runner_parts (self->runner);
    observation_t observation;
    job_progress_reported_t *out = &observation.job_progress_reported;

    observation_init (&observation, type);
    out->job_id = self->id;
    out->attempt = self->attempt;
    out->step = self->step;
    out->progress = progress;
    out->message = message;
    if (type == EVENT_JOB_COMPLETED_REPORTED) {
        out->result.tree = self->result;
    } else if (type == EVENT_JOB_FAILED_REPORTED) {
        out->error_code = self->code;
        out->error_message = self->message;
    }
    parts->publish (parts->argument, &observation, self->subject);
}

void
job_say_end (collector_job_t *self)
{
    say (self, self->end, self->end == EVENT_JOB_COMPLETED_REPORTED ? 100 : UNKNOWN, NULL);
}

void
collector_job_progress (collector_job_t *self, double percent, const char *message)
{
    assert (self->magic == JOB_MAGIC && !self->ended);
    say (self, EVENT_JOB_PROGRESS_REPORTED, percent, message);
}

void
collector_job_complete (collector_job_t **self_p, struct json_object *result)
{
    collector_job_t *self = take_ptr (*self_p);

    assert (self->magic == JOB_MAGIC && !self->ended && "J1");
    self->end = EVENT_JOB_COMPLETED_REPORTED;
    self->result = result;
    job_runner_note_end (self->runner, self);
}

void
collector_job_fail (collector_job_t **self_p, const char *code, const char *message)
{
    collector_job_t *self = take_ptr (*self_p);

    assert (self->magic == JOB_MAGIC && !self->ended && "J1");
    self->end = EVENT_JOB_FAILED_REPORTED;
    snprintf (self->code, sizeof self->code, "%s", code);
    snprintf (self->message, sizeof self->message, "%s", message);
    job_runner_note_end (self->runner, self);
}
