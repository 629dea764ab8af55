// alerts_tell.c - what is told of alerts, and what is answered about them.
//
// SPDX-License-Identifier: MIT

#include "alerts_state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
save (alerts_t *self, const alert_t *alert)
{
    buffer_t row = {0};
    json_writer_t json = json_writer (&row);

    if (self->store) {
        json_open_object (&json);
        alert_write (&json, alert, true);
        json_close_object (&json);
        store_put (self->store, STORE_ALERTS, alert->id, row.data, row.size);
        buffer_clear (&row);
    }
}

void
alerts_count (alerts_t *self, const alert_t *alert, bool more)
{
    self->told [alert->severity] += more ? 1 : -(size_t) 1;
    metric_set (self->active [alert->severity], (double) self->told [alert->severity]);
}

metric_t *
alerts_raised_total (const alerts_t *self, const char *rule)
{
    return metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_alerts_raised_total",
                         "Alerts raised, by rule", METRIC_LABELS ("rule", rule));
}

metric_t *
alerts_would_total (const alerts_t *self, const char *rule)
{
    return metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_alerts_would_have_raised_total",
                         "Alerts that a rule which is off would have raised, by rule",
                         METRIC_LABELS ("rule", rule));
}

//  --- what is told

static void
write_head (json_writer_t *json, const alert_t *alert)
{
    json_member_text (json, "alert_id", alert->id);
}

static void
write_raised (json_writer_t *json, const alert_t *alert)
{
    write_head (json, alert);
    alert_write (json, alert, false);
}

static void
write_short (json_writer_t *json, const alert_t *alert)
{
    write_head (json, alert);
    json_member_text (json, "rule", alert->rule);
    json_member_text (json, "severity", alert_severity_name (alert->severity));
}

static void
write_acknowledged (json_writer_t *json, const alert_t *alert)
{
    write_short (json, alert);
    json_member_text (json, "acknowledged_by",
                      *alert->acknowledged_by ? alert->acknowledged_by : NULL);
    json_member_time (json, "acknowledged_at", alert->acknowledged_at);
}

static void
write_cleared (json_writer_t *json, const alert_t *alert)
{
    write_short (json, alert);
    json_member_raw (json, "value", alert->value, strlen (alert->value));
    json_member_text (json, "reason", alert->cleared_for);
    json_member_time (json, "cleared_at", alert->cleared_at);
    json_member_integer (json, "duration_seconds",
                         alert->cleared_at > alert->raised_at
                             ? (alert->cleared_at - alert->raised_at) / SECOND_US
                             : 0);
}

static const struct {
    event_type_t type;
    void (*write) (json_writer_t *json, const alert_t *alert);
} EVENTS [] = {[ALERT_RAISED] = {EVENT_ALERT_RAISED, write_raised},
               [ALERT_ACKNOWLEDGED] = {EVENT_ALERT_ACKNOWLEDGED, write_acknowledged},
               [ALERT_CLEARED] = {EVENT_ALERT_CLEARED, write_cleared}};

//  The same object on the stream and to the webhook. A worker that is gone is named all the same.
void
alerts_tell (alerts_t *self, const alert_t *alert)
{
    const worker_t *worker = *alert->worker_id ? fleet_find (self->fleet, alert->worker_id) : NULL;
    json_writer_t *told = feed_begin (self->feed, EVENTS [alert->state].type, NULL, worker);
    buffer_t data = {0};
    json_writer_t json = json_writer (&data);

    if (!worker) {
        json_member_text (told, "worker_id", *alert->worker_id ? alert->worker_id : NULL);
    }
    EVENTS [alert->state].write (told, alert);
    feed_end (self->feed);
    json_open_object (&json);
    json_member_text (&json, "worker_id", *alert->worker_id ? alert->worker_id : NULL);
    EVENTS [alert->state].write (&json, alert);
    json_close_object (&json);
    webhook_tell (self->webhook, EVENTS [alert->state].type, loop_now (self->loop).wall, data.data,
                  data.size);
    buffer_clear (&data);
    save (self, alert);
    if (alert->state != ALERT_ACKNOWLEDGED) {
        alerts_count (self, alert, alert->state == ALERT_RAISED);
    }
}

//  --- questions

static alert_t *
find (alerts_t *self, const char *id)
{
    for (alert_t *alert = zhashx_first (self->open); alert; alert = zhashx_next (self->open)) {
        if (alert_is_told (alert) && strcmp (alert->id, id) == 0) {
            return alert;
        }
    }
    for (alert_t *alert = zlistx_first (self->cleared); alert;
         alert = zlistx_next (self->cleared)) {
        if (strcmp (alert->id, id) == 0) {
            return alert;
        }
    }
    return NULL;
}

int
alerts_acknowledge (alerts_t *self, const char *id, const char *by, reason_t *why)
{
    alert_t *alert = find (self, id);

    if (!alert) {
        return reason_set (why, -ENOENT, "no alert has the id '%.80s'", id);
    }
    if (alert->state != ALERT_RAISED) {
        return reason_set (why, -EALREADY, "the alert is %s already",
                           alert->state == ALERT_CLEARED ? "cleared" : "acknowledged");
    }
    alert->state = ALERT_ACKNOWLEDGED;
    alert->acknowledged_at = loop_now (self->loop).wall;
    snprintf (alert->acknowledged_by, sizeof alert->acknowledged_by, "%s", by ? by : "");
    alerts_tell (self, alert);
    return 0;
}

static void
hand_out (const alert_t *alert, alerts_fn *fn, void *argument)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    alert_write (&json, alert, true);
    json_close_object (&json);
    fn (argument, out.data, out.size);
    buffer_clear (&out);
}

static int
newest_first (const void *a, const void *b)
{
    const alert_t *const *first = a, *const *second = b;
    return (*first)->raised_at < (*second)->raised_at   ? 1
           : (*first)->raised_at > (*second)->raised_at ? -1
                                                        : strcmp ((*first)->id, (*second)->id);
}

void
alerts_each (alerts_t *self, alerts_fn *fn, void *argument)
{
    size_t count = 0;
    const alert_t **rows = calloc (zhashx_size (self->open) + 1, sizeof (alert_t *));

    for (alert_t *alert = rows ? zhashx_first (self->open) : NULL; alert;
         alert = zhashx_next (self->open)) {
        if (alert_is_told (alert)) {
            rows [count++] = alert;
        }
    }
    if (count > 0) {
        qsort (rows, count, sizeof (alert_t *), newest_first);
    }
    for (size_t i = 0; i < count; i++) {
        hand_out (rows [i], fn, argument);
    }
    free (rows);
    for (alert_t *alert = zlistx_first (self->cleared); alert;
         alert = zlistx_next (self->cleared)) {
        hand_out (alert, fn, argument);
    }
}

bool
alerts_one (alerts_t *self, const char *id, alerts_fn *fn, void *argument)
{
    const alert_t *alert = find (self, id);

    if (alert) {
        hand_out (alert, fn, argument);
    }
    return alert != NULL;
}

static size_t
count_told (const alerts_t *self, size_t rule_at)
{
    size_t count = 0;

    for (alert_t *alert = zhashx_first (self->open); alert; alert = zhashx_next (self->open)) {
        count += alert_is_told (alert) && alert->rule_at == rule_at;
    }
    return count;
}

void
alerts_write_rules (const alerts_t *self, json_writer_t *json)
{
    char words [ALERT_TEXT_SIZE + ALERT_NAME_SIZE];

    json_open_array (json);
    for (size_t i = 0; i < self->rules->count; i++) {
        const alert_rule_t *rule = &self->rules->rows [i];
        alert_rule_words (rule, words, sizeof words);
        json_open_object (json);
        json_member_text (json, "name", rule->name);
        json_member_text (json, "words", words);
        json_member_text (json, "severity", alert_severity_name (rule->severity));
        json_member_bool (json, "is_enabled", rule->is_enabled);
        json_member_bool (json, "is_built_in", rule->is_built_in);
        json_member_integer (json, "active", (int64_t) count_told (self, i));
        json_member_integer (json, "raised_total",
                             (int64_t) metric_value (alerts_raised_total (self, rule->name)));
        json_member_integer (json, "would_have_raised_total",
                             (int64_t) metric_value (alerts_would_total (self, rule->name)));
        json_close_object (json);
    }
    json_close_array (json);
}
