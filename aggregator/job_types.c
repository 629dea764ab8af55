// job_types.c - see job_types.h.
//
// SPDX-License-Identifier: MIT

#include "job_types.h"

#include "work.h"

#include <stdio.h>
#include <string.h>

// clang-format off
static const job_type_t TYPES [] = {
    //                      prio  s    to be taken      refreshes  steps
    {"metrics.refresh",     5,    60,  GATE_RUNNING,    true,  {{"ec2",        "ec2",        GATE_THERE,     0,  50},
                                                                {"cloudwatch", "cloudwatch", GATE_RUNNING,   50, 75},
                                                                {"cml",        "cml",        GATE_AVAILABLE, 75, 100}}},
    {"labs.refresh",        5,    60,  GATE_READABLE,   true,  {{NULL,         "cml",        GATE_READABLE,  0,  100}}},
    {"worker.pause",        8,    900, GATE_THERE,      false, {{NULL,         "ec2",        GATE_THERE,     0,  100}}},
    {"worker.resume",       8,    900, GATE_THERE,      false, {{NULL,         "ec2",        GATE_THERE,     0,  100}}},
    {"monitoring.enable",   5,    60,  GATE_THERE,      false, {{NULL,         "ec2",        GATE_THERE,     0,  100}}},
};
// clang-format on

const job_type_t *
job_type_at (size_t place)
{
    return place < sizeof TYPES / sizeof *TYPES ? &TYPES [place] : NULL;
}

const job_type_t *
job_type_find (const char *name)
{
    for (size_t i = 0; name && i < sizeof TYPES / sizeof *TYPES; i++) {
        if (strcmp (TYPES [i].name, name) == 0) {
            return &TYPES [i];
        }
    }
    return NULL;
}

const job_step_t *
job_type_step (const job_type_t *self, const char *name)
{
    if (!name) {
        return self->steps;
    }
    for (const job_step_t *step = self->steps; step->kind; step++) {
        if (step->name && strcmp (step->name, name) == 0) {
            return step;
        }
    }
    return NULL;
}

const job_step_t *
job_type_open_step (const job_step_t *from, const worker_t *worker)
{
    while (from->kind && !job_gate_is_open (from->gate, worker)) {
        from++;
    }
    return from->kind ? from : NULL;
}

bool
job_gate_is_open (job_gate_t gate, const worker_t *worker)
{
    worker_status_t status = worker ? worker_status (worker) : WORKER_TERMINATED;

    switch (gate) {
    case GATE_THERE: return status != WORKER_TERMINATED && status != WORKER_SHUTTING_DOWN;
    case GATE_RUNNING: return status == WORKER_RUNNING;
    case GATE_READABLE: return status == WORKER_RUNNING && work_wants ("cml", worker);
    case GATE_AVAILABLE:
        return status == WORKER_RUNNING && work_wants ("cml", worker) &&
               worker_service (worker) == SERVICE_AVAILABLE;
    }
    return false;
}

void
job_capability (char out [JOB_CAPABILITY_SIZE], const char *type, const char *step)
{
    snprintf (out, JOB_CAPABILITY_SIZE, step ? "%s:%s" : "%s", type, step);
}
