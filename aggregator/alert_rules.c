// alert_rules.c - see alert_rules.h.
//
// SPDX-License-Identifier: MIT

#include "alert_rules.h"

#include "../common/cleanup.h"
#include "../common/ini_file.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct setting {
    const char *key, *value;
} setting_t;

#define SETTINGS_MAX 6

//  What the operator of a fleet is woken for, or told when he looks. A CML needs minutes from its
//  instance's start until it answers.
static const struct {
    const char *name;
    setting_t settings [SETTINGS_MAX];
} BUILT_IN [] = {
    {"check-impaired",
     {{"when", "ec2_system_status_check = impaired and status = running"},
      {"for", "2m"},
      {"severity", "critical"},
      {"message", "{name}: EC2 says that its status check is {value}"}}},
    {"cml-unavailable",
     {{"when", "service_status = unavailable|error and status = running"},
      {"for", "10m"},
      {"severity", "critical"},
      {"message", "{name} runs, but its CML is {value}"}}},
    {"cpu-high",
     {{"when", "cpu_utilization > 90 and status = running"},
      {"for", "10m"},
      {"clear_after", "2m"},
      {"severity", "warning"},
      {"message", "{name}: the CPU has been over 90 % for ten minutes"}}},
    {"disk-full",
     {{"when", "storage_utilization > 90 and status = running"},
      {"for", "10m"},
      {"clear_after", "2m"},
      {"severity", "warning"},
      {"message", "{name}: its disk is {value} % full"}}},
    {"data-stale",
     {{"when", "freshness = stale|error and status = running"},
      {"for", "5m"},
      {"severity", "warning"},
      {"message", "{name}: what is shown of it is old ({value})"}}},
    {"idle-running",
     {{"when", "idle_minutes >= 60 and status = running"},
      {"severity", "info"},
      {"message", "{name} runs and costs, and nobody has used it for {value} minutes"}}},
};

static const char *const SEVERITIES [] = {"info", "warning", "critical"};

const char *
alert_severity_name (alert_severity_t severity)
{
    return SEVERITIES [severity];
}

//  --- one setting of a rule

int
alert_parse_duration (const char *text, int64_t *seconds, reason_t *why)
{
    static const struct {
        char unit;
        int64_t seconds;
    } UNITS [] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    char *end = NULL;

    errno = 0;
    long long count = isdigit ((unsigned char) *text) ? strtoll (text, &end, 10) : -1;
    for (size_t i = 0; end && i < sizeof UNITS / sizeof *UNITS; i++) {
        if (*end != UNITS [i].unit || end [1]) {
            continue;
        }
        if (errno || count > ALERT_SECONDS_MAX / UNITS [i].seconds) {
            return reason_set (why, -ERANGE, "'%.40s' is more than 30 days", text);
        }
        *seconds = count * UNITS [i].seconds;
        return 0;
    }
    return reason_set (why, -EINVAL, "'%.40s' is no duration, as 90s, 10m, 2h or 1d are", text);
}

static int
set_when (alert_rule_t *rule, const char *value, reason_t *why)
{
    condition_t *when = condition_parse (value, why);

    if (!when) {
        return -EINVAL;
    }
    condition_destroy (&rule->when);
    rule->when = when;
    return 0;
}

static int
set_for (alert_rule_t *rule, const char *value, reason_t *why)
{
    return alert_parse_duration (value, &rule->for_seconds, why);
}

static int
set_clear_after (alert_rule_t *rule, const char *value, reason_t *why)
{
    return alert_parse_duration (value, &rule->clear_seconds, why);
}

static int
set_severity (alert_rule_t *rule, const char *value, reason_t *why)
{
    for (int severity = ALERT_INFO; severity <= ALERT_CRITICAL; severity++) {
        if (strcmp (value, SEVERITIES [severity]) == 0) {
            rule->severity = (alert_severity_t) severity;
            return 0;
        }
    }
    return reason_set (why, -EINVAL, "'%.40s' is none of info, warning, critical", value);
}

static int
set_message (alert_rule_t *rule, const char *value, reason_t *why)
{
    if (strlen (value) >= sizeof rule->message) {
        return reason_set (why, -E2BIG, "it is longer than %zu bytes", sizeof rule->message - 1);
    }
    snprintf (rule->message, sizeof rule->message, "%s", value);
    return 0;
}

static int
set_at_least (alert_rule_t *rule, const char *value, reason_t *why)
{
    char *end;

    errno = 0;
    long long count = strtoll (value, &end, 10);
    if (!*value || *end || errno || count < 0 || count > ALERT_AT_LEAST_MAX) {
        return reason_set (why, -ERANGE, "'%.40s' is not 0 to %d", value, ALERT_AT_LEAST_MAX);
    }
    rule->at_least = count;
    return 0;
}

static int
set_enabled (alert_rule_t *rule, const char *value, reason_t *why)
{
    if (strcmp (value, "yes") != 0 && strcmp (value, "no") != 0) {
        return reason_set (why, -EINVAL, "'%.40s' is neither yes nor no", value);
    }
    rule->is_enabled = *value == 'y';
    return 0;
}

static const struct {
    const char *name;
    int (*set) (alert_rule_t *rule, const char *value, reason_t *why);
} KEYS [] = {{"when", set_when},         {"for", set_for},         {"clear_after", set_clear_after},
             {"severity", set_severity}, {"message", set_message}, {"at_least", set_at_least},
             {"enabled", set_enabled}};

static int
set (alert_rule_t *rule, const char *key, const char *value, reason_t *why)
{
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        if (strcmp (KEYS [i].name, key) == 0) {
            reason_t inner = {0};
            int rc = KEYS [i].set (rule, value, &inner);
            return rc < 0 ? reason_set (why, rc, "%s: %s", key, inner.text) : 0;
        }
    }
    return reason_set (why, -ENOENT,
                       "'%.60s' is none of when, for, clear_after, severity, message, at_least, "
                       "enabled",
                       key);
}

//  --- all of them

size_t
alert_rules_find (const alert_rules_t *self, const char *name)
{
    size_t at = 0;

    while (at < self->count && strcmp (self->rows [at].name, name) != 0) {
        at++;
    }
    return at;
}

static bool
is_name (const char *name)
{
    size_t size = strlen (name);

    for (const char *at = name; *at; at++) {
        if (!islower ((unsigned char) *at) && !isdigit ((unsigned char) *at) &&
            !strchr ("-_.", *at)) {
            return false;
        }
    }
    return size > 0 && size < ALERT_NAME_SIZE;
}

static alert_rule_t *
add (alert_rules_t *self, const char *name, reason_t *why)
{
    size_t at = alert_rules_find (self, name);

    if (at < self->count) {
        return &self->rows [at];
    }
    if (!is_name (name)) {
        reason_set (why, -EINVAL,
                    "[%.60s] is no name of a rule: 1 to %d of a-z, 0-9, '-', '_' and '.'", name,
                    ALERT_NAME_SIZE - 1);
        return NULL;
    }
    if (self->count == ALERT_RULES_MAX) {
        reason_set (why, -E2BIG, "[%s] is one rule too many; at most %d", name, ALERT_RULES_MAX);
        return NULL;
    }
    alert_rule_t *rule = &self->rows [self->count++];
    snprintf (rule->name, sizeof rule->name, "%s", name);
    rule->severity = ALERT_WARNING;
    rule->is_enabled = true;
    return rule;
}

static int
add_built_in (alert_rules_t *self, reason_t *why)
{
    for (size_t i = 0; i < sizeof BUILT_IN / sizeof *BUILT_IN; i++) {
        alert_rule_t *rule = add (self, BUILT_IN [i].name, why);
        assert (rule);
        rule->is_built_in = true;
        for (const setting_t *at = BUILT_IN [i].settings;
             at < BUILT_IN [i].settings + SETTINGS_MAX && at->key; at++) {
            int rc = set (rule, at->key, at->value, why);
            if (rc < 0) {
                return rc;
            }
        }
    }
    return 0;
}

typedef struct reading {
    alert_rules_t *rules;
    alert_rule_t *rule;
} reading_t;

static int
take (void *argument, const char *section, const char *key, const char *value, reason_t *why)
{
    reading_t *reading = argument;

    if (key) {
        return set (reading->rule, key, value, why);
    }
    reading->rule = add (reading->rules, section, why);
    return reading->rule ? 0 : -EINVAL;
}

static int
check_whole (const alert_rules_t *self, const char *path, reason_t *why)
{
    for (size_t i = 0; i < self->count; i++) {
        if (!self->rows [i].when) {
            return reason_set (why, -EINVAL, "%.300s: [%s] has no 'when'", path,
                               self->rows [i].name);
        }
    }
    return 0;
}

alert_rules_t *
alert_rules_new (const char *path, reason_t *why)
{
    _cleanup_ (alert_rules_destroy) alert_rules_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "alert rules: out of memory");
        return NULL;
    }
    reading_t reading = {.rules = self};
    int rc = add_built_in (self, why);
    if (rc == 0 && *path) {
        rc = ini_file_read (path, false, take, &reading, why);
    }
    rc = rc < 0 ? rc : check_whole (self, path, why);
    return rc < 0 ? NULL : take_ptr (self);
}

void
alert_rules_destroy (alert_rules_t **self_p)
{
    assert (self_p);
    alert_rules_t *self = *self_p;

    if (self) {
        for (size_t i = 0; i < self->count; i++) {
            condition_destroy (&self->rows [i].when);
        }
        free (self);
        *self_p = NULL;
    }
}

static void
write_duration (char *text, size_t size, int64_t seconds)
{
    bool days = seconds % 86400 == 0, hours = seconds % 3600 == 0, minutes = seconds % 60 == 0;
    int64_t unit = days ? 86400 : hours ? 3600 : minutes ? 60 : 1;

    snprintf (text, size, " for %" PRId64 "%c", seconds / unit,
              days      ? 'd'
              : hours   ? 'h'
              : minutes ? 'm'
                        : 's');
}

void
alert_rule_words (const alert_rule_t *self, char *text, size_t size)
{
    char many [48] = "", duration [32] = "";

    if (self->at_least > 0) {
        snprintf (many, sizeof many, "at least %" PRId64 " workers: ", self->at_least);
    }
    if (self->for_seconds > 0) {
        write_duration (duration, sizeof duration, self->for_seconds);
    }
    snprintf (text, size, "%s%s%s", many, condition_text (self->when), duration);
}
