// fleet_model.h - what a worker must be: a plain fold over the observations that were accepted.
//
// A few lines that know nothing of how the aggregator does it, and only of the facts compared.
#ifndef TESTS_UNIT_AGGREGATOR_FLEET_MODEL_H
#define TESTS_UNIT_AGGREGATOR_FLEET_MODEL_H

#include "worker_rig.h"

typedef struct model {
    bool exists;
    worker_status_t status;
    char name [300];
    time_us_t ec2_at, cloudwatch_at, cml_at, labs_at, activity_at, last_activity_at;
    double cpu, memory;
    char version [70];
    int64_t labs;
} model_t;

static inline model_t
model_new (void)
{
    return (model_t){.ec2_at = TIME_UNKNOWN,
                     .cloudwatch_at = TIME_UNKNOWN,
                     .cml_at = TIME_UNKNOWN,
                     .labs_at = TIME_UNKNOWN,
                     .activity_at = TIME_UNKNOWN,
                     .last_activity_at = TIME_UNKNOWN,
                     .cpu = UNKNOWN,
                     .memory = UNKNOWN,
                     .labs = INTEGER_UNKNOWN};
}

static inline bool
may_run (const model_t *model)
{
    return model->status == WORKER_RUNNING || model->status == WORKER_UNKNOWN;
}

static inline double
clamp (double percent)
{
    return percent > 100 ? 100 : percent < 0 ? 0 : percent;
}

static inline bool
take_turn (time_us_t *last, time_us_t at)
{
    bool newer = at > *last;

    *last = newer ? at : *last;
    return newer;
}

static inline void
fold_instance (model_t *model, const instance_observed_t *seen, time_us_t at)
{
    bool over = seen->state && strcmp (seen->state, "terminated") == 0;

    if (!model->exists && over) {
        return;
    }
    if (!model->exists) {
        model->exists = true;
        model->status = WORKER_UNKNOWN;
    }
    if (!take_turn (&model->ec2_at, at)) {
        return;
    }
    if (seen->name && *seen->name) {
        snprintf (model->name, sizeof model->name, "%s", seen->name);
    }
    if (seen->state) {
        worker_status_t status = worker_status_parse (seen->state);
        model->status = status == WORKER_STATUS_COUNT ? WORKER_UNKNOWN : status;
    }
}

static inline void
fold (model_t *model, const observation_t *seen)
{
    time_us_t at = seen->envelope.time;
    bool runs = model->exists && may_run (model);

    switch (seen->envelope.type) {
    case EVENT_INSTANCE_OBSERVED: fold_instance (model, &seen->instance_observed, at); break;
    case EVENT_INSTANCE_GONE:
        if (model->exists && take_turn (&model->ec2_at, at)) {
            model->status = WORKER_TERMINATED;
        }
        break;
    case EVENT_UTILIZATION_OBSERVED:
        if (runs && take_turn (&model->cloudwatch_at, at) &&
            !seen->utilization_observed.error_code) {
            model->cpu = clamp (seen->utilization_observed.cpu_percent);
            model->memory = clamp (seen->utilization_observed.memory_percent);
        }
        break;
    case EVENT_SYSTEM_OBSERVED:
        if (runs && take_turn (&model->cml_at, at) && seen->system_observed.version) {
            snprintf (model->version, sizeof model->version, "%s", seen->system_observed.version);
        }
        break;
    case EVENT_LABS_OBSERVED:
        if (runs && seen->labs_observed.labs.node && take_turn (&model->labs_at, at)) {
            model->labs = 0;
            FOR_EACH_NODE (lab, seen->labs_observed.labs.node)
            {
                const char *state = json_node_get_text (lab, "state");
                model->labs += state && strcmp (state, "STARTED") == 0;
            }
        }
        break;
    case EVENT_ACTIVITY_OBSERVED:
        if (model->exists && !seen->activity_observed.error_code &&
            take_turn (&model->activity_at, at) &&
            seen->activity_observed.last_activity_at > model->last_activity_at) {
            model->last_activity_at = seen->activity_observed.last_activity_at;
        }
        break;
    default: break;
    }
}

#endif
