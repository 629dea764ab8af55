// alert.h - one alert: its record, and how it is written and read again.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_ALERT_H
#define AGGREGATOR_ALERT_H

#include "alert_rules.h"

#include <uuid/uuid.h>

#define ALERT_BY_SIZE   129
#define ALERT_TEXT_SIZE 400

typedef enum alert_state {
    ALERT_PENDING,  //  nobody has been told
    ALERT_RAISED,
    ALERT_ACKNOWLEDGED,
    ALERT_CLEARED
} alert_state_t;

typedef struct alert {
    char id [UUID_STR_LEN];
    char rule [ALERT_NAME_SIZE];
    char worker_id [40];  //  "": of the fleet
    char *name, *region;  //  null: of the fleet
    char metric [64];
    char *value, *threshold;  //  JSON, as it was when it was raised
    char message [ALERT_TEXT_SIZE];
    char acknowledged_by [ALERT_BY_SIZE];
    char cleared_for [64];
    alert_severity_t severity;
    alert_state_t state;
    time_us_t raised_at, acknowledged_at, cleared_at;  //  wall
    bool holds;                                        //  the rule does, as of now
    bool would;     //  its rule is off: it would have been raised, and nobody is told
    time_us_t due;  //  steady: when a pending one is raised, one that holds no more is cleared
    size_t rule_at;
} alert_t;

#define ALERT_NEVER INT64_MAX

//  Pending, with an id of its own.
alert_t *alert_new (const char *rule, const char *worker_id);
void alert_destroy (alert_t **self_p);

//  What it is about, as of now. facts null: of the fleet, where count workers fulfil the rule.
//  False: out of memory.
bool alert_describe (alert_t *self, const alert_rule_t *rule, const condition_facts_t *facts,
                     size_t count);

//  The members of the record, within an object that is open; and out of one. worker_id is for the
//  caller to write where it stands there already.
void alert_write (json_writer_t *json, const alert_t *self, bool with_worker_id);
alert_t *alert_read (const char *json, size_t size, reason_t *why);

#endif
