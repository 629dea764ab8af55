// ownership.c - see ownership.h.
//
// SPDX-License-Identifier: MIT

#include "ownership.h"

#include "work.h"

#include <stdlib.h>

struct ownership {
    fleet_t *fleet;
    const leases_t *leases;
    metrics_t *metrics;
};

static void
show (ownership_t *self, const char *kind)
{
    const char *const labels [] = {"kind", kind, NULL};
    size_t unowned = 0, multi = 0;

    for (const worker_t *worker = fleet_next (self->fleet, ""); worker;
         worker = fleet_next (self->fleet, worker_id (worker))) {
        if (work_wants (kind, worker)) {
            size_t readers = leases_readers (self->leases, kind, work_unit (kind, worker));
            unowned += readers == 0;
            multi += readers > 1;
        }
    }
    metric_set (metrics_with (self->metrics, METRIC_GAUGE, "cmlwatch_workers_unowned",
                              "running workers that no collector of the kind reads", labels),
                (double) unowned);
    metric_set (metrics_with (self->metrics, METRIC_GAUGE, "cmlwatch_workers_multi_owned",
                              "running workers that more than one collector of the kind reads",
                              labels),
                (double) multi);
    metric_set (metrics_with (self->metrics, METRIC_GAUGE, "cmlwatch_collector_lists",
                              "different files of accounts or servers that collectors of the kind "
                              "have; more than 1: they disagree",
                              labels),
                (double) leases_lists (self->leases, kind));
}

static void
on_collect (void *argument)
{
    ownership_t *self = argument;

    for (size_t i = 0; i < leases_kinds (self->leases); i++) {
        show (self, leases_kind (self->leases, i));
    }
}

ownership_t *
ownership_new (fleet_t *fleet, const leases_t *leases, metrics_t *metrics)
{
    ownership_t *self = calloc (1, sizeof *self);

    if (self) {
        *self = (ownership_t){.fleet = fleet, .leases = leases, .metrics = metrics};
        metrics_on_collect (metrics, on_collect, self);
    }
    return self;
}

void
ownership_destroy (ownership_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}
