// scenario.h - a file of plain lines that says what happens in the simulated world, and when.
//
// Pure: reading a file gives a list of steps; director.c plays them. The grammar is one
// table of actions (scenario.c), and README.md in this folder explains it for people. A
// wrong line is refused with file and line and with what would be right.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_SCENARIO_H
#define SIMULATOR_SCENARIO_H

#include "../../common/clock.h"
#include "../../common/reason.h"
#include "faults.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum scenario_action {
    SCENARIO_START,
    SCENARIO_STOP,
    SCENARIO_TERMINATE,
    SCENARIO_VANISH,
    SCENARIO_APPEAR,
    SCENARIO_IMPAIR,
    SCENARIO_MEND,
    SCENARIO_MONITOR,
    SCENARIO_UNMONITOR,
    SCENARIO_LOAD,
    SCENARIO_LAB_START,
    SCENARIO_LAB_STOP,
    SCENARIO_LAB_REMOVE,
    SCENARIO_FAULT,
    SCENARIO_ACTION_COUNT
} scenario_action_t;

const char *scenario_action_name (scenario_action_t action);

typedef struct step {
    unsigned line;
    time_us_t first, every;  //  elapsed time; every 0: once
    scenario_action_t action;
    char target [48];  //  `#3`, a name, an id, `any` or `all`; "" when the action has none
    char lab [65];     //  title; "": one of the usual, or any
    double number;     //  of load (percent) and appear (how many)
    time_us_t for_us;  //  0: for ever
    fault_t fault;     //  of SCENARIO_FAULT; times of for_us
} step_t;

typedef struct scenario scenario_t;

//  Null and why: `<path>:<line>: …`.
scenario_t *scenario_read (const char *path, reason_t *why);

//  The same from text, which is cut up; name is for why.
scenario_t *scenario_parse (char *text, const char *name, reason_t *why);
void scenario_destroy (scenario_t **self_p);

size_t scenario_steps (const scenario_t *self, const step_t **steps);

//  What `instances N` and `transition <time>` say; 0 when they are not there.
size_t scenario_instances (const scenario_t *self);
time_us_t scenario_transition (const scenario_t *self);

#endif
