// job_metrics.h - jobs and runners in numbers, for Prometheus.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOB_METRICS_H
#define AGGREGATOR_JOB_METRICS_H

#include "../common/loop.h"
#include "../common/metrics.h"
#include "jobs.h"
#include "runners.h"

typedef struct job_metrics job_metrics_t;

//  jobs and runners are borrowed.
job_metrics_t *job_metrics_new (metrics_t *metrics, loop_t *loop, const jobs_t *jobs,
                                const runners_t *runners);
void job_metrics_destroy (job_metrics_t **self_p);

void job_metrics_count (job_metrics_t *self, const job_t *job, const job_change_t *change);
void job_metrics_refused (job_metrics_t *self, job_verdict_t verdict);
void job_metrics_stale_report (job_metrics_t *self);
void job_metrics_runner_refused (job_metrics_t *self);

#endif
