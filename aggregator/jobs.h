// jobs.h - work that was asked for and is not done yet.
//
// So far one kind of request: `worker.pause` for a worker that is idle, when auto-pause is on.
// A request is told (job.submitted), counted, held until it is withdrawn (job.cancelled), and at
// most one of a kind is open for a worker. Nothing runs it here: runners take jobs over control.
//
// J1 a worker has at most one open job of a type
// J2 at most jobs_max are open; more are refused and counted
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOBS_H
#define AGGREGATOR_JOBS_H

#include "feed.h"

typedef struct jobs jobs_t;

//  store (null: none) is borrowed: what is open in it is open again.
jobs_t *jobs_new (loop_t *loop, feed_t *feed, store_t *store, int64_t jobs_max, metrics_t *metrics,
                  reason_t *why);
void jobs_destroy (jobs_t **self_p);

//  Asks for a job of this type (a static text). True when it is new; false when such a job is
//  open already (J1) or there are too many (J2). reason stands in its payload.
bool jobs_submit (jobs_t *self, const char *type, const worker_t *worker, const char *reason,
                  const char *by);

//  Withdraws it; false when none is open.
bool jobs_cancel (jobs_t *self, const char *type, const worker_t *worker, const char *reason);

//  Such a job is open.
bool jobs_has (const jobs_t *self, const char *type, const worker_t *worker);

size_t jobs_pending (const jobs_t *self);

//  An array of all open jobs, each as the data of its job.submitted.
void jobs_write (jobs_t *self, json_writer_t *json);

#endif
