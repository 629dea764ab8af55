// worker_load.c - utilisation told in percent (CloudWatch, or any other kind of collector), and
// the values calculated from all that is told: CML first, then CloudWatch, then the others in
// the order in which they first spoke (design.md section 4).
//
// SPDX-License-Identifier: MIT

#include "worker_state.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
fill_gaps (utilization_t *sum, const utilization_t *from)
{
    sum->cpu = isnan (sum->cpu) ? from->cpu : sum->cpu;
    sum->memory = isnan (sum->memory) ? from->memory : sum->memory;
    sum->storage = isnan (sum->storage) ? from->storage : sum->storage;
}

//  W5: what a source said before the worker was stopped is not what it does now.
static utilization_t
precedence (const worker_t *self)
{
    utilization_t sum = {UNKNOWN, UNKNOWN, UNKNOWN};

    if (!worker_may_run (self)) {
        return sum;
    }
    if (self->sources [SOURCE_CML].freshness != FRESH_ABSENT) {
        fill_gaps (&sum, &self->cml_load);
    }
    if (self->sources [SOURCE_CLOUDWATCH].freshness != FRESH_ABSENT) {
        fill_gaps (&sum, &self->cloudwatch_load);
    }
    for (size_t i = 0; i < self->others_count; i++) {
        if (self->others [i].counts) {
            fill_gaps (&sum, &self->others [i].load);
        }
    }
    return sum;
}

void
load_calculate (worker_t *self, worker_change_t *change)
{
    utilization_t load = precedence (self);

    SET_PERCENT (cpu_utilization, load.cpu);
    SET_PERCENT (memory_utilization, load.memory);
    SET_PERCENT (storage_utilization, load.storage);
    if (field_set_has (&change->fields, SNAPSHOT_storage_utilization)) {
        field_set_add (&change->fields, SNAPSHOT_disk_utilization);
    }
}

static utilization_t
load_of (const utilization_observed_t *seen)
{
    return (utilization_t){.cpu = utilization_clamp (seen->cpu_percent),
                           .memory = utilization_clamp (seen->memory_percent),
                           .storage = utilization_clamp (seen->disk_percent)};
}

worker_change_t
worker_update_cloudwatch (worker_t *self, const utilization_observed_t *seen, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_CLOUDWATCH), *change = &begun;

    if (!worker_may_run (self)) {
        begun.verdict = WORKER_NOT_RUNNING;
        return begun;
    }
    bool was_absent = self->sources [SOURCE_CLOUDWATCH].freshness == FRESH_ABSENT;
    if (!freshness_take_turn (self, change, SOURCE_CLOUDWATCH, at, seen->error_code,
                              seen->error_message)) {
        return begun;
    }
    if (!seen->error_code) {
        self->cloudwatch_load = load_of (seen);
        SET_PERCENT (cloudwatch_cpu_utilization, self->cloudwatch_load.cpu);
        SET_PERCENT (cloudwatch_memory_utilization, self->cloudwatch_load.memory);
    } else if (was_absent) {
        self->cloudwatch_load = (utilization_t){UNKNOWN, UNKNOWN, UNKNOWN};
    }
    load_calculate (self, change);
    return change_end (self, change, at);
}

//  The place of this kind; null when there is room for no other, or no memory.
static other_load_t *
place_of (worker_t *self, const char *kind)
{
    for (size_t i = 0; i < self->others_count; i++) {
        if (strcmp (self->others [i].kind, kind) == 0) {
            return &self->others [i];
        }
    }
    if (!self->others) {
        self->others = calloc (WORKER_KINDS_MAX, sizeof *self->others);
    }
    if (!self->others || self->others_count == WORKER_KINDS_MAX) {
        return NULL;
    }
    other_load_t *place = &self->others [self->others_count++];
    *place = (other_load_t){.at = TIME_UNKNOWN, .stale_at = NO_DEADLINE};
    snprintf (place->kind, sizeof place->kind, "%s", kind);
    return place;
}

worker_change_t
worker_update_other (worker_t *self, const char *kind, const utilization_observed_t *seen,
                     time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_OTHER), *change = &begun;
    assert (kind && *kind);

    if (!worker_may_run (self)) {
        begun.verdict = WORKER_NOT_RUNNING;
        return begun;
    }
    other_load_t *place = place_of (self, kind);
    if (!place || at <= place->at) {
        begun.verdict = place ? WORKER_NOT_NEWER : WORKER_NOT_SAID;
        return begun;
    }
    change->by_kind = place->kind;
    place->at = at;
    if (!seen->error_code) {
        place->load = load_of (seen);
        place->counts = true;
    }
    load_calculate (self, change);
    return change_end (self, change, at);
}
