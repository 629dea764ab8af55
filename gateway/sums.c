// sums.c - see sums.h.
//
// SPDX-License-Identifier: MIT

#include "sums.h"

#include <czmq.h>
#include <stdlib.h>

static void
destroy_count (void **count_p)
{
    free (*count_p);
    *count_p = NULL;
}

static void
count (zhashx_t *counts, const char *name)
{
    int64_t *number = zhashx_lookup (counts, name);

    if (!number && (number = calloc (1, sizeof *number))) {
        zhashx_insert (counts, name, number);
    }
    if (number) {
        ++*number;
    }
}

//  Names come from outside: they are escaped like any text.
static void
write_counts (json_writer_t *json, const char *key, zhashx_t *counts)
{
    json_key (json, key);
    json_open_object (json);
    for (int64_t *number = zhashx_first (counts); number; number = zhashx_next (counts)) {
        json_put_text (json, zhashx_cursor (counts));
        buffer_append (json->out, ":", 1);
        json->after_key = true;
        json_put_integer (json, *number);
    }
    json_close_object (json);
}

static void
write_jobs (json_writer_t *json, replica_t *replica, const view_t *view)
{
    int64_t counts [JOBS_GROUPS] = {0}, active = 0, total = 0;

    for (int group = 0; group < JOBS_GROUPS; group++) {
        for (const replica_job_t *job =
                 replica_jobs_first (replica_jobs (replica), (replica_group_t) group);
             job; job = job->next) {
            bool shown = view_shows (view, job->what.region, job->what.worker_id);
            counts [group] += shown;
            active += shown && job->is_active;
        }
        total += counts [group];
    }
    json_member_integer (json, "total_jobs", total);
    json_member_integer (json, "pending_jobs", counts [JOBS_OPEN] - active);
    json_member_integer (json, "active_jobs", active);
    json_member_integer (json, "completed_jobs", counts [JOBS_COMPLETED]);
    json_member_integer (json, "failed_jobs", counts [JOBS_FAILED]);
}

void
sums_write (replica_t *replica, const view_t *view, json_writer_t *json)
{
    zhashx_t *by_status = zhashx_new (), *by_region = zhashx_new ();
    int64_t workers = 0;

    zhashx_set_destructor (by_status, destroy_count);
    zhashx_set_destructor (by_region, destroy_count);
    for (const replica_worker_t *worker = replica_next (replica, ""); worker;
         worker = replica_next (replica, worker->worker_id)) {
        if (view_shows (view, worker->region, worker->worker_id)) {
            workers++;
            count (by_status, worker->status);
            count (by_region, worker->region);
        }
    }
    const int64_t *running = zhashx_lookup (by_status, "running");
    json_open_object (json);
    json_member_integer (json, "total_workers", workers);
    json_member_integer (json, "active_workers", running ? *running : 0);
    write_counts (json, "by_status", by_status);
    write_counts (json, "by_region", by_region);
    write_jobs (json, replica, view);
    json_close_object (json);
    zhashx_destroy (&by_status);
    zhashx_destroy (&by_region);
}
