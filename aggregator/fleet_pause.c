// fleet_pause.c - pauses and resumes of workers, by jobs: those that we ask for because a worker is
// idle, and what each job of anybody's means for its worker. See fleet.h.
//
// SPDX-License-Identifier: MIT

#include "fleet_state.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

//  The payload of a pause that we ask for, and of one that we only would.
#define AUTOMATIC "{\"reason\":\"idle_timeout\"}"
#define DRY_RUN   "{\"reason\":\"idle_timeout\",\"dry_run\":true}"
#define SYSTEM    "system"

static const job_t *
open_job (const fleet_t *self, const entry_t *entry, const char *type)
{
    return jobs_open_of (broker_jobs (self->broker), type, worker_id (entry->worker));
}

static bool
is_ours (const job_t *job, const char *payload)
{
    return job->payload && strcmp (job->payload, payload) == 0 && job->submitted_by &&
           strcmp (job->submitted_by, SYSTEM) == 0;
}

static job_verdict_t
ask_for_pause (fleet_t *self, const entry_t *entry, const char *payload, const char *client_key,
               const job_t **job)
{
    const job_order_t order = {.type = PAUSE_JOB,
                               .worker = entry->worker,
                               .payload = payload,
                               .client_key = client_key,
                               .by = SYSTEM,
                               .priority = INTEGER_UNKNOWN,
                               .timeout_seconds = INTEGER_UNKNOWN};

    return broker_submit (self->broker, &order, job);
}

//  Once for each time it is idle, also when we begin anew meanwhile: the key says which.
static void
say_would_pause (fleet_t *self, const entry_t *entry)
{
    idle_facts_t facts = worker_idle_facts (entry->worker);
    snapshot_t snapshot = worker_snapshot (entry->worker);
    char key [JOB_TEXT_MAX], since [CLOCK_TEXT_SIZE];
    buffer_t result = {0};
    json_writer_t json = json_writer (&result);
    const job_t *job;

    snprintf (key, sizeof key, "dry-run %s %s", snapshot.worker_id,
              clock_format (since, idle_since (&facts)));
    if (ask_for_pause (self, entry, DRY_RUN, key, &job) != JOB_IS_NEW) {
        return;
    }
    json_open_object (&json);
    json_member_text (&json, "would", "stop");
    json_member_number (&json, "hourly_cost", snapshot.hourly_cost);
    json_member_time (&json, "idle_since", idle_since (&facts));
    json_close_object (&json);
    jobs_complete (broker_jobs (self->broker), job, buffer_failed (&result) ? NULL : result.data,
                   broker_now (self->broker));
    buffer_clear (&result);
}

//  What we asked for stands as long as its reason does, or until somebody has begun with it.
static void
withdraw_pause (fleet_t *self, entry_t *entry)
{
    const job_t *job = open_job (self, entry, PAUSE_JOB);

    entry->pause_asked = false;
    if (job && job->status == JOB_PENDING && is_ours (job, AUTOMATIC)) {
        broker_cancel (self->broker, job, SYSTEM, "it is not idle any more");
    }
}

//  One that failed is not asked for again at each look.
static bool
may_ask (const fleet_t *self, const entry_t *entry)
{
    int64_t again_us = self->settings->rules.idle.again_minutes * MINUTE_US;

    return !entry->pause_asked || loop_now (self->loop).steady - entry->pause_asked_at >= again_us;
}

void
fleet_follow_idleness (fleet_t *self, entry_t *entry, const worker_change_t *change)
{
    const idle_rules_t *rules = &self->settings->rules.idle;
    idle_facts_t facts = worker_idle_facts (entry->worker);
    const job_t *job;

    if (change->pause_due && !worker_is_listed (entry->worker)) {  //  no EC2 could stop it
        if (!may_ask (self, entry)) {
            return;
        }
        entry->pause_asked = true;
        entry->pause_asked_at = loop_now (self->loop).steady;
        if (rules->auto_pause == AUTO_PAUSE_DRY_RUN) {
            say_would_pause (self, entry);
        } else {
            (void) ask_for_pause (self, entry, AUTOMATIC, NULL, &job);
        }
    } else if (entry->pause_asked && !idle_is_due (rules, &facts)) {
        withdraw_pause (self, entry);
    }
}

//  --- what a job means for its worker

static const char *
pause_reason (const job_t *job)
{
    return is_ours (job, AUTOMATIC) ? "idle_timeout" : "manual";
}

static const char *
resume_reason (const job_t *job)
{
    return job->submitted_by && strcmp (job->submitted_by, SYSTEM) == 0 ? "automatic" : "manual";
}

//  From its first assignment on a job may have stopped the worker, also one that was lost since.
static void
expect (entry_t *entry, const job_t *job)
{
    bool begun = job->attempt > 0 && !job_status_is_over (job->status);

    if (strcmp (job->type, PAUSE_JOB) == 0) {
        worker_expect (entry->worker, WORKER_ORDER_PAUSE, begun ? pause_reason (job) : NULL,
                       job->submitted_by);
    } else if (strcmp (job->type, RESUME_JOB) == 0) {
        worker_expect (entry->worker, WORKER_ORDER_RESUME, begun ? resume_reason (job) : NULL,
                       job->submitted_by);
    }
}

//  A stop that a listing has shown already was told then, with the same reason (W7).
static void
tell_done (fleet_t *self, entry_t *entry, const job_t *job)
{
    time_us_t now = loop_now (self->loop).wall;
    worker_change_t change = {.verdict = WORKER_NOT_SAID};

    if (strcmp (job->type, PAUSE_JOB) == 0 && !is_ours (job, DRY_RUN)) {
        change = worker_pause (entry->worker, pause_reason (job), job->submitted_by, now);
    } else if (strcmp (job->type, RESUME_JOB) == 0) {
        change = worker_resume (entry->worker, resume_reason (job), job->submitted_by, now);
    }
    fleet_tell (self, entry, &change, false);
}

void
fleet_follow_job (fleet_t *self, const worker_t *worker, const job_t *job)
{
    entry_t *entry = fleet_entry (self, worker_id (worker));

    if (job->status == JOB_COMPLETED) {
        tell_done (self, entry, job);
    }
    expect (entry, job);
}

void
fleet_note_jobs (fleet_t *self)
{
    for (entry_t *entry = zhashx_first (self->entries); entry;
         entry = zhashx_next (self->entries)) {
        const job_t *pause = open_job (self, entry, PAUSE_JOB),
                    *resume = open_job (self, entry, RESUME_JOB);
        entry->pause_asked = pause && is_ours (pause, AUTOMATIC);
        entry->pause_asked_at = loop_now (self->loop).steady;
        if (pause) {
            expect (entry, pause);
        }
        if (resume) {
            expect (entry, resume);
        }
    }
}
