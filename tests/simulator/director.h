// director.h - plays a scenario: at each tick does the steps that have come due.
//
// `any` takes one by chance of those to whom the step can happen (a running one to stop),
// by the seed, so that a run can be repeated. A step that can happen to nobody is passed
// over. After a stall a repeating step happens once, not once for each missed time.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_DIRECTOR_H
#define SIMULATOR_DIRECTOR_H

#include "faults.h"
#include "scenario.h"
#include "world.h"

typedef struct director director_t;

//  All borrowed. Null and why when a step names an instance that is not there.
director_t *director_new (const scenario_t *scenario, world_t *world, faults_t *faults,
                          uint64_t seed, reason_t *why);
void director_destroy (director_t **self_p);

//  To be called after world_tick.
void director_tick (director_t *self);

#endif
