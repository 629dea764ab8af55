// SPDX-License-Identifier: MIT

#include "director.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "labs.h"
#include "noise.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct director {
    const scenario_t *scenario;
    world_t *world;
    faults_t *faults;
    uint64_t chance;
    time_us_t *due;  //  of each step; TIME_UNKNOWN when it is done
};

//  --- whom it happens to

static instance_t *
find_named (const director_t *self, const char *target)
{
    if (target [0] == '#') {
        return world_at (self->world, (size_t) strtoul (target + 1, NULL, 10) - 1);
    }
    instance_t *instance = world_find (self->world, target);
    return instance ? instance : world_find_name (self->world, target);
}

static bool
has_lab (const instance_t *instance, const char *title, bool started)
{
    const cml_t *cml = &instance->cml;

    for (size_t i = 0; i < cml->lab_count; i++) {
        if ((cml->labs [i].state == LAB_STARTED) == started &&
            (!*title || strcmp (cml->labs [i].title, title) == 0)) {
            return true;
        }
    }
    return false;
}

//  True when the step would change something.
static bool
can_happen (const director_t *self, const step_t *step, const instance_t *instance)
{
    bool runs = instance->state == INSTANCE_RUNNING;

    switch (step->action) {
    case SCENARIO_START: return instance->state == INSTANCE_STOPPED;
    case SCENARIO_STOP: return runs;
    case SCENARIO_TERMINATE: return runs || instance->state == INSTANCE_STOPPED;
    case SCENARIO_VANISH: return true;
    case SCENARIO_IMPAIR: return runs && !instance->system_check.impaired;
    case SCENARIO_MEND: return instance->system_check.impaired || instance->instance_check.impaired;
    case SCENARIO_MONITOR: return !instance->detailed;
    case SCENARIO_UNMONITOR: return instance->detailed;
    case SCENARIO_LOAD: return runs;
    case SCENARIO_LAB_START: return world_cml_ready (self->world, instance);
    case SCENARIO_LAB_STOP: return runs && has_lab (instance, step->lab, true);
    case SCENARIO_LAB_REMOVE: return runs && has_lab (instance, step->lab, false);
    case SCENARIO_FAULT: return runs;
    case SCENARIO_APPEAR:
    case SCENARIO_ACTION_COUNT: break;
    }
    return false;
}

static instance_t *
choose_any (director_t *self, const step_t *step)
{
    size_t slots = world_slots (self->world);
    size_t first = slots ? (size_t) (noise_next (&self->chance) % slots) : 0;

    for (size_t i = 0; i < slots; i++) {
        instance_t *instance = world_at (self->world, (first + i) % slots);
        if (instance && can_happen (self, step, instance)) {
            return instance;
        }
    }
    return NULL;
}

//  --- what happens

static lab_t *
choose_lab (director_t *self, cml_t *cml, const char *title, bool started)
{
    size_t first = (size_t) (noise_next (&self->chance) % LABS_MAX);

    for (size_t i = 0; i < LABS_MAX; i++) {
        lab_t *lab = &cml->labs [(first + i) % LABS_MAX];
        if (lab < cml->labs + cml->lab_count && (lab->state == LAB_STARTED) == started &&
            (!*title || strcmp (lab->title, title) == 0)) {
            return lab;
        }
    }
    return NULL;
}

static void
start_lab (director_t *self, instance_t *instance, const char *title)
{
    time_us_t wall = world_now (self->world).wall;
    lab_t *lab = choose_lab (self, &instance->cml, title, false);

    if (!lab && (!*title || !labs_find (&instance->cml, title))) {
        lab = labs_import (&instance->cml, instance->key, *title ? title : NULL, wall);
    }
    if (lab) {
        labs_set (&instance->cml, lab, LAB_STARTED, world_elapsed (self->world), wall);
    }
}

static void
stop_lab (director_t *self, instance_t *instance, const char *title)
{
    lab_t *lab = choose_lab (self, &instance->cml, title, true);

    if (lab) {
        labs_set (&instance->cml, lab, LAB_STOPPED, world_elapsed (self->world),
                  world_now (self->world).wall);
    }
}

static void
remove_lab (director_t *self, instance_t *instance, const char *title)
{
    lab_t *lab = choose_lab (self, &instance->cml, title, false);

    if (lab) {
        labs_remove (&instance->cml, lab);
    }
}

static time_us_t
lasting (const step_t *step)
{
    return step->for_us > 0 ? step->for_us : WORLD_FOR_EVER;
}

static void
set_fault (director_t *self, const step_t *step, const instance_t *instance)
{
    fault_t fault = step->fault;
    reason_t why;

    fault.until_steady = FAULTS_ALWAYS;
    if (step->for_us > 0) {
        fault.until_steady = world_now (self->world).steady +
                             (time_us_t) ((double) step->for_us / world_speed (self->world));
    }
    if (instance) {
        memcpy (fault.instance, instance->id, sizeof instance->id);
    }
    if (faults_add (self->faults, &fault, &why) < 0) {
        log_warn ("a fault of the scenario is not set", LOG_TEXT ("reason", why.text));
    }
}

static void
happen (director_t *self, const step_t *step, instance_t *instance)
{
    world_t *world = self->world;

    switch (step->action) {
    case SCENARIO_START: world_order (world, instance, WORLD_START); break;
    case SCENARIO_STOP: world_order (world, instance, WORLD_STOP); break;
    case SCENARIO_TERMINATE: world_order (world, instance, WORLD_TERMINATE); break;
    case SCENARIO_VANISH: world_vanish (world, instance); break;
    case SCENARIO_IMPAIR: world_impair (world, &instance->system_check, lasting (step)); break;
    case SCENARIO_MEND: world_mend (instance); break;
    case SCENARIO_MONITOR: world_monitor (world, instance, true); break;
    case SCENARIO_UNMONITOR: world_monitor (world, instance, false); break;
    case SCENARIO_LOAD: world_load (world, instance, step->number, lasting (step)); break;
    case SCENARIO_LAB_START: start_lab (self, instance, step->lab); break;
    case SCENARIO_LAB_STOP: stop_lab (self, instance, step->lab); break;
    case SCENARIO_LAB_REMOVE: remove_lab (self, instance, step->lab); break;
    case SCENARIO_FAULT: set_fault (self, step, instance); break;
    case SCENARIO_APPEAR:
    case SCENARIO_ACTION_COUNT: break;
    }
}

static void
happen_to_target (director_t *self, const step_t *step)
{
    if (strcmp (step->target, "all") == 0) {
        for (size_t slot = 0; slot < world_slots (self->world); slot++) {
            instance_t *instance = world_at (self->world, slot);
            if (instance && can_happen (self, step, instance)) {
                happen (self, step, instance);
            }
        }
        return;
    }
    bool any = strcmp (step->target, "any") == 0;
    instance_t *instance = any ? choose_any (self, step) : find_named (self, step->target);
    if (instance && can_happen (self, step, instance)) {
        happen (self, step, instance);
    }
}

static void
perform (director_t *self, const step_t *step)
{
    log_debug ("scenario", LOG_INTEGER ("line", step->line),
               LOG_TEXT ("action", scenario_action_name (step->action)),
               LOG_TEXT ("target", step->target));
    if (step->action == SCENARIO_APPEAR) {
        for (int i = 0; i < (int) step->number; i++) {
            world_appear (self->world);
        }
    } else if (step->action == SCENARIO_FAULT && !step->target [0]) {
        set_fault (self, step, NULL);
    } else {
        happen_to_target (self, step);
    }
}

void
director_tick (director_t *self)
{
    const step_t *steps;
    size_t count = scenario_steps (self->scenario, &steps);
    time_us_t now = world_elapsed (self->world);

    for (size_t i = 0; i < count; i++) {
        if (self->due [i] == TIME_UNKNOWN || self->due [i] > now) {
            continue;
        }
        perform (self, &steps [i]);
        time_us_t every = steps [i].every, missed = every ? (now - self->due [i]) / every : 0;
        self->due [i] = every ? self->due [i] + (missed + 1) * every : TIME_UNKNOWN;
    }
}

director_t *
director_new (const scenario_t *scenario, world_t *world, faults_t *faults, uint64_t seed,
              reason_t *why)
{
    _cleanup_ (director_destroy) director_t *self = calloc (1, sizeof *self);
    const step_t *steps;
    size_t count = scenario_steps (scenario, &steps);

    if (!self) {
        return NULL;
    }
    self->scenario = scenario;
    self->world = world;
    self->faults = faults;
    self->chance = noise_key (seed, 0xd1);
    self->due = calloc (count + 1, sizeof *self->due);
    for (size_t i = 0; self->due && i < count; i++) {
        const char *target = steps [i].target;
        self->due [i] = steps [i].first;
        //  Only a number can be known to be wrong: names and ids may still appear.
        if (target [0] == '#' && !find_named (self, target)) {
            reason_set (why, -ENOENT,
                        "scenario: line %u: %s is not there; instances are #1 to #%zu",
                        steps [i].line, target, world_slots (world));
            return NULL;
        }
    }
    return self->due ? take_ptr (self) : NULL;
}

void
director_destroy (director_t **self_p)
{
    assert (self_p);

    director_t *self = *self_p;
    if (self) {
        free (self->due);
        free (self);
        *self_p = NULL;
    }
}
