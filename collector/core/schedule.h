// schedule.h - when each unit's next round is due; pure: the caller gives moment and dice.
//
// A unit's first round comes soon after it was added (within FIRST_WITHIN_US), its second
// at a random phase of its interval, and from then on one each interval: units that were
// added together do not beat together. A round that is started late keeps the phase. A
// unit that is due while its round is under way is counted as overdue and skipped, so
// nothing piles up; so are the rounds for which there was no room (running_max).
//
// A binary heap by due time over all units, running or not; a unit knows its place in it.
//
// Invariants: (1) heap order; (2) unit->place is its index; (3) running <= running_max.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_SCHEDULE_H
#define COLLECTOR_CORE_SCHEDULE_H

#include "../../common/clock.h"
#include "retry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_FIRST_WITHIN_US (1 * SECOND_US)
#define SCHEDULE_NEVER           INT64_MAX

typedef struct schedule schedule_t;

typedef struct schedule_item {  //  embedded in what is scheduled; the schedule's to change
    time_us_t due;              //  steady
    time_us_t interval_us;
    size_t place;
    bool running, begun, again;
} schedule_item_t;

//  Null when memory is out.
schedule_t *schedule_new (size_t running_max, retry_random_fn *random, void *argument);
void schedule_destroy (schedule_t **self_p);  //  the items are their owner's

//  0 or -ENOMEM. The item stays in place until it is removed.
int schedule_add (schedule_t *self, schedule_item_t *item, time_us_t interval_us, time_us_t now);
void schedule_remove (schedule_t *self, schedule_item_t *item);

//  An item whose round is to be started now, marked as running and set to its next due time;
//  null when there is none, or no room. *overdue grows by the rounds that were skipped.
schedule_item_t *schedule_take (schedule_t *self, time_us_t now, uint64_t *overdue);

//  The item's round has ended. Its interval may be another from now on.
void schedule_done (schedule_t *self, schedule_item_t *item);
void schedule_set_interval (schedule_t *self, schedule_item_t *item, time_us_t interval_us,
                            time_us_t now);
//  Now, or as soon as its round that is under way has ended.
void schedule_make_due (schedule_t *self, schedule_item_t *item, time_us_t now);

//  When schedule_take is worth calling again, steady; SCHEDULE_NEVER when only the end of a
//  round can change that.
time_us_t schedule_next (const schedule_t *self);

size_t schedule_running (const schedule_t *self);

//  Asserts the invariants.
void schedule_validate (const schedule_t *self);

#endif
