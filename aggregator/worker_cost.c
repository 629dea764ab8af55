// worker_cost.c - what a worker costs: AWS bills an instance while it runs, and not while it is
// stopped. Its disks are not in it.
//
// SPDX-License-Identifier: MIT

#include "worker_state.h"

#include <math.h>

double
worker_price (const worker_t *self)
{
    return prices_of (self->rules->prices, self->region, self->state.instance_type);
}

static double
cost_now (const worker_t *self)
{
    double price = worker_price (self);

    return isnan (price) || self->status == WORKER_RUNNING ? price : 0;
}

void
cost_begin (worker_t *self)
{
    self->state.hourly_cost = cost_now (self);
}

//  Most of what is told of a worker is neither.
void
cost_follow (worker_t *self, worker_change_t *change)
{
    if (field_set_has (&change->fields, SNAPSHOT_status) ||
        field_set_has (&change->fields, SNAPSHOT_instance_type)) {
        SET_NUMBER (hourly_cost, cost_now (self));
    }
}
