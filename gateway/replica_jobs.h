// replica_jobs.h - a replica of the jobs: the open ones, and the last that ended, each as it stands.
//
// A record is the JSON that came, and every event of the job is merged into it: a member of the
// same name replaces, `new_status` is the status. Nothing is asked again, and no tree is made.
// How many are open is the aggregator's to bound; of those that completed, failed and were
// cancelled the last REPLICA_JOBS_KEPT are held each.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_REPLICA_JOBS_H
#define GATEWAY_REPLICA_JOBS_H

#include "frame.h"

#define REPLICA_JOBS_KEPT   100
#define REPLICA_JOB_ID_SIZE 37

typedef struct replica_jobs replica_jobs_t;

typedef enum replica_group {
    JOBS_OPEN,
    JOBS_COMPLETED,
    JOBS_FAILED,
    JOBS_CANCELLED
} replica_group_t;
#define JOBS_GROUPS 4

typedef struct replica_job {
    char id [REPLICA_JOB_ID_SIZE];
    feed_header_t what;  //  region, worker_id, job_type, priority
    replica_group_t group;
    bool is_placed;                //  in its group: its status is one that we know
    bool is_active;                //  open, and somebody's
    char since [CLOCK_TEXT_SIZE];  //  its begin while it is open, then its end
    buffer_t record;
    frame_t *frame;     //  the record as a full state tells it; null: not made since it changed
    uint64_t progress;  //  number of its last job.progress, if it is the last word of it; or 0
    struct replica_job *previous, *next;  //  in its group
} replica_job_t;

replica_jobs_t *replica_jobs_new (void);
void replica_jobs_destroy (replica_jobs_t **self_p);
void replica_jobs_clear (replica_jobs_t *self);

//  A record out of a state. what says the worker, its region, the type and the priority. Oldest
//  first costs least.
void replica_jobs_put (replica_jobs_t *self, const feed_header_t *what, const char *record,
                       size_t size);

//  The data of a job's event. The number of the job's progress that had been its last word until
//  now; 0: none was.
uint64_t replica_jobs_apply (replica_jobs_t *self, const feed_header_t *header, const char *data,
                             size_t size);

bool replica_jobs_is_event (event_type_t type);

//  Null when it is not held.
replica_job_t *replica_jobs_find (replica_jobs_t *self, const char *id);
size_t replica_jobs_count (const replica_jobs_t *self, replica_group_t group);
//  The oldest of a group, by its begin or end; job->next is the next.
replica_job_t *replica_jobs_first (const replica_jobs_t *self, replica_group_t group);

//  An open job's job.submitted with the record as it stands; borrowed. Null when memory is out.
frame_t *replica_job_frame (replica_job_t *job);

#endif
