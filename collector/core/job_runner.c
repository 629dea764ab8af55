// SPDX-License-Identifier: MIT

#include "job_runner.h"

#include "../../common/bus.h"
#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "job.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RUNNER_MAGIC    0x10b5c0deu
#define WAIT_MAX_MS     5000  //  what the aggregator waits at most
#define LEAVE_WITHIN_MS 500
#define PAUSE_MS        50  //  least time between two questions that brought nothing
#define SAY_AGAIN_US    (3 * SECOND_US)
#define JOBS_MAX        2000  //  in hand, with those that have ended

struct job_runner {
    unsigned magic;
    loop_t *loop;  //  borrowed
    job_runner_parts_t parts;
    bus_client_t *client;
    loop_timer_t *timer, *grace;
    collector_job_t *jobs;  //  a list, owned; the newest first
    size_t jobs_count;
    int64_t renew_ms;
    time_us_t asked;  //  steady; the question under way
    bool asking, leaving, gone, holding;
    bool away;  //  the last question was in vain, and that has been said
    metrics_t *metrics;
    metric_t *failures;
};

static void ask (void *argument);
static void give_back (void *argument);

const job_runner_parts_t *
job_runner_parts (const job_runner_t *self)
{
    return &self->parts;
}

job_runner_t *
job_runner_new (loop_t *loop, const job_runner_parts_t *parts, metrics_t *metrics, reason_t *why)
{
    _cleanup_ (job_runner_destroy) job_runner_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "job runner: out of memory");
        return NULL;
    }
    self->magic = RUNNER_MAGIC;
    self->loop = loop;
    self->parts = *parts;
    self->renew_ms = parts->renew_ms;
    self->metrics = metrics;
    self->failures =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_collector_runner_failures_total",
                     "questions for jobs that had no answer, or an unusable one");
    self->timer = loop_timer_new (loop, ask, self);
    self->grace = loop_timer_new (loop, give_back, self);
    if (!self->timer || !self->grace) {
        reason_set (why, -ENOMEM, "job runner: out of memory");
        return NULL;
    }
    self->client = bus_client_new (loop, parts->control, parts->keys, metrics, why);
    if (!self->client) {
        return NULL;
    }
    loop_timer_after (self->timer, 0);
    return take_ptr (self);
}

//  --- the jobs in hand

static collector_job_t *
find (job_runner_t *self, const char *id)
{
    collector_job_t *job = self->jobs;

    while (job && strcmp (job->id, id) != 0) {
        job = job->next;
    }
    return job;
}

size_t
job_runner_running (const job_runner_t *self)
{
    size_t count = 0;

    for (const collector_job_t *job = self->jobs; job; job = job->next) {
        count += !job->ended;
    }
    return count;
}

static void
count_end (job_runner_t *self, const collector_job_t *job, const char *outcome)
{
    const char *type = job->capability->name;
    time_us_t took = loop_now (self->loop).steady - job->began;

    metric_increment (metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_collector_jobs_total",
                                    "jobs that have ended here",
                                    METRIC_LABELS ("type", type, "outcome", outcome)));
    metric_observe (metrics_with (self->metrics, METRIC_HISTOGRAM, "cmlwatch_collector_job_seconds",
                                  "time a job took", METRIC_LABELS ("type", type)),
                    (double) took / (double) SECOND_US);
}

static void
let_unit_go (job_runner_t *self, collector_job_t *job)
{
    unit_t *unit = take_ptr (job->unit);

    job->round = JOB_ROUND_NONE;
    if (unit) {
        unit_table_let_go (self->parts.units, unit);
    }
}

void
job_runner_note_end (job_runner_t *self, collector_job_t *job)
{
    bool ok = job->end == EVENT_JOB_COMPLETED_REPORTED;

    job->ended = true;
    job->work = NULL;
    job->said = loop_now (self->loop).steady;
    job_say_end (job);
    count_end (self, job, ok ? "completed" : "failed");
    let_unit_go (self, job);
    log_info ("job ended", LOG_TEXT ("job", job->id), LOG_TEXT ("type", job->capability->name),
              LOG_TEXT ("worker", job->subject), LOG_TEXT ("code", ok ? "completed" : job->code),
              LOG_TEXT ("reason", ok ? "" : job->message));
    if (self->leaving && job_runner_running (self) == 0) {
        loop_timer_after (self->grace, 0);
    }
}

static void
stop_work (job_runner_t *self, collector_job_t *job)
{
    if (!job->ended && job->capability->stop) {
        job->capability->stop (self->parts.state, job);
    }
    job->work = NULL;
}

static void
drop (job_runner_t *self, collector_job_t *job)
{
    let_unit_go (self, job);
    if (job->previous) {
        job->previous->next = job->next;
    } else {
        self->jobs = job->next;
    }
    if (job->next) {
        job->next->previous = job->previous;
    }
    self->jobs_count--;
    job_destroy (&job);
}

//  J2. It was cancelled, is another's, or its end was heard.
static void
stop (job_runner_t *self, collector_job_t *job)
{
    if (!job->ended) {
        stop_work (self, job);
        count_end (self, job, "stopped");
        log_info ("job stopped", LOG_TEXT ("job", job->id),
                  LOG_TEXT ("type", job->capability->name), LOG_TEXT ("worker", job->subject));
    }
    drop (self, job);
}

//  What is under way goes to another.
static void
give_all_back (job_runner_t *self)
{
    for (collector_job_t *job = self->jobs; job; job = job->next) {
        if (!job->ended) {
            collector_job_t *ending = job;
            stop_work (self, job);
            collector_job_fail (&ending, "not_owned", "the collector that had it ends");
        }
    }
}

void
job_runner_destroy (job_runner_t **self_p)
{
    assert (self_p);

    job_runner_t *self = *self_p;
    if (self) {
        self->leaving = false;
        give_all_back (self);
        if (self->holding) {
            loop_release (self->loop);
        }
        bus_client_destroy (&self->client);
        loop_timer_destroy (&self->timer);
        loop_timer_destroy (&self->grace);
        while (self->jobs) {
            drop (self, self->jobs);
        }
        free (self);
        *self_p = NULL;
    }
}

//  --- rounds that jobs wait for

void
job_runner_round_begun (job_runner_t *self, const unit_t *unit)
{
    for (collector_job_t *job = self->jobs; job; job = job->next) {
        if (job->unit == unit && job->round == JOB_ROUND_WANTED) {
            job->round = JOB_ROUND_RUNS;
        }
    }
}

void
job_runner_round_ended (job_runner_t *self, const unit_t *unit, bool ok, const char *code,
                        const char *message)
{
    for (collector_job_t *job = self->jobs; job; job = job->next) {
        collector_job_t *ending = job;
        if (job->unit != unit || job->round != JOB_ROUND_RUNS) {
            continue;
        }
        if (ok) {
            collector_job_complete (&ending, NULL);
        } else {
            collector_job_fail (&ending, code, message);
        }
    }
}

bool
job_runner_wants_round (const job_runner_t *self, const unit_t *unit)
{
    const collector_job_t *job = self->jobs;

    while (job && !(job->unit == unit && job->round == JOB_ROUND_RUNS)) {
        job = job->next;
    }
    return job != NULL;
}

//  --- the question and its answer

static void
take_job (job_runner_t *self, struct json_object *assigned)
{
    const char *id = json_get_text (assigned, "job_id");
    collector_job_t *old = id ? find (self, id) : NULL;
    int64_t attempt = 0;
    reason_t why = {0};

    if (old && json_get_integer (assigned, "attempt", &attempt) && old->attempt == attempt &&
        !old->ended) {
        return;  //  we have it
    }
    if (old) {
        stop (self, old);
    }
    collector_job_t *job =
        self->jobs_count < JOBS_MAX
            ? job_new (self, assigned, self->parts.capabilities, loop_now (self->loop).steady, &why)
            : NULL;
    if (!job) {
        metric_increment (self->failures);
        log_warn ("a job is not taken",
                  LOG_TEXT ("reason", *why.text ? why.text : "too many are in hand"));
        return;
    }
    job->next = self->jobs;
    if (job->next) {
        job->next->previous = job;
    }
    self->jobs = job;
    self->jobs_count++;
    log_info ("job taken", LOG_TEXT ("job", job->id), LOG_TEXT ("type", job->capability->name),
              LOG_TEXT ("worker", job->subject), LOG_INTEGER ("attempt", job->attempt));
    if (self->leaving) {
        collector_job_fail (&job, "not_owned", "the collector that was given it ends");
        return;
    }
    job->capability->start (self->parts.state, job);
}

//  What the answer does not let go has perhaps not been heard.
static void
say_ends_again (job_runner_t *self)
{
    time_us_t now = loop_now (self->loop).steady;

    for (collector_job_t *job = self->jobs; job; job = job->next) {
        if (job->ended && now - job->said >= SAY_AGAIN_US) {
            job->said = now;
            job_say_end (job);
        }
    }
}

//  True when it brought something.
static bool
take_answer (job_runner_t *self, struct json_object *json)
{
    struct json_object *assigned = json_get_array (json, "assigned");
    struct json_object *stopped = json_get_array (json, "stop");
    size_t assigned_count = assigned ? json_object_array_length (assigned) : 0;
    size_t stop_count = stopped ? json_object_array_length (stopped) : 0;

    for (size_t i = 0; i < stop_count; i++) {
        struct json_object *id = json_object_array_get_idx (stopped, i);
        collector_job_t *job = json_object_is_type (id, json_type_string)
                                   ? find (self, json_object_get_string (id))
                                   : NULL;
        if (job) {
            stop (self, job);
        }
    }
    for (size_t i = 0; i < assigned_count; i++) {
        take_job (self, json_object_array_get_idx (assigned, i));
    }
    say_ends_again (self);
    return assigned_count > 0 || stop_count > 0;
}

//  Said once, not with each question; the metric counts them.
static void
note_failure (job_runner_t *self, const char *reason)
{
    metric_increment (self->failures);
    if (!self->away) {
        self->away = true;
        log_warn ("no jobs from the aggregator; those in hand go on",
                  LOG_TEXT ("control", self->parts.control), LOG_TEXT ("reason", reason));
    }
}

static void
let_go (job_runner_t *self)
{
    if (self->holding) {
        self->holding = false;
        loop_release (self->loop);
    }
}

static int64_t
wait_ms (const job_runner_t *self)
{
    return self->renew_ms < WAIT_MAX_MS ? self->renew_ms : WAIT_MAX_MS;
}

//  Beyond what it was asked to wait. With the pause before the next question (half of it) it is
//  less than the three times renew_ms after which we would be taken for lost.
static int64_t
patience_ms (const job_runner_t *self)
{
    return wait_ms (self) / 2;
}

static void
on_answer (void *argument, const bus_answer_t *answer)
{
    job_runner_t *self = argument;
    assert (self->magic == RUNNER_MAGIC);
    int64_t renew_ms;

    self->asking = false;
    if (self->gone) {
        return;
    }
    if (answer->code < 0) {
        note_failure (self, answer->error);
        loop_timer_after (self->timer, patience_ms (self) * MS_US / 2);
        return;
    }
    self->away = false;
    if (json_get_integer (answer->json, "renew_ms", &renew_ms) && renew_ms > 0) {
        self->renew_ms = renew_ms;
    }
    bool news = take_answer (self, answer->json);
    if (self->leaving) {
        loop_timer_after (self->timer, self->renew_ms * MS_US / 2);
        return;
    }
    time_us_t took = loop_now (self->loop).steady - self->asked;
    time_us_t pause = news ? 0 : PAUSE_MS * MS_US - took;
    loop_timer_after (self->timer, pause > 0 ? pause : 0);
}

static void
on_farewell (void *argument, const bus_answer_t *answer)
{
    job_runner_t *self = argument;
    assert (self->magic == RUNNER_MAGIC);
    (void) answer;

    let_go (self);
}

static void
write_question (const job_runner_t *self, buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_member_text (&json, "runner_id", self->parts.source);
    json_member_text (&json, "kind", self->parts.kind);
    json_key (&json, "job_types");
    json_open_array (&json);
    for (const collector_capability_t *each = self->parts.capabilities; each->name; each++) {
        json_put_text (&json, each->name);
    }
    json_close_array (&json);
    json_member_integer (&json, "concurrency", self->parts.concurrency);
    json_key (&json, "running");
    jobs_name (self->jobs, &json);
    json_member_integer (&json, "wait_ms", self->leaving ? 0 : wait_ms (self));
    json_member_bool (&json, "leaving", self->leaving);
    json_close_object (&json);
}

static void
ask (void *argument)
{
    job_runner_t *self = argument;
    assert (self->magic == RUNNER_MAGIC);
    _cleanup_ (buffer_clear) buffer_t question = {0};

    if (self->gone || (self->asking && !self->leaving)) {
        return;
    }
    write_question (self, &question);
    self->asked = loop_now (self->loop).steady;
    self->asking = !buffer_failed (&question) &&
                   bus_client_ask (self->client, "runner", question.data, question.size,
                                   wait_ms (self) + patience_ms (self), on_answer, self) == 0;
    if (!self->asking) {
        loop_timer_after (self->timer, patience_ms (self) * MS_US / 2);
    }
}

//  --- the end

//  What has not ended by itself goes to another; then good-bye.
static void
give_back (void *argument)
{
    job_runner_t *self = argument;
    assert (self->magic == RUNNER_MAGIC);
    _cleanup_ (buffer_clear) buffer_t question = {0};

    if (self->gone) {
        return;
    }
    self->gone = true;
    give_all_back (self);
    write_question (self, &question);
    if (buffer_failed (&question) ||
        bus_client_ask (self->client, "runner", question.data, question.size, LEAVE_WITHIN_MS,
                        on_farewell, self) < 0) {
        let_go (self);
    }
}

void
job_runner_leave (job_runner_t *self)
{
    if (self->leaving) {
        return;
    }
    bool is_busy = job_runner_running (self) > 0;
    self->leaving = true;
    self->holding = true;
    loop_hold (self->loop);
    loop_timer_after (self->grace, is_busy ? JOB_GRACE_MS * MS_US : 0);
    if (is_busy) {
        loop_timer_after (self->timer, 0);  //  at once, that nothing more is given to us
    } else {
        loop_timer_stop (self->timer);
    }
}
