// idle.h - whether a worker is idle, and when it would be paused for it (design.md section 4).
//
// Pure rules over a few facts. A worker is idle when no lab runs and its last activity (else its
// last resume, else its creation) lies idle_timeout_minutes back. What is judged is the moment
// of the last good look at its activity, not now: between two looks nobody knows, so a look that
// fails, or none at all, decides nothing. A worker may be paused when it is idle, runs, may be
// paused (globally and by its own switch), and was not resumed within snooze_minutes.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_IDLE_H
#define AGGREGATOR_IDLE_H

#include "../common/clock.h"

#include <stdbool.h>

typedef enum auto_pause { AUTO_PAUSE_OFF, AUTO_PAUSE_ON, AUTO_PAUSE_DRY_RUN } auto_pause_t;

typedef struct idle_rules {
    int64_t idle_timeout_minutes;
    int64_t snooze_minutes;          //  after a resume nothing is paused
    auto_pause_t auto_pause;         //  off: idle workers are told, never paused; dry run: nor are
                                     //  they, but it is said that they would be
    int64_t again_minutes;           //  after a pause that failed it is not tried sooner
    bool idle_ignores_running_labs;  //  lack of activity alone makes a worker idle
} idle_rules_t;

#define IDLE_RULES_DEFAULT ((idle_rules_t){.idle_timeout_minutes = 60, .snooze_minutes = 60})

typedef struct idle_facts {
    bool is_running;  //  its status is RUNNING
    bool is_enabled;  //  its own switch
    int64_t labs;     //  that run; INTEGER_UNKNOWN: nobody has read them
    time_us_t activity_at, resumed_at, created_at;  //  wall; the first two may be TIME_UNKNOWN
    time_us_t checked_at;  //  of the last good look at its activity; TIME_UNKNOWN: none
} idle_facts_t;

//  Since when nobody has used it: activity, else resume, else creation.
time_us_t idle_since (const idle_facts_t *facts);

//  It is known to be idle at the time of the last good look.
bool idle_is_idle (const idle_rules_t *rules, const idle_facts_t *facts);

//  When it will be paused if nothing happens; TIME_UNKNOWN: never, as things stand or in a dry run.
time_us_t idle_pause_at (const idle_rules_t *rules, const idle_facts_t *facts);

//  It is to be paused, or in a dry run it would be: idle, and the time has come as of the last good
//  look.
bool idle_is_due (const idle_rules_t *rules, const idle_facts_t *facts);

#endif
