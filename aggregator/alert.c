// alert.c - see alert.h.
//
// SPDX-License-Identifier: MIT

#include "alert.h"

#include "../common/cleanup.h"
#include "../common/json.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const STATES [] = {"pending", "raised", "acknowledged", "cleared"};

alert_t *
alert_new (const char *rule, const char *worker_id)
{
    alert_t *self = calloc (1, sizeof *self);
    uuid_t id;

    if (self) {
        uuid_generate (id);
        uuid_unparse_lower (id, self->id);
        snprintf (self->rule, sizeof self->rule, "%s", rule);
        snprintf (self->worker_id, sizeof self->worker_id, "%s", worker_id);
        self->raised_at = self->acknowledged_at = self->cleared_at = TIME_UNKNOWN;
        self->due = ALERT_NEVER;
        self->holds = true;
    }
    return self;
}

void
alert_destroy (alert_t **self_p)
{
    assert (self_p);
    alert_t *self = *self_p;

    if (self) {
        free (self->name);
        free (self->region);
        free (self->value);
        free (self->threshold);
        free (self);
        *self_p = NULL;
    }
}

//  --- the message

//  A value as people read it: a text without its quotes, null as a word.
static void
put_value (buffer_t *out, const char *json)
{
    size_t size = strlen (json);

    if (size >= 2 && *json == '"') {
        buffer_append (out, json + 1, size - 2);
    } else {
        buffer_text (out, strcmp (json, "null") == 0 ? "unknown" : json);
    }
}

static void
put_word (const alert_t *self, buffer_t *out, const char *word, size_t size)
{
    const struct {
        const char *name, *text;
    } WORDS [] = {{"name", self->name ? self->name : "the fleet"},
                  {"region", self->region ? self->region : ""},
                  {"id", self->worker_id}};

    if (size == 5 && strncmp (word, "value", size) == 0) {
        put_value (out, self->value);
        return;
    }
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++) {
        if (strlen (WORDS [i].name) == size && strncmp (WORDS [i].name, word, size) == 0) {
            buffer_text (out, WORDS [i].text);
            return;
        }
    }
    buffer_format (out, "{%.*s}", (int) size, word);
}

static void
write_message (alert_t *self, const alert_rule_t *rule)
{
    buffer_t out = {0};
    char words [ALERT_TEXT_SIZE];
    const char *at = rule->message;

    if (!*at) {
        alert_rule_words (rule, words, sizeof words);
        buffer_format (&out, "%s: %s", self->name ? self->name : "the fleet", words);
    }
    while (*at) {
        const char *open = strchr (at, '{'), *close = open ? strchr (open, '}') : NULL;
        buffer_append (&out, at, close ? (size_t) (open - at) : strlen (at));
        if (close) {
            put_word (self, &out, open + 1, (size_t) (close - open - 1));
        }
        at = close ? close + 1 : at + strlen (at);
    }
    size_t size = out.data ? json_text_fit (out.data, sizeof self->message - 1) : 0;
    snprintf (self->message, sizeof self->message, "%.*s", (int) size, out.data ? out.data : "");
    buffer_clear (&out);
}

static char *
copy_or_null (const char *text, bool *ok)
{
    char *copy = text ? strdup (text) : NULL;

    *ok &= !text || copy;
    return copy;
}

bool
alert_describe (alert_t *self, const alert_rule_t *rule, const condition_facts_t *facts,
                size_t count)
{
    buffer_t value = {0}, threshold = {0};
    json_writer_t json = json_writer (&value), limit = json_writer (&threshold);
    bool ok = true;

    if (facts) {
        condition_write_value (rule->when, facts, &json);
        condition_write_threshold (rule->when, &limit);
        self->name = copy_or_null (facts->snapshot.name, &ok);
        self->region = copy_or_null (facts->snapshot.region, &ok);
    } else {
        json_put_integer (&json, (int64_t) count);
        json_put_integer (&limit, rule->at_least);
    }
    snprintf (self->metric, sizeof self->metric, "%s",
              facts ? condition_subject (rule->when) : "workers");
    self->severity = rule->severity;
    self->value = buffer_failed (&value) ? NULL : copy_or_null (value.data, &ok);
    self->threshold = buffer_failed (&threshold) ? NULL : copy_or_null (threshold.data, &ok);
    buffer_clear (&value);
    buffer_clear (&threshold);
    ok &= self->value && self->threshold;
    if (ok) {
        write_message (self, rule);
    }
    return ok;
}

//  --- the record

void
alert_write (json_writer_t *json, const alert_t *self, bool with_worker_id)
{
    json_member_text (json, "id", self->id);
    json_member_text (json, "rule", self->rule);
    json_member_text (json, "severity", alert_severity_name (self->severity));
    json_member_text (json, "state", STATES [self->state]);
    if (with_worker_id) {
        json_member_text (json, "worker_id", *self->worker_id ? self->worker_id : NULL);
    }
    json_member_text (json, "name", self->name);
    json_member_text (json, "region", self->region);
    json_member_text (json, "metric", self->metric);
    json_member_raw (json, "value", self->value, self->value ? strlen (self->value) : 0);
    json_member_raw (json, "threshold", self->threshold,
                     self->threshold ? strlen (self->threshold) : 0);
    json_member_text (json, "message", self->message);
    json_member_time (json, "raised_at", self->raised_at);
    json_member_time (json, "acknowledged_at", self->acknowledged_at);
    json_member_text (json, "acknowledged_by",
                      *self->acknowledged_by ? self->acknowledged_by : NULL);
    json_member_time (json, "cleared_at", self->cleared_at);
}

static void
copy_text (char *to, size_t size, struct json_object *from, const char *key)
{
    const char *text = json_get_text (from, key);

    snprintf (to, size, "%s", text ? text : "");
}

static char *
copy_json (struct json_object *from, const char *key)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_put_tree (&json, json_get (from, key));
    char *copy = buffer_failed (&out) ? NULL : strdup (out.data);
    buffer_clear (&out);
    return copy;
}

static int
read_word (const char *word, const char *const words [], int count)
{
    int at = 0;

    while (at < count && (!word || strcmp (word, words [at]) != 0)) {
        at++;
    }
    return at;
}

alert_t *
alert_read (const char *json, size_t size, reason_t *why)
{
    static const char *const SEVERITIES [] = {"info", "warning", "critical"};
    _cleanup_ (json_destroy) struct json_object *row = NULL;
    _cleanup_ (alert_destroy) alert_t *self = NULL;
    bool ok = true;

    if (json_parse (&row, json, size, size, why) < 0) {
        return NULL;
    }
    const char *rule = json_get_text (row, "rule"), *worker = json_get_text (row, "worker_id");
    int severity = read_word (json_get_text (row, "severity"), SEVERITIES, 3);
    int state = read_word (json_get_text (row, "state"), STATES, 4);
    if (!rule || !json_get_text (row, "id") || severity == 3 || state == 4) {
        reason_set (why, -EBADMSG, "an alert without id, rule, severity or state");
        return NULL;
    }
    if (state == ALERT_PENDING) {
        reason_set (why, -EBADMSG, "an alert that was never raised");
        return NULL;
    }
    self = alert_new (rule, worker ? worker : "");
    if (!self) {
        return NULL;
    }
    copy_text (self->id, sizeof self->id, row, "id");
    copy_text (self->metric, sizeof self->metric, row, "metric");
    copy_text (self->message, sizeof self->message, row, "message");
    copy_text (self->acknowledged_by, sizeof self->acknowledged_by, row, "acknowledged_by");
    self->severity = (alert_severity_t) severity;
    self->state = (alert_state_t) state;
    (void) json_get_time (row, "raised_at", &self->raised_at);
    (void) json_get_time (row, "acknowledged_at", &self->acknowledged_at);
    (void) json_get_time (row, "cleared_at", &self->cleared_at);
    self->name = copy_or_null (json_get_text (row, "name"), &ok);
    self->region = copy_or_null (json_get_text (row, "region"), &ok);
    self->value = copy_json (row, "value");
    self->threshold = copy_json (row, "threshold");
    if (self->raised_at == TIME_UNKNOWN ||
        (self->state == ALERT_CLEARED && self->cleared_at == TIME_UNKNOWN)) {
        reason_set (why, -EBADMSG, "an alert that was raised or cleared at no time");
        return NULL;
    }
    return ok && self->value && self->threshold ? take_ptr (self) : NULL;
}
