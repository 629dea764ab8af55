// jobs_store.c - see jobs_store.h.
//
// SPDX-License-Identifier: MIT

#include "jobs_store.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "job_types.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

void
jobs_store_put (store_t *store, const job_t *job)
{
    _cleanup_ (buffer_clear) buffer_t row = {0};

    if (store) {
        job_save (&row, job);
        store_put (store, STORE_JOBS, job->id, row.data, row.size);
    }
}

void
jobs_store_forget (store_t *store, const job_t *job)
{
    if (store) {
        store_delete (store, STORE_JOBS, job->id);
    }
}

typedef struct rows {
    job_t *jobs;
    size_t count, size;
} rows_t;

static job_t *
add (rows_t *self)
{
    if (self->count == self->size) {
        size_t size = self->size ? self->size * 2 : 256;
        job_t *jobs = realloc (self->jobs, size * sizeof *jobs);
        assert (jobs && "half a kilobyte for each job of the store");
        self->jobs = jobs;
        self->size = size;
    }
    return &self->jobs [self->count];
}

//  What a program before us did not write is as it is for a new one; a step that there is not goes
//  back to the first.
static void
complete (job_t *job)
{
    const job_type_t *type = job_type_find (job->type);

    if (job->timeout_seconds <= 0) {
        job->timeout_seconds = type ? type->timeout_seconds : JOB_FREE_TIMEOUT_SECONDS;
    }
    if (type && !(job->step && job_type_step (type, job->step))) {
        job_set_text (&job->step, type->steps [0].name);
    }
    if (!job->submitted_by) {
        job_set_text (&job->submitted_by, "system");
    }
}

static bool
read_row (job_t *job, const char *id, const void *bytes, size_t size)
{
    _cleanup_ (json_destroy) struct json_object *row = NULL;
    reason_t why = {0};

    int rc = json_parse (&row, bytes, size, size, &why);
    rc = rc < 0 ? rc : job_restore (job, row, &why);
    if (rc == 0 && strcmp (job->id, id) != 0) {
        job_clear (job);
        rc = reason_set (&why, -EINVAL, "the row of another job");
    }
    if (rc < 0) {
        log_warn ("a job of the store is left there", LOG_TEXT ("job", id),
                  LOG_TEXT ("reason", why.text));
        return false;
    }
    complete (job);
    return true;
}

static void
take_row (void *argument, const char *id, const void *bytes, size_t size)
{
    rows_t *rows = argument;

    rows->count += read_row (add (rows), id, bytes, size);
}

int
jobs_store_load (store_t *store, job_t **jobs, size_t *count, reason_t *why)
{
    rows_t rows = {0};
    int rc = store ? store_each (store, STORE_JOBS, "", take_row, &rows, why) : 0;

    *jobs = rows.jobs;
    *count = rows.count;
    return rc;
}

bool
jobs_store_get (store_t *store, const char *id, job_t *job)
{
    rows_t rows = {0};
    reason_t why = {0};

    if (store_each (store, STORE_JOBS, id, take_row, &rows, &why) < 0 || rows.count != 1) {
        free (rows.jobs);
        return false;
    }
    *job = rows.jobs [0];
    free (rows.jobs);
    return true;
}
