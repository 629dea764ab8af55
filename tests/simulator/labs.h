// labs.h - the labs of one simulated CML and the telemetry they leave.
//
// A lab that starts queues its nodes and boots them one after another, some seconds each,
// as CML does; what is done to it is written into the telemetry log, which is where
// cmlwatch reads activity from.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_LABS_H
#define SIMULATOR_LABS_H

#include "instance.h"
#include "noise.h"

//  The labs of a CML that has been in use for some days.
void labs_populate (cml_t *self, uint64_t key, time_us_t wall);

//  By title or id, or null.
lab_t *labs_find (cml_t *self, const char *title_or_id);

//  A new lab, defined but not started; a null title gives it one of the usual. Null when
//  there are LABS_MAX.
lab_t *labs_import (cml_t *self, uint64_t key, const char *title, time_us_t wall);

//  0, or -EALREADY when it is in that state.
int labs_set (cml_t *self, lab_t *lab, lab_state_t state, time_us_t elapsed, time_us_t wall);
void labs_remove (cml_t *self, lab_t *lab);

size_t labs_running (const cml_t *self);
int64_t labs_nodes (const cml_t *self, bool running);

//  QUEUED, STARTED, BOOTED, STOPPED or DEFINED_ON_CORE: of one node of a lab.
const char *labs_node_state (const lab_t *lab, int64_t node, time_us_t elapsed);

//  Boots are noted in the telemetry.
void labs_tick (cml_t *self, time_us_t elapsed, time_us_t wall);

//  The machine went off: what ran is stopped, without a record, as nobody wrote one.
void labs_power_off (cml_t *self, time_us_t wall);

//  A line of the telemetry log. lab_key 0: of no lab.
void labs_record (cml_t *self, const char *category, uint64_t lab_key, time_us_t wall);

#endif
