// job_tell.c - see job_tell.h.
//
// SPDX-License-Identifier: MIT

#include "job_tell.h"

#include <string.h>

static void
write_identity (json_writer_t *json, const job_t *job)
{
    json_member_text (json, "worker_id", *job->worker_id ? job->worker_id : NULL);
    json_member_text (json, "job_type", job->type);
    json_member_integer (json, "priority", job->priority);
    json_member_text (json, "workflow_id", job->workflow_id);
}

static void
write_change (json_writer_t *json, const job_t *job, const job_change_t *change)
{
    write_identity (json, job);
    json_member_text (json, "old_status", job_status_name (change->old_status));
    json_member_text (json, "new_status", job_status_name (job->status));
    json_member_text (json, "runner_id", job->runner_id);
    json_member_integer (json, "attempts", job->attempts);
}

static void
write_progress (json_writer_t *json, const job_t *job, time_us_t wall)
{
    json_member_number (json, "progress", job->progress);
    json_member_text (json, "step", job->step);
    json_member_text (json, "message", job->message);
    json_member_time (json, "updated_at", wall);
}

static void
write_update (json_writer_t *json, const job_t *job, const job_change_t *change, time_us_t wall)
{
    json_member_text (json, "step", job->step);
    json_member_number (json, "progress", job->progress);
    json_member_time (json, "started_at", job->started_at);
    json_member_text (json, "reason", change->reason);
    json_member_time (json, "updated_at", wall);
}

static void
write_completion (json_writer_t *json, const job_t *job)
{
    json_member_number (json, "progress", job->progress);
    json_member_raw (json, "result", job->result, job->result ? strlen (job->result) : 0);
    json_member_time (json, "completed_at", job->completed_at);
}

static void
write_failure (json_writer_t *json, const job_t *job)
{
    json_member_text (json, "error", job->error);
    json_member_text (json, "error_code", job->error_code);
    json_member_time (json, "failed_at", job->failed_at);
}

static void
write_cancellation (json_writer_t *json, const job_t *job)
{
    json_member_text (json, "error", job->error);
    json_member_text (json, "cancelled_by", job->cancelled_by);
    json_member_time (json, "cancelled_at", job->cancelled_at);
}

static void
write_assignment (json_writer_t *json, const job_t *job)
{
    json_member_text (json, "step", job->step);
    json_member_time (json, "assigned_at", job->assigned_at);
}

void
job_tell (feed_t *feed, const job_t *job, const job_change_t *change, time_us_t wall)
{
    json_writer_t *json = feed_begin_job (feed, change->event, job);

    if (change->event == EVENT_JOB_SUBMITTED) {
        job_write (json, job);
    } else if (change->event == EVENT_JOB_PROGRESS) {
        write_identity (json, job);
        write_progress (json, job, wall);
    } else {
        write_change (json, job, change);
    }
    switch (change->event) {
    case EVENT_JOB_ASSIGNED: write_assignment (json, job); break;
    case EVENT_JOB_STATUS_UPDATED: write_update (json, job, change, wall); break;
    case EVENT_JOB_COMPLETED: write_completion (json, job); break;
    case EVENT_JOB_FAILED: write_failure (json, job); break;
    case EVENT_JOB_CANCELLED: write_cancellation (json, job); break;
    default: break;
    }
    feed_end (feed);
}
