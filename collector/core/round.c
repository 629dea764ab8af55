// round.c - what a source asks of a round, and says of it; see collector.h.
//
// SPDX-License-Identifier: MIT

#include "collector_state.h"

#include <stdio.h>

const char *
collector_round_region (const collector_round_t *self)
{
    return self->unit->region;
}

const char *
collector_round_account (const collector_round_t *self)
{
    return self->unit->account;
}

const collector_worker_t *
collector_round_worker (const collector_round_t *self)
{
    return self->worker ? &self->worker->worker : NULL;
}

void *
collector_round_unit (const collector_round_t *self)
{
    return self->unit->memory;
}

collector_t *
collector_round_core (const collector_round_t *self)
{
    return self->core;
}

int64_t
collector_round_interval_seconds (const collector_round_t *self)
{
    return (self->unit->item.interval_us + SECOND_US - 1) / SECOND_US;
}

bool
collector_round_is_asked_for (const collector_round_t *self)
{
    return self->core->jobs && job_runner_wants_round (self->core->jobs, self->unit);
}

void
collector_round_explain (collector_round_t *self, const char *code, const char *message)
{
    snprintf (self->code, sizeof self->code, "%s", code);
    snprintf (self->message, sizeof self->message, "%s", message);
}
