// jobs_store.h - the rows of jobs in the store: one a job, by its id.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOBS_STORE_H
#define AGGREGATOR_JOBS_STORE_H

#include "../common/job.h"
#include "store.h"

//  store null: nothing is kept.
void jobs_store_put (store_t *store, const job_t *job);
void jobs_store_forget (store_t *store, const job_t *job);

//  All there are; the caller frees the array, whose jobs are its. A row that is no job's is left where
//  it is, and logged.
int jobs_store_load (store_t *store, job_t **jobs, size_t *count, reason_t *why);
//  One of them. False: it is not there.
bool jobs_store_get (store_t *store, const char *id, job_t *job);

#endif
