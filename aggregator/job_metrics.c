// job_metrics.c - see job_metrics.h. The types of others are as many as they like: beyond the
// registry's bound they count as `other`.
//
// SPDX-License-Identifier: MIT

#include "job_metrics.h"

#include <assert.h>
#include <stdlib.h>

struct job_metrics {
    metrics_t *metrics;
    loop_t *loop;
    const jobs_t *jobs;
    const runners_t *runners;
    metric_t *open [JOB_STATUS_COUNT];
    metric_t *oldest, *count, *stale, *runners_refused;
};

static const char *const REFUSED [JOB_VERDICT_COUNT] = {[JOB_IS_OPEN] = "open",
                                                        [JOB_NOT_RUNNING] = "not_running",
                                                        [JOB_TOO_SOON] = "too_soon",
                                                        [JOB_TOO_MANY] = "jobs_max",
                                                        [JOB_TOO_LARGE] = "jobs_bytes_max"};

static void
on_collect (void *argument)
{
    job_metrics_t *self = argument;
    time_us_t oldest = TIME_UNKNOWN, now = loop_now (self->loop).wall;

    for (int status = 0; status <= JOB_IN_PROGRESS; status++) {
        metric_set (self->open [status], (double) jobs_count (self->jobs, (job_status_t) status));
    }
    for (const job_t *job = jobs_newest (self->jobs); job; job = jobs_older (job)) {
        oldest = job->status == JOB_PENDING ? job->created_at : oldest;
    }
    metric_set (self->oldest,
                oldest == TIME_UNKNOWN ? 0 : (double) (now - oldest) / (double) SECOND_US);
    metric_set (self->count, (double) runners_count (self->runners));
}

job_metrics_t *
job_metrics_new (metrics_t *metrics, loop_t *loop, const jobs_t *jobs, const runners_t *runners)
{
    job_metrics_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    *self = (job_metrics_t){.metrics = metrics, .loop = loop, .jobs = jobs, .runners = runners};
    for (int status = 0; status <= JOB_IN_PROGRESS; status++) {
        self->open [status] =
            metrics_with (metrics, METRIC_GAUGE, "cmlwatch_jobs_open", "Jobs that are not over",
                          METRIC_LABELS ("status", job_status_name ((job_status_t) status)));
    }
    self->oldest = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_jobs_pending_age_seconds",
                                "Age of the oldest job that nobody has taken");
    self->count = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_job_runners",
                               "Runners that were heard lately");
    self->stale =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_job_reports_stale_total",
                     "Reports of a job by one who has it not, or not any more, which were ignored");
    self->runners_refused =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_job_runners_refused_total",
                     "Times a runner asked beyond runners_max");
    metrics_on_collect (metrics, on_collect, self);
    return self;
}

void
job_metrics_destroy (job_metrics_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

static void
observe (job_metrics_t *self, const char *name, const char *help, const job_t *job, time_us_t from,
         time_us_t to)
{
    if (from != TIME_UNKNOWN && to >= from) {
        metric_observe (metrics_with (self->metrics, METRIC_HISTOGRAM, name, help,
                                      METRIC_LABELS ("type", job->type)),
                        (double) (to - from) / (double) SECOND_US);
    }
}

void
job_metrics_count (job_metrics_t *self, const job_t *job, const job_change_t *change)
{
    time_us_t now = loop_now (self->loop).wall;

    if (change->event == EVENT_JOB_SUBMITTED) {
        metric_increment (metrics_with (self->metrics, METRIC_COUNTER,
                                        "cmlwatch_jobs_submitted_total", "Jobs asked for",
                                        METRIC_LABELS ("type", job->type)));
    } else if (change->event == EVENT_JOB_ASSIGNED && job->attempt == 1) {
        observe (self, "cmlwatch_job_queue_seconds", "From being asked for to the first runner",
                 job, job->created_at, now);
    } else if (change->event == EVENT_JOB_STATUS_UPDATED && job->status == JOB_PENDING) {
        metric_increment (metrics_with (
            self->metrics, METRIC_COUNTER, "cmlwatch_jobs_returned_total",
            "Times a job went back to those that wait", METRIC_LABELS ("reason", change->reason)));
    } else if (job_status_is_over (job->status)) {
        metric_increment (metrics_with (
            self->metrics, METRIC_COUNTER, "cmlwatch_jobs_ended_total", "Jobs that are over",
            METRIC_LABELS ("type", job->type, "outcome", job_status_name (job->status))));
        observe (self, "cmlwatch_job_run_seconds", "From its start to its end", job,
                 job->started_at, now);
    }
}

void
job_metrics_refused (job_metrics_t *self, job_verdict_t verdict)
{
    if (REFUSED [verdict]) {
        metric_increment (metrics_with (self->metrics, METRIC_COUNTER,
                                        "cmlwatch_jobs_refused_total", "Jobs not taken, by reason",
                                        METRIC_LABELS ("reason", REFUSED [verdict])));
    }
}

void
job_metrics_stale_report (job_metrics_t *self)
{
    metric_increment (self->stale);
}

void
job_metrics_runner_refused (job_metrics_t *self)
{
    metric_increment (self->runners_refused);
}
