// job_tell.h - what is told of a job's transitions: one event each (design.md section 7).
//
// Each event has all members of the record that it changes, so that who merges them into the record
// of job.submitted has the record as it stands. Pure but for the feed it writes to.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOB_TELL_H
#define AGGREGATOR_JOB_TELL_H

#include "feed.h"
#include "jobs.h"

void job_tell (feed_t *feed, const job_t *job, const job_change_t *change, time_us_t wall);

#endif
