// jobs_life.c - what happens to a job between being asked for and its end; see jobs.h.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "jobs_state.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static time_us_t
least (time_us_t a, time_us_t b)
{
    return a < b ? a : b;
}

static void
set_due (jobs_t *self, job_entry_t *entry)
{
    entry->due = least (entry->expires, least (entry->wakes, entry->tells));
    if (entry->due == INT64_MAX) {
        heap_remove (&self->deadlines, entry);
    } else if (heap_has (&self->deadlines, entry)) {
        heap_moved (&self->deadlines, entry);
    } else {
        heap_push (&self->deadlines, entry);
    }
}

static void
forget_untold (job_entry_t *entry)
{
    entry->is_untold = false;
    job_set_text (&entry->next_step, NULL);
    job_set_text (&entry->next_message, NULL);
}

//  The deadlines of a status, counted from since.
static void
set_deadlines (jobs_t *self, job_entry_t *entry, time_us_t since)
{
    const job_t *job = &entry->job;

    entry->waits_since = job->status == JOB_PENDING ? since : entry->waits_since;
    entry->wakes = entry->tells = INT64_MAX;
    entry->expires = job->status == JOB_PENDING
                         ? since + self->rules->job_pending_minutes * MINUTE_US
                     : job_status_is_active (job->status) ? since + job->timeout_seconds * SECOND_US
                                                          : INT64_MAX;
    set_due (self, entry);
}

//  Of a job that was there before: what of its time has gone by is counted by the wall, never less
//  than none. Since when one waits that was taken before is not known: it has all its time again.
void
jobs_begin (jobs_t *self, job_entry_t *entry, moment_t now)
{
    const job_t *job = &entry->job;
    bool waits = job->status == JOB_PENDING, was_taken = job->assigned_at != TIME_UNKNOWN;
    time_us_t began = !was_taken ? job->created_at
                      : waits    ? now.wall
                                 : job->assigned_at,
              gone = now.wall - began;

    set_deadlines (self, entry, now.steady - (gone > 0 ? gone : 0));
    if (waits) {
        job_queue_put (self->queue, &entry->queued);
    }
}

static void
tell (jobs_t *self, job_entry_t *entry, const job_change_t *change)
{
    self->listener.changed (self->listener.argument, &entry->job, change);
}

//  J3. The deadline of an attempt goes on from assigned to in_progress.
static void
move (jobs_t *self, job_entry_t *entry, job_status_t to, moment_t now)
{
    job_t *job = &entry->job;
    assert (job_status_may_follow (job->status, to) && "J3");
    bool is_attempt = job->status == JOB_ASSIGNED && to == JOB_IN_PROGRESS;

    self->counts [job->status]--;
    self->counts [to]++;
    job->status = to;
    job_queue_take (self->queue, &entry->queued);
    forget_untold (entry);
    if (!is_attempt) {
        set_deadlines (self, entry, now.steady);
    }
}

static void
finish (jobs_t *self, job_entry_t *entry, job_status_t to, event_type_t event, moment_t now)
{
    job_change_t change = {
        .event = event, .old_status = entry->job.status, .runner_id = entry->job.runner_id};

    entry->job.end_order = ++self->order;
    self->payload_bytes -= job_payload_bytes (&entry->job);
    move (self, entry, to, now);
    tell (self, entry, &change);
    jobs_keep_ended (self, entry);
}

void
jobs_assign (jobs_t *self, const job_t *job, const char *runner_id, moment_t now)
{
    job_entry_t *entry = job_entry (job);
    job_t *own = &entry->job;

    move (self, entry, JOB_ASSIGNED, now);
    own->attempt++;
    own->attempts++;
    own->assigned_at = now.wall;
    job_set_text (&own->runner_id, runner_id);
    tell (self, entry, &(job_change_t){.event = EVENT_JOB_ASSIGNED, .old_status = JOB_PENDING});
}

void
jobs_start (jobs_t *self, const job_t *job, moment_t now)
{
    job_entry_t *entry = job_entry (job);

    move (self, entry, JOB_IN_PROGRESS, now);
    entry->returned = 0;
    entry->job.started_at =
        entry->job.started_at == TIME_UNKNOWN ? now.wall : entry->job.started_at;
    tell (self, entry,
          &(job_change_t){.event = EVENT_JOB_STATUS_UPDATED,
                          .old_status = JOB_ASSIGNED,
                          .reason = "started",
                          .runner_id = entry->job.runner_id});
}

static void
tell_progress (jobs_t *self, job_entry_t *entry, moment_t now)
{
    job_t *job = &entry->job;

    job->progress = isnan (entry->next_progress) ? job->progress : entry->next_progress;
    if (entry->next_step) {
        job_set_text (&job->step, entry->next_step);
    }
    if (entry->next_message) {
        job_set_text (&job->message, entry->next_message);
    }
    forget_untold (entry);
    entry->tells = now.steady + self->rules->job_progress_ms * MS_US;
    set_due (self, entry);
    tell (self, entry,
          &(job_change_t){
              .event = EVENT_JOB_PROGRESS, .old_status = job->status, .runner_id = job->runner_id});
}

//  J6. tells is set as long as it is too early for the next word.
void
jobs_progress (jobs_t *self, const job_t *job, double progress, const char *step,
               const char *message, moment_t now)
{
    job_entry_t *entry = job_entry (job);

    assert (job->status == JOB_IN_PROGRESS && "who reports has it");
    if (!entry->is_untold) {
        entry->next_progress = UNKNOWN;
    }
    entry->next_progress = isnan (progress) ? entry->next_progress : progress;
    if (step) {
        job_set_text (&entry->next_step, step);
    }
    if (message) {
        job_set_text (&entry->next_message, message);
    }
    entry->is_untold = true;
    if (entry->tells == INT64_MAX || entry->tells <= now.steady) {
        tell_progress (self, entry, now);
    }
}

//  --- what the steps have brought: {"<step>":result, …, "skipped":["<step>", …]}

static struct json_object *
read_gathered (const job_t *job)
{
    struct json_object *tree = NULL;

    if (!job->gathered || json_parse (&tree, job->gathered, strlen (job->gathered),
                                      strlen (job->gathered), NULL) < 0) {
        tree = json_object_new_object ();
    }
    return tree;
}

static void
write_gathered (job_t *job, struct json_object *tree)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_put_tree (&json, tree);
    if (!buffer_failed (&text) && text.size <= JOB_PAYLOAD_MAX) {
        job_set_text (&job->gathered, text.data);
    }
}

static void
gather (job_t *job, const char *result)
{
    _cleanup_ (json_destroy) struct json_object *tree = read_gathered (job);
    struct json_object *brought = NULL;

    if (job->step && result &&
        json_parse (&brought, result, strlen (result), strlen (result), NULL) == 0) {
        json_object_object_add (tree, job->step, brought);
        write_gathered (job, tree);
    }
}

static void
note_skipped (job_t *job, const job_step_t *from, const job_step_t *to)
{
    _cleanup_ (json_destroy) struct json_object *tree = read_gathered (job);
    struct json_object *list = json_get_array (tree, "skipped");

    if (!from->kind || from == to) {
        return;
    }
    if (!list) {
        list = json_object_new_array ();
        json_object_object_add (tree, "skipped", list);
    }
    for (const job_step_t *step = from; step->kind && step != to; step++) {
        json_object_array_add (list, json_object_new_string (step->name));
    }
    write_gathered (job, tree);
}

void
jobs_step_done (jobs_t *self, const job_t *job, const char *result, const job_step_t *next,
                moment_t now)
{
    job_entry_t *entry = job_entry (job);
    job_t *own = &entry->job;
    const job_type_t *type = job_type_find (job->type);
    const job_step_t *step = job_type_step (type, job->step);
    bool waited = job->status == JOB_PENDING;

    gather (own, result);
    note_skipped (own, step + !waited, next);
    if (!next) {
        jobs_complete (self, job, own->gathered, now);
        return;
    }
    job_change_t change = {
        .event = EVENT_JOB_STATUS_UPDATED, .old_status = own->status, .reason = "next_step"};
    _cleanup_ (string_destroy) char *runner = take_ptr (own->runner_id);
    change.runner_id = runner;
    if (waited) {
        job_queue_take (self->queue, &entry->queued);
        set_deadlines (self, entry, now.steady);  //  it may have rested
    } else {
        move (self, entry, JOB_PENDING, now);
    }
    entry->returned = 0;
    own->progress = next->from;
    own->attempts = 0;
    job_set_text (&own->step, next->name);
    job_queue_put (self->queue, &entry->queued);
    tell (self, entry, &change);
}

void
jobs_complete (jobs_t *self, const job_t *job, const char *result, moment_t now)
{
    job_entry_t *entry = job_entry (job);
    job_t *own = &entry->job;

    if (result != own->result) {
        job_set_text (&own->result, result);
    }
    own->progress = 100;
    own->completed_at = now.wall;
    finish (self, entry, JOB_COMPLETED, EVENT_JOB_COMPLETED, now);
}

void
jobs_fail (jobs_t *self, const job_t *job, const char *code, const char *message, moment_t now)
{
    job_entry_t *entry = job_entry (job);
    job_t *own = &entry->job;

    job_set_text (&own->error_code, code);
    job_set_text (&own->error, message);
    own->failed_at = now.wall;
    finish (self, entry, JOB_FAILED, EVENT_JOB_FAILED, now);
}

static const struct {
    const char *code, *sentence;
} WHY [] = {{"timeout", "it took longer than timeout_seconds, each time"},
            {"runner_lost", "its runner was lost, each time"},
            {"not_received", "no runner took what it was given"}};

static const char *
sentence_of (const char *code)
{
    for (size_t i = 0; i < sizeof WHY / sizeof *WHY; i++) {
        if (strcmp (WHY [i].code, code) == 0) {
            return WHY [i].sentence;
        }
    }
    return code;
}

//  J8. Its delay when it is given back once more.
static time_us_t
rest_of (const job_entry_t *entry, time_us_t delay_us)
{
    unsigned more = entry->returned > JOB_RETURNS_QUICK ? entry->returned - JOB_RETURNS_QUICK : 0;

    return delay_us << (more < JOB_REST_DOUBLED_MOST ? more : JOB_REST_DOUBLED_MOST);
}

//  J4, J8.
void
jobs_release (jobs_t *self, const job_t *job, job_release_t how, const char *reason,
              time_us_t delay_us, moment_t now)
{
    job_entry_t *entry = job_entry (job);
    job_t *own = &entry->job;

    if (how == JOB_LOST && own->attempts >= JOB_ATTEMPTS_MAX) {
        jobs_fail (self, job, reason, sentence_of (reason), now);
        return;
    }
    job_change_t change = {
        .event = EVENT_JOB_STATUS_UPDATED, .old_status = own->status, .reason = reason};
    _cleanup_ (string_destroy) char *runner = take_ptr (own->runner_id);
    change.runner_id = runner;
    bool unbegun = how == JOB_GIVEN_BACK && own->status == JOB_ASSIGNED;
    time_us_t since = entry->waits_since;
    move (self, entry, JOB_PENDING, now);
    if (unbegun) {
        entry->returned++;
        set_deadlines (self, entry, since);
    }
    own->attempts -= how == JOB_GIVEN_BACK;
    if (delay_us > 0) {
        entry->wakes = now.steady + rest_of (entry, delay_us);
        set_due (self, entry);
    } else {
        job_queue_put (self->queue, &entry->queued);
    }
    tell (self, entry, &change);
}

void
jobs_cancel (jobs_t *self, const job_t *job, const char *by, const char *reason, moment_t now)
{
    job_entry_t *entry = job_entry (job);
    job_t *own = &entry->job;

    job_set_text (&own->cancelled_by, by);
    job_set_text (&own->error, reason);
    own->cancelled_at = now.wall;
    finish (self, entry, JOB_CANCELLED, EVENT_JOB_CANCELLED, now);
}

void
jobs_doubt (jobs_t *self, const job_t *job, time_us_t lost_at)
{
    job_entry_t *entry = job_entry (job);
    time_us_t wakes = lost_at == TIME_UNKNOWN ? INT64_MAX : least (entry->wakes, lost_at);

    assert (job_status_is_active (job->status));
    if (wakes != entry->wakes) {
        entry->wakes = wakes;
        set_due (self, entry);
    }
}

time_us_t
jobs_due_at (const jobs_t *self)
{
    const job_entry_t *first = heap_first (&self->deadlines);

    return first ? first->due : INT64_MAX;
}

static void
expire (jobs_t *self, job_entry_t *entry, moment_t now)
{
    if (entry->job.status == JOB_PENDING) {
        jobs_fail (self, &entry->job, "no_runner", "nobody took it in time", now);
    } else {
        jobs_release (self, &entry->job, JOB_LOST, "timeout", 0, now);
    }
}

//  It waits for its time to be taken, or its runner has not named it for too long.
static void
wake (jobs_t *self, job_entry_t *entry, moment_t now)
{
    job_status_t status = entry->job.status;

    entry->wakes = INT64_MAX;
    set_due (self, entry);
    if (status == JOB_PENDING) {
        job_queue_put (self->queue, &entry->queued);
    } else {
        jobs_release (self, &entry->job, JOB_LOST,
                      status == JOB_ASSIGNED ? "not_received" : "runner_lost", 0, now);
    }
}

void
jobs_do_due (jobs_t *self, moment_t now)
{
    job_entry_t *entry;

    while ((entry = heap_first (&self->deadlines)) && entry->due <= now.steady) {
        if (entry->expires <= now.steady) {
            expire (self, entry, now);
        } else if (entry->wakes <= now.steady) {
            wake (self, entry, now);
        } else if (entry->is_untold) {
            tell_progress (self, entry, now);
        } else {
            entry->tells = INT64_MAX;
            set_due (self, entry);
        }
    }
}
