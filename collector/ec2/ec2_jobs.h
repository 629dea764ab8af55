// ec2_jobs.h - what the collector of EC2 does when it is asked to, instance by instance.
//
//     refresh   DescribeInstances, DescribeInstanceStatus            -> instance.observed
//     pause     StopInstances     ─┐ then DescribeInstances, again and again, until it is
//     resume    StartInstances     ├ so                              -> instance.observed, each
//     monitor   MonitorInstances  ─┘
//
// An order is done when what it wants is seen, not when it is accepted; one whose wish is true
// already is accepted by AWS and done at the first look. Calls go the way of a round's: the keys of
// the instance's account, its pace, retries. The looks come job_look_ms apart at first, five times
// that in the end, further apart when many jobs look at once, and end with the job's time.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_EC2_JOBS_H
#define COLLECTOR_EC2_JOBS_H

#include "../aws/query_api.h"

typedef enum ec2_task {
    EC2_REFRESH,
    EC2_PAUSE,
    EC2_RESUME,
    EC2_MONITOR,
    EC2_TASK_COUNT
} ec2_task_t;

typedef struct ec2_jobs ec2_jobs_t;

//  core and api are borrowed. interval_ms: of the rounds. Null when memory is out.
ec2_jobs_t *ec2_jobs_new (collector_t *core, aws_api_t *api, int64_t interval_ms, int64_t look_ms);
void ec2_jobs_destroy (ec2_jobs_t **self_p);  //  ends no job

void ec2_jobs_start (ec2_jobs_t *self, collector_job_t *job, ec2_task_t task);
void ec2_jobs_stop (ec2_jobs_t *self, collector_job_t *job);

#endif
