// job_types.h - the types of jobs that cmlwatch runs itself: one table.
//
// A job of a built-in type is about one worker. It has one step or more, in their order; each is run
// by the collector of its kind that owns the worker by lease, and skipped while its gate is shut.
// Any other type is free text, and run by whoever registers for it. Pure.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOB_TYPES_H
#define AGGREGATOR_JOB_TYPES_H

#include "../common/job.h"
#include "worker.h"

//  <type> or <type>:<step>: what a runner says it can do.
#define JOB_CAPABILITY_SIZE (JOB_TYPE_SIZE + 65)

typedef enum job_gate {
    GATE_THERE,     //  the worker is known and not over
    GATE_RUNNING,   //  its status is running
    GATE_READABLE,  //  it runs, and there is an address at which its CML is asked
    GATE_AVAILABLE  //  its CML answers and is ready
} job_gate_t;

typedef struct job_step {
    const char *name;  //  null: the type has no steps
    const char *kind;  //  of the collector that runs it; null: there is no such step
    job_gate_t gate;
    double from, to;  //  the part of the job's progress that it is
} job_step_t;

#define JOB_STEPS_MAX 3

typedef struct job_type {
    const char *name;
    int priority;
    int64_t timeout_seconds;  //  of each attempt
    job_gate_t gate;          //  shut: the job is refused
    bool refreshes;           //  in the end the worker's snapshot is sent; not twice within
                              //  refresh_min_seconds
    job_step_t steps [JOB_STEPS_MAX + 1];
} job_type_t;

#define JOB_FREE_TIMEOUT_SECONDS 300

//  Null: it is not built in.
const job_type_t *job_type_find (const char *name);
//  Every one, from place 0; null after the last.
const job_type_t *job_type_at (size_t place);

//  The step of this name; null names the first. Null: there is none.
const job_step_t *job_type_step (const job_type_t *self, const char *name);
//  The first whose gate is open of this one and those after it; null: none is.
const job_step_t *job_type_open_step (const job_step_t *from, const worker_t *worker);

//  worker null: it left the state.
bool job_gate_is_open (job_gate_t gate, const worker_t *worker);

void job_capability (char out [JOB_CAPABILITY_SIZE], const char *type, const char *step);

#endif
