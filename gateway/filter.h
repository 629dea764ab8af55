// filter.h - what a client wants of the stream: its query, checked and compiled once.
//
// Filled in by filter_set, then shared and never changed again. Clients whose filters have the
// same key want the same, and are served together (audience.h).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_FILTER_H
#define GATEWAY_FILTER_H

#include "frame.h"
#include "names.h"
#include "replica.h"
#include "view.h"

#include <stdbool.h>

typedef struct filter {
    unsigned references;
    size_t names_max;  //  of each list
    bool types [EVENT_TYPE_COUNT];
    bool all_types;
    name_set_t regions, workers, job_types;  //  empty: all are wanted
    int priority_least, priority_most;       //  of jobs
    time_us_t snapshot_period;  //  of a worker, a job's progress; 0: each is told at once
    time_us_t metrics_period;   //  metrics are told in batches; 0: one by one
    bool batches;               //  asked for: batch_ms, even if it is 0
    view_t *view;               //  what its owner may see at all; null: everything
    //  Of a monitor (monitor_form.h): whose snapshots are put into its events. Null: of a stream.
    replica_t *monitor;
} filter_t;

filter_t *filter_new (size_t names_max);
//  The owner's view is held; once, before anything is asked of the filter.
void filter_see (filter_t *self, view_t *view);
//  One that may be changed; null when memory is out.
filter_t *filter_copy (const filter_t *self);
filter_t *filter_hold (filter_t *self);
void filter_release (filter_t **self_p);

//  One parameter of the query. 0; -ENOENT for an unknown name, -EINVAL for a bad value; why
//  names it.
int filter_set (filter_t *self, const char *name, const char *value, reason_t *why);

//  As if the parameter had not been given; -ENOENT for an unknown name.
int filter_unset (filter_t *self, const char *name, reason_t *why);

//  No event is wanted, until types or topics are set.
void filter_want_nothing (filter_t *self);

//  Wanted, and the owner may see it.
bool filter_wants (const filter_t *self, const frame_t *frame);
bool filter_wants_type (const filter_t *self, event_type_t type);
bool filter_wants_worker (const filter_t *self, const char *region, const char *worker_id);

//  The owner may see what concerns this region and worker, wanted or not.
bool filter_shows (const filter_t *self, const char *region, const char *worker_id);
bool filter_is_limited (const filter_t *self);
bool filter_is_masked (const filter_t *self);

//  The frame as the owner may see it: itself, or its masked form, and that as a monitor gets it,
//  made once and kept with it. Null when memory is out.
frame_t *filter_form (const filter_t *self, frame_t *frame);

//  The same text for filters that want the same, in the form of a query.
void filter_write_key (const filter_t *self, buffer_t *out);

#endif
