// image.c - see image.h.
//
// SPDX-License-Identifier: MIT

#include "image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static frame_t *
frame_of_stats (const replica_t *replica)
{
    static const feed_header_t NOBODYS;
    buffer_t event = {0};

    frame_write_envelope (&event, EVENT_SYSTEM_STATS);
    buffer_text (&event, replica_stats (replica));
    buffer_text (&event, "}");
    frame_t *frame = buffer_failed (&event)
                         ? NULL
                         : frame_of_state (&NOBODYS, EVENT_SYSTEM_STATS, event.data, event.size);
    buffer_clear (&event);
    return frame;
}

image_t *
image_new (replica_t *replica, const event_log_t *log, time_us_t now)
{
    size_t workers = replica_size (replica),
           jobs = replica_jobs_count (replica_jobs (replica), JOBS_OPEN);
    image_t *self = calloc (1, sizeof *self + (workers + jobs + 1) * sizeof (frame_t *));
    frame_t *stats = frame_of_stats (replica);

    if (!self || !stats) {
        free (self);
        frame_release (&stats);
        return NULL;
    }
    self->references = 1;
    self->seq = event_log_last (log);
    self->time = now;
    self->workers = workers;
    self->jobs = jobs;
    snprintf (self->epoch, sizeof self->epoch, "%s", event_log_epoch (log));
    for (const replica_worker_t *worker = replica_next (replica, ""); worker;
         worker = replica_next (replica, worker->worker_id)) {
        self->frames [self->count++] = frame_hold (worker->frame);
    }
    for (replica_job_t *job = replica_jobs_first (replica_jobs (replica), JOBS_OPEN); job;
         job = job->next) {
        frame_t *frame = replica_job_frame (job);
        if (!frame) {
            frame_release (&stats);
            image_release (&self);
            return NULL;
        }
        self->frames [self->count++] = frame_hold (frame);
    }
    self->frames [self->count++] = stats;
    return self;
}

void
image_count (const image_t *self, const filter_t *filter, size_t *workers, size_t *jobs)
{
    *workers = self->workers;
    *jobs = self->jobs;
    if (!filter_is_limited (filter)) {
        return;
    }
    *workers = *jobs = 0;
    for (size_t i = 0; i < self->count; i++) {
        const frame_t *frame = self->frames [i];
        bool shown = filter_shows (filter, frame->region, frame->worker_id);
        *workers += shown && frame->type == EVENT_WORKER_SNAPSHOT;
        *jobs += shown && frame->type == EVENT_JOB_SUBMITTED;
    }
}

image_t *
image_hold (image_t *self)
{
    self->references++;
    return self;
}

void
image_release (image_t **self_p)
{
    image_t *self = *self_p;

    if (self && --self->references == 0) {
        for (size_t i = 0; i < self->count; i++) {
            frame_release (&self->frames [i]);
        }
        free (self);
    }
    *self_p = NULL;
}
