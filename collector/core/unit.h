// unit.h - the units of the lease: what there is to read, each with its memory and due time.
//
// A unit lives from its first lease until it has left the lease and its round, if one is
// under way, and jobs that hold it have ended; so a round always has a unit, and a unit that comes back after a
// moment's absence begins anew. At most one round is under way for a unit: it is in it.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_UNIT_H
#define COLLECTOR_CORE_UNIT_H

#include "collector.h"
#include "lease.h"
#include "schedule.h"

#define ROUND_MAGIC 0x2007d001u

struct collector_round {
    unsigned magic;
    collector_t *core;
    struct unit *unit;
    leased_worker_t *worker;  //  held; null for a region
    time_us_t began;          //  steady
    time_us_t began_wall;
    tracing_scope_t scope;  //  not set when nothing is traced
    char code [65];         //  of a failure, as explained
    char message [512];
};

typedef struct unit {
    schedule_item_t item;
    char *key;  //  "<region>/<instance id>", or a region and, if it has a name, its account
    char *region;
    char *account;            //  "" for the only one, and for a worker
    leased_worker_t *worker;  //  held; as leased now
    void *memory;             //  the source's
    bool leased;
    size_t jobs;      //  that hold it
    uint64_t rounds;  //  that have ended
    struct collector_round round;
} unit_t;

typedef struct unit_table unit_table_t;

//  source, settings and schedule are borrowed; state is what the source's init gave.
unit_table_t *unit_table_new (const collector_source_t *source, void *state,
                              const collector_settings_t *settings, schedule_t *schedule);
//  Calls the source's unit_clear for all and gives their memory back only with the table.
void unit_table_clear (unit_table_t *self);
void unit_table_destroy (unit_table_t **self_p);

//  Makes the units those of the list: adds, drops, and gives workers their new facts.
void unit_table_update (unit_table_t *self, const lease_list_t *list, time_us_t now);

//  The source's unit_forget for all.
void unit_table_forget (unit_table_t *self);

//  The unit's round has ended: the unit goes when it is no longer leased, else its interval
//  is asked again.
void unit_table_release (unit_table_t *self, unit_t *unit, time_us_t now);

//  A job is about the unit of this worker (or, where regions are read, of this region and
//  account), and keeps it. Null when it is not leased.
unit_t *unit_table_hold (unit_table_t *self, const char *subject, const char *region,
                         const char *account);
void unit_table_let_go (unit_table_t *self, unit_t *unit);

unit_t *unit_table_find (unit_table_t *self, const char *key);
//  Makes the unit of this key due, and all of this region when regions are read.
void unit_table_make_due (unit_table_t *self, const char *key, time_us_t now);
size_t unit_table_count (const unit_table_t *self);
//  Those that have had no whole round yet.
size_t unit_table_unread (unit_table_t *self);

//  The unit that a schedule's item is part of.
unit_t *unit_of (schedule_item_t *item);

#endif
