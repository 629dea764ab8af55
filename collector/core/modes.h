// modes.h - a collector as a tool: one round, events printed, or only what would be asked.
//
// --once     each unit has one round, then it ends: 0 when all went well, else 1. On the bus it
//            stays SETTLE_MS longer, so that the aggregator can ask again for what it did not hear.
// --print    observations are lines of JSON on stdout, as on the bus; there is no publisher.
// --dry-run  the source's plan instead of its start; implies --once.
//
// The last two are observers: they ask the aggregator for the whole list and take no lease, so
// that nobody's work is less for it; a tool opens no admin port, for on the same machine the
// collector that serves has it. What a source needs from the aggregator (workers) it then
// cannot have without one: that is said, and is a failure of --once.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_MODES_H
#define COLLECTOR_CORE_MODES_H

#include "collector.h"

typedef struct modes {
    loop_timer_t *timer;  //  to the end
    uint64_t printed;
    char epoch [9];
    bool listed;  //  what there is to read is known
    bool alone;   //  nobody has answered
    bool failed;  //  a round, or the want of workers
    bool ending;  //  all have had their round
    bool ended;   //  and the loop was told
} modes_t;

static inline bool
modes_is_observer (const collector_settings_t *settings)
{
    return settings->print || settings->dry_run;
}

static inline bool
modes_is_once (const collector_settings_t *settings)
{
    return settings->once || settings->dry_run;
}

static inline bool
modes_is_tool (const collector_settings_t *settings)
{
    return modes_is_observer (settings) || modes_is_once (settings);
}

//  An event, on stdout; nothing in a dry run.
void modes_print (collector_t *self, const observation_t *observation, const char *subject);

//  A round has ended; there is news of the lease (alone: that nobody answers).
void modes_note_round (collector_t *self, bool ok);
void modes_note_lease (collector_t *self, bool alone);

//  Of the timer.
void modes_end (void *self);

#endif
