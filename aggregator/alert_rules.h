// alert_rules.h - when somebody should look: the rules, those built in and those of a file.
//
//   [cpu-high]                                the name; one of the built-in ones changes that one
//   when = cpu_utilization > 95               condition.h
//   for = 15m                                 how long it must hold; s, m, h, d. 0s: at once
//   clear_after = 2m                          how long it must not hold until the alert is cleared
//   severity = warning                        info, warning or critical
//   message = {name} is busy: {value} %       {name} {region} {value} {id}
//   at_least = 3                              one alert for the fleet when so many workers fulfil it,
//                                             instead of one for each worker
//   enabled = yes
//
// Parsed anew on a reload, then swapped: a file that is wrong changes nothing.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_ALERT_RULES_H
#define AGGREGATOR_ALERT_RULES_H

#include "condition.h"

#define ALERT_RULES_MAX    64  //  a worker's are the bits of one word
#define ALERT_NAME_SIZE    64
#define ALERT_MESSAGE_SIZE 200
#define ALERT_SECONDS_MAX  ((int64_t) 30 * 24 * 3600)
#define ALERT_AT_LEAST_MAX 1000000

typedef enum alert_severity { ALERT_INFO, ALERT_WARNING, ALERT_CRITICAL } alert_severity_t;

const char *alert_severity_name (alert_severity_t severity);

typedef struct alert_rule {
    char name [ALERT_NAME_SIZE];
    char message [ALERT_MESSAGE_SIZE];  //  "": the name and the rule in words
    condition_t *when;
    int64_t for_seconds, clear_seconds;
    int64_t at_least;  //  0: each worker for itself
    alert_severity_t severity;
    bool is_enabled;
    bool is_built_in;
} alert_rule_t;

typedef struct alert_rules {
    alert_rule_t rows [ALERT_RULES_MAX];
    size_t count;
} alert_rules_t;

//  path "": the built-in ones alone. Null and why, with file and line.
alert_rules_t *alert_rules_new (const char *path, reason_t *why);
void alert_rules_destroy (alert_rules_t **self_p);

//  The row of this name; count when there is none.
size_t alert_rules_find (const alert_rules_t *self, const char *name);

//  "cpu_utilization > 90 for 10m", "at least 3 workers: status = stopped".
void alert_rule_words (const alert_rule_t *self, char *text, size_t size);

//  "90s", "10m", "2h", "1d" in seconds; -EINVAL or -ERANGE and why.
int alert_parse_duration (const char *text, int64_t *seconds, reason_t *why);

#endif
