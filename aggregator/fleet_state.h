// fleet_state.h - the inside of the fleet, for fleet*.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_FLEET_STATE_H
#define AGGREGATOR_FLEET_STATE_H

#include "../common/worker_id.h"
#include "collectors.h"
#include "fleet.h"

#include <czmq.h>

#define PAUSE_JOB      "worker.pause"
#define RESUME_JOB     "worker.resume"
#define NAME_BYTES_MAX 63  //  of a region and of an instance id

typedef struct names {
    char region [NAME_BYTES_MAX + 1], instance_id [NAME_BYTES_MAX + 1];
} names_t;

//  What is due at the turn's end, besides its row in the store.
typedef enum owed { OWED_NOTHING, OWED_STATE, OWED_SNAPSHOT } owed_t;

typedef struct entry {
    worker_t *worker;
    history_t *history;  //  null before the first sample
    owed_t owed;
    cause_t cause;     //  of what is owed
    bool touched;      //  stands in the list of the turn
    bool pause_asked;  //  for the idleness that it is in, because of which a pause was asked for
    time_us_t pause_asked_at;  //  steady; the last time
} entry_t;

struct fleet {
    loop_t *loop;
    feed_t *feed;
    broker_t *broker;
    store_t *store;  //  borrowed; null: none
    const fleet_settings_t *settings;
    zhashx_t *entries;    //  by worker id; owns them
    zhashx_t *instances;  //  by EC2 instance id; two regions do not share one
    entry_t **sorted;
    size_t sorted_count;
    bool sorted_stale;
    entry_t **touched;
    size_t touched_count, touched_size;
    uint64_t revision;
    loop_timer_t *deadlines, *stats;
    fleet_watch_fn *watch;
    void *watcher;
    buffer_t told_stats;
    collectors_t *collectors;
    time_us_t clock_ahead;  //  wall time less steady time, as it was last
    metric_t *refused, *set_back;
};

//  fleet.c: by worker id; by its names. A new one, null at workers_max.
entry_t *fleet_entry (fleet_t *self, const char *id);
entry_t *fleet_entry_of (fleet_t *self, const names_t *names);
entry_t *fleet_add (fleet_t *self, const names_t *names, time_us_t at, reason_t *why);
//  fleet_samples.c: its samples, those of the store included; null without memory.
history_t *fleet_samples (fleet_t *self, entry_t *entry);
//  It has changed: at the turn's end it is stored, and replicas are told of it (OWED_STATE) or
//  everybody is (OWED_SNAPSHOT, after a round).
void fleet_touch (fleet_t *self, entry_t *entry, owed_t owed);

//  fleet_pause.c: asks for a pause, or withdraws it, as its idleness is after the change.
void fleet_follow_idleness (fleet_t *self, entry_t *entry, const worker_change_t *change);

//  fleet_clock.c: what was seen after now was seen now.
void fleet_forget_future (fleet_t *self, time_us_t now);

//  fleet_apply.c: tells of a change, keeps samples, asks for or withdraws a pause.
void fleet_tell (fleet_t *self, entry_t *entry, const worker_change_t *change, bool round);

#endif
