// worker_load.c - utilisation told in percent (CloudWatch, or any other kind of collector), and
// the values calculated from all that is told, in the configured order: CML first, then
// CloudWatch, then the others in the order in which they first spoke (design.md section 4).
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

static void
add_others (const worker_t *self, const char *kind, utilization_t *sum)
{
    bool rest = strcmp (kind, "*") == 0;

    for (size_t i = 0; i < self->others_count; i++) {
        const other_load_t *other = &self->others [i];
        if (other->counts && (rest ? !load_order_names (&self->rules->load_order, other->kind)
                                   : strcmp (kind, other->kind) == 0)) {
            fill_gaps (sum, &other->load);
        }
    }
}

//  W5: what a source said before the worker was stopped is not what it does now.
static void
add_source (const worker_t *self, worker_source_t source, const utilization_t *load,
            utilization_t *sum)
{
    if (self->sources [source].freshness != FRESH_ABSENT) {
        fill_gaps (sum, load);
    }
}

static utilization_t
precedence (const worker_t *self)
{
    const load_order_t *order = &self->rules->load_order;
    utilization_t sum = {UNKNOWN, UNKNOWN, UNKNOWN};

    for (size_t i = 0; i < order->count && worker_may_run (self); i++) {
        if (strcmp (order->kinds [i], "cml") == 0) {
            add_source (self, SOURCE_CML, &self->cml_load, &sum);
        } else if (strcmp (order->kinds [i], "cloudwatch") == 0) {
            add_source (self, SOURCE_CLOUDWATCH, &self->cloudwatch_load, &sum);
        } else {
            add_others (self, order->kinds [i], &sum);
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

utilization_t
worker_load (const worker_t *self, worker_source_t source)
{
    switch (source) {
    case SOURCE_CML: return self->cml_load;
    case SOURCE_CLOUDWATCH: return self->cloudwatch_load;
    case SOURCE_EC2: break;  //  says nothing of it
    case SOURCE_OTHER:
        return (utilization_t){.cpu = self->state.cpu_utilization,
                               .memory = self->state.memory_utilization,
                               .storage = self->state.storage_utilization};
    }
    return (utilization_t){UNKNOWN, UNKNOWN, UNKNOWN};
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
    *place = (other_load_t){
        .load = {UNKNOWN, UNKNOWN, UNKNOWN}, .at = TIME_UNKNOWN, .stale_at = NO_DEADLINE};
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

void
worker_write_others (const worker_t *self, json_writer_t *json)
{
    json_open_array (json);
    for (size_t i = 0; i < self->others_count; i++) {
        const other_load_t *other = &self->others [i];
        json_open_object (json);
        json_member_text (json, "kind", other->kind);
        json_member_number (json, "cpu_utilization", other->load.cpu);
        json_member_number (json, "memory_utilization", other->load.memory);
        json_member_number (json, "storage_utilization", other->load.storage);
        json_member_time (json, "observed_at", other->at);
        json_member_bool (json, "counts", other->counts);
        json_close_object (json);
    }
    json_close_array (json);
}
