// worker_state.h - the inside of a worker, for the worker_*.c files alone.
//
// Each setter compares, keeps, and notes the field in the change; so "what changed" cannot be
// forgotten and is never more than what differs.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_WORKER_STATE_H
#define AGGREGATOR_WORKER_STATE_H

#include "../common/worker_id.h"
#include "utilization.h"
#include "worker.h"

#define SOURCE_ERROR_SIZE 160
#define NO_DEADLINE       INT64_MAX

typedef struct source_state {
    time_us_t at;       //  observation time of the newest thing it said, also of a failure
    time_us_t good_at;  //  of the newest usable one
    freshness_t freshness;
    time_us_t stale_at;        //  steady
    int64_t interval_seconds;  //  as it said last
    char *error;               //  owned; null: none
} source_state_t;

typedef struct other_load {  //  utilisation by another kind of collector
    char kind [ENVELOPE_KIND_SIZE];
    utilization_t load;
    time_us_t at;
    time_us_t stale_at;  //  steady; then it no longer counts
    bool counts;
} other_load_t;

typedef struct element_seen {  //  a lab or node whose change of state was told
    uint64_t element;          //  hash of its type and id
    time_us_t at;
} element_seen_t;

#define DOING_TEXT_SIZE 129

typedef struct worker_doing {  //  reason "": nothing
    worker_order_t order;
    char reason [32], by [DOING_TEXT_SIZE];
} worker_doing_t;

typedef enum power { POWER_UNKNOWN, POWER_UP, POWER_DOWN } power_t;

struct worker {
    char worker_id [WORKER_ID_SIZE];
    const worker_rules_t *rules;  //  borrowed
    bool connected;
    power_t power;          //  the last that a status said
    bool paused;            //  its stop was told, its start not yet (W7)
    worker_doing_t doing;   //  a job of ours is about to stop or start it (W7)
    int64_t service_worse;  //  rounds in a row that say worse than service_status
    worker_status_t status;
    worker_service_t service;
    char *region, *instance_id;
    char *account_id;  //  as EC2 told it since our start; null: not yet
    source_state_t sources [SOURCE_COUNT];
    time_us_t labs_at, activity_at, status_at;  //  observation times of those facts
    utilization_t cml_load, cloudwatch_load;
    other_load_t *others;  //  null until one speaks
    size_t others_count;
    element_seen_t *elements;  //  WORKER_ELEMENTS, a ring; null until one changes
    size_t elements_next;
    char *labs;
    int64_t labs_total;
    char *activity_events;
    //  Every text here is owned; numbers and times are as in the snapshot.
    snapshot_t state;
};

//  What is as it was; the start of every operation.
worker_change_t change_begin (const worker_t *self, worker_source_t by);
//  The end: updated_at moves when something differs that is news.
worker_change_t change_end (worker_t *self, worker_change_t *change, time_us_t at);

void set_text (worker_change_t *change, snapshot_field_t field, const char **slot,
               const char *value);
//  The tree as one line.
void set_json (worker_change_t *change, snapshot_field_t field, const char **slot,
               const json_node_t *node);
void set_percent (worker_change_t *change, snapshot_field_t field, double *slot, double value);
void set_integer (worker_change_t *change, snapshot_field_t field, int64_t *slot, int64_t value);
void set_flag (worker_change_t *change, snapshot_field_t field, flag_t *slot, flag_t value);

#define SET_TEXT(name, value)    set_text (change, SNAPSHOT_##name, &self->state.name, value)
#define SET_JSON(name, value)    set_json (change, SNAPSHOT_##name, &self->state.name, value)
#define SET_PERCENT(name, value) set_percent (change, SNAPSHOT_##name, &self->state.name, value)
#define SET_NUMBER(name, value)  set_percent (change, SNAPSHOT_##name, &self->state.name, value)
#define SET_INTEGER(name, value) set_integer (change, SNAPSHOT_##name, &self->state.name, value)
#define SET_FLAG(name, value)    set_flag (change, SNAPSHOT_##name, &self->state.name, value)
#define SET_TIME(name, value)    set_integer (change, SNAPSHOT_##name, &self->state.name, value)

//  What an observation leaves out is unchanged, not unknown: the collector did not read it.
#define SET_SAID_TEXT(name, value) ((value) ? SET_TEXT (name, value) : (void) 0)
#define SET_SAID_JSON(name, value) ((value) ? SET_JSON (name, value) : (void) 0)
#define SET_SAID_FLAG(name, value) ((value) != FLAG_UNKNOWN ? SET_FLAG (name, value) : (void) 0)
#define SET_SAID_INTEGER(name, value) \
    ((value) != INTEGER_UNKNOWN ? SET_INTEGER (name, value) : (void) 0)
#define SET_SAID_TIME(name, value) ((value) != TIME_UNKNOWN ? SET_TIME (name, value) : (void) 0)

//  freshness.c: a source's turn to speak. False when this is old news of it (W2); else its
//  times, its error and its freshness are as the observation says.
bool freshness_take_turn (worker_t *self, worker_change_t *change, worker_source_t source,
                          time_us_t at, const char *error_code, const char *error_message);
//  When a source that speaks each interval_seconds (0: it has not said) becomes stale.
time_us_t freshness_deadline (int64_t interval_seconds, time_us_t steady);
//  The source is not asked: absent, without deadline.
void freshness_suspend (worker_t *self, worker_change_t *change, worker_source_t source);

//  worker_load.c: the calculated values anew (W5).
void load_calculate (worker_t *self, worker_change_t *change);

//  worker_cml.c: what the status says about the service (W6).
void service_set (worker_t *self, worker_change_t *change, worker_service_t service);
void service_follow_status (worker_t *self, worker_change_t *change);

//  worker_activity.c: the pause or resume that a new status means (W7), and when it would be
//  paused for idleness.
void pause_follow_status (worker_t *self, worker_change_t *change, time_us_t at);
void idle_follow (worker_t *self, worker_change_t *change);

//  worker_cost.c: what it costs now, by its new rules, or as it changes.
void cost_begin (worker_t *self);
void cost_follow (worker_t *self, worker_change_t *change);

//  Running, or nobody has said.
bool worker_may_run (const worker_t *self);

#endif
