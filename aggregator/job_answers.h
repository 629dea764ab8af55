// job_answers.h - what may be asked of jobs over control: submit, job, jobs, cancel; runner, report.
//
// Reads a question, has the broker do it, and leaves the answer with the outbox. The operations and
// their JSON are in common/README.md.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOB_ANSWERS_H
#define AGGREGATOR_JOB_ANSWERS_H

#include "broker.h"

void job_answers_submit (broker_t *broker, bus_request_t *request);
void job_answers_job (broker_t *broker, bus_request_t *request);
void job_answers_jobs (broker_t *broker, bus_request_t *request);
void job_answers_cancel (broker_t *broker, bus_request_t *request);

//  runner_answers.c
void job_answers_runner (broker_t *broker, bus_request_t *request);
void job_answers_report (broker_t *broker, bus_request_t *request);

#endif
