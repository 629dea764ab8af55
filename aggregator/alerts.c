// alerts.c - see alerts.h.
//
// Of each worker that fulfils any rule there is a mark, a word with a bit for each rule that holds:
// so a worker whose change changes no rule costs one look-up. Only a bit that turns leads to an alert.
//
// SPDX-License-Identifier: MIT

#include "alerts_state.h"

#include "../common/cleanup.h"
#include "../common/log.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_SIZE (ALERT_NAME_SIZE + 40)

static void
mark_destroy (void **mark_p)
{
    free (*mark_p);
    *mark_p = NULL;
}

static void
make_key (char key [KEY_SIZE], const char *rule, const char *worker)
{
    snprintf (key, KEY_SIZE, "%s|%s", rule, worker);
}

static void
raise_alert (alerts_t *self, alert_t *alert)
{
    const alert_rule_t *rule = &self->rules->rows [alert->rule_at];
    const worker_t *worker = *alert->worker_id ? fleet_find (self->fleet, alert->worker_id) : NULL;
    condition_facts_t facts = {0};

    if (!rule->is_enabled) {
        alert->would = true;
        alert->due = ALERT_NEVER;
        metric_increment (alerts_would_total (self, alert->rule));
        return;
    }
    if (worker) {
        facts = condition_facts (worker);
    }
    if (!alert_describe (alert, rule, worker ? &facts : NULL, self->holding [alert->rule_at])) {
        log_error ("an alert cannot be raised", LOG_TEXT ("rule", alert->rule),
                   LOG_TEXT ("reason", "out of memory"));
        alert->due = loop_now (self->loop).steady + SECOND_US;
        return;
    }
    alert->state = ALERT_RAISED;
    alert->raised_at = loop_now (self->loop).wall;
    alert->due = ALERT_NEVER;
    metric_increment (alerts_raised_total (self, alert->rule));
    log_info ("alert raised", LOG_TEXT ("rule", alert->rule),
              LOG_TEXT ("worker", *alert->worker_id ? alert->worker_id : NULL),
              LOG_TEXT ("message", alert->message));
    alerts_tell (self, alert);
}

static void
keep_cleared (alerts_t *self, alert_t *alert)
{
    zlistx_add_start (self->cleared, alert);
    while (zlistx_size (self->cleared) > ALERTS_CLEARED_KEPT) {
        const alert_t *oldest = zlistx_last (self->cleared);
        if (self->store) {
            store_delete (self->store, STORE_ALERTS, oldest->id);
        }
        zlistx_delete (self->cleared, zlistx_cursor (self->cleared));
    }
}

//  Takes it out of the open ones: a pending one is forgotten, another is told. alert is gone.
static void
end (alerts_t *self, alert_t *alert, const char *reason)
{
    char key [KEY_SIZE];

    make_key (key, alert->rule, alert->worker_id);
    if (!alert_is_told (alert)) {
        zhashx_delete (self->open, key);
        return;
    }
    zhashx_set_destructor (self->open, NULL);
    zhashx_delete (self->open, key);
    zhashx_set_destructor (self->open, (zhashx_destructor_fn *) alert_destroy);
    alert->state = ALERT_CLEARED;
    alert->cleared_at = loop_now (self->loop).wall;
    alert->due = ALERT_NEVER;
    snprintf (alert->cleared_for, sizeof alert->cleared_for, "%s", reason);
    log_info ("alert cleared", LOG_TEXT ("rule", alert->rule),
              LOG_TEXT ("worker", *alert->worker_id ? alert->worker_id : NULL),
              LOG_TEXT ("reason", reason));
    alerts_tell (self, alert);
    keep_cleared (self, alert);
}

//  --- what holds

static void
set_due (alerts_t *self, alert_t *alert, int64_t seconds)
{
    time_us_t now = loop_now (self->loop).steady;

    alert->due = now + seconds * SECOND_US;
    if (alert->due < self->next_due) {
        self->next_due = alert->due;
        loop_timer_after (self->timer, alert->due - now);
    }
}

//  The rule holds from now on. False: there is no room (A2).
static bool
begin (alerts_t *self, size_t rule_at, const char *worker)
{
    const alert_rule_t *rule = &self->rules->rows [rule_at];
    char key [KEY_SIZE];

    make_key (key, rule->name, worker);
    alert_t *alert = zhashx_lookup (self->open, key);
    if (alert) {
        alert->holds = true;
        alert->due = alert_is_told (alert) || alert->would ? ALERT_NEVER : alert->due;
        return true;
    }
    //  What only would be raised takes no room from what is.
    if (!rule->is_enabled && zhashx_size (self->open) >= (size_t) self->alerts_max / 2) {
        return false;
    }
    if (zhashx_size (self->open) >= (size_t) self->alerts_max ||
        !(alert = alert_new (rule->name, worker))) {
        metric_increment (self->refused);
        log_warn ("an alert is not kept", LOG_TEXT ("rule", rule->name),
                  LOG_TEXT ("reason", "alerts_max is reached"));
        return false;
    }
    alert->rule_at = rule_at;
    zhashx_insert (self->open, key, alert);
    if (rule->for_seconds == 0) {
        raise_alert (self, alert);
    } else {
        set_due (self, alert, rule->for_seconds);
    }
    return true;
}

static void
stop (alerts_t *self, size_t rule_at, const char *worker, const char *reason)
{
    const alert_rule_t *rule = &self->rules->rows [rule_at];
    char key [KEY_SIZE];

    make_key (key, rule->name, worker);
    alert_t *alert = zhashx_lookup (self->open, key);
    if (!alert) {
        return;
    }
    alert->holds = false;
    if (!(alert_is_told (alert) || alert->would) || rule->clear_seconds == 0) {
        end (self, alert, reason);
    } else {
        set_due (self, alert, rule->clear_seconds);
    }
}

//  A worker more or less fulfils the rule.
static bool
turn (alerts_t *self, size_t rule_at, const char *worker, bool holds, const char *reason)
{
    const alert_rule_t *rule = &self->rules->rows [rule_at];
    bool was = self->holding [rule_at] >= (size_t) rule->at_least;

    if (rule->at_least == 0) {
        bool done = true;
        if (holds) {
            done = begin (self, rule_at, worker);
        } else {
            stop (self, rule_at, worker, reason);
        }
        self->holding [rule_at] += done ? (holds ? 1 : -(size_t) 1) : 0;
        return done;
    }
    self->holding [rule_at] += holds ? 1 : -(size_t) 1;
    bool is = self->holding [rule_at] >= (size_t) rule->at_least;
    if (is && !was && !begin (self, rule_at, "")) {
        self->holding [rule_at]--;
        return false;
    }
    if (was && !is) {
        stop (self, rule_at, "", reason);
    }
    return true;
}

static void
set_mark (alerts_t *self, const char *worker, uint64_t *mark, uint64_t word)
{
    if (mark && word) {
        *mark = word;
    } else if (mark) {
        zhashx_delete (self->marks, worker);
    } else if (word && (mark = malloc (sizeof *mark))) {
        *mark = word;
        zhashx_insert (self->marks, worker, mark);
    }
}

static void
on_worker (void *argument, const worker_t *worker, bool is_gone)
{
    alerts_t *self = argument;
    condition_facts_t facts = condition_facts (worker);
    uint64_t *mark = zhashx_lookup (self->marks, worker_id (worker)), word = mark ? *mark : 0;

    for (size_t i = 0; i < self->rules->count; i++) {
        const alert_rule_t *rule = &self->rules->rows [i];
        bool held = word >> i & 1;
        bool holds = !is_gone && condition_holds (rule->when, &facts);
        if (held != holds && turn (self, i, worker_id (worker), holds,
                                   is_gone ? "the worker left the state" : "it holds no more")) {
            word ^= (uint64_t) 1 << i;
        }
    }
    set_mark (self, worker_id (worker), mark, word);
}

static void
hold_against_all (alerts_t *self)
{
    const worker_t *worker = fleet_next (self->fleet, "");

    for (; worker; worker = fleet_next (self->fleet, worker_id (worker))) {
        on_worker (self, worker, false);
    }
}

//  Those that the function picks, copied first: what is done with one may take it out of the set.
static zlistx_t *
pick (alerts_t *self, bool (*is_meant) (const alerts_t *self, const alert_t *alert))
{
    zlistx_t *picked = zlistx_new ();

    for (alert_t *alert = zhashx_first (self->open); alert; alert = zhashx_next (self->open)) {
        if (is_meant (self, alert)) {
            zlistx_add_end (picked, alert);
        }
    }
    return picked;
}

static bool
is_due (const alerts_t *self, const alert_t *alert)
{
    return alert->due <= loop_now (self->loop).steady;
}

static void
on_timer (void *argument)
{
    alerts_t *self = argument;
    time_us_t now = loop_now (self->loop).steady;
    zlistx_t *due = pick (self, is_due);

    for (alert_t *alert = zlistx_first (due); alert; alert = zlistx_next (due)) {
        if (alert->state == ALERT_PENDING && alert->holds) {
            raise_alert (self, alert);
        } else {
            end (self, alert, "it holds no more");
        }
    }
    zlistx_destroy (&due);
    self->next_due = ALERT_NEVER;
    for (alert_t *alert = zhashx_first (self->open); alert; alert = zhashx_next (self->open)) {
        self->next_due = alert->due < self->next_due ? alert->due : self->next_due;
    }
    if (self->next_due != ALERT_NEVER) {
        loop_timer_after (self->timer, self->next_due > now ? self->next_due - now : 0);
    }
}

//  --- its life

static bool
add_open (alerts_t *self, alert_t *alert)
{
    char key [KEY_SIZE];

    alert->rule_at = alert_rules_find (self->rules, alert->rule);
    make_key (key, alert->rule, alert->worker_id);
    return zhashx_insert (self->open, key, alert) == 0;
}

static void
restore (void *argument, const char *id, const void *bytes, size_t size)
{
    alerts_t *self = argument;
    reason_t why = {0};
    _cleanup_ (alert_destroy) alert_t *alert = alert_read (bytes, size, &why);

    if (alert && strcmp (alert->id, id) != 0) {
        reason_set (&why, -EBADMSG, "the row of another alert");
        alert_destroy (&alert);
    }
    if (!alert) {
        log_warn ("an alert of the store is left there", LOG_TEXT ("alert", id),
                  LOG_TEXT ("reason", why.text));
    } else if (alert->state == ALERT_CLEARED) {
        zlistx_add_end (self->cleared, take_ptr (alert));
    } else if (add_open (self, alert)) {
        alerts_count (self, alert, true);
        take_ptr (alert);
    }
}

static int
latest_first (const void *a, const void *b)
{
    const alert_t *first = a, *second = b;
    return first->cleared_at < second->cleared_at   ? 1
           : first->cleared_at > second->cleared_at ? -1
                                                    : 0;
}

//  Of no rule, of one that is of each worker now or of all, or of one that was turned on or off.
static bool
has_no_rule (const alerts_t *self, const alert_t *alert)
{
    const alert_rule_t *rule = &self->rules->rows [alert->rule_at];

    return alert->rule_at == self->rules->count ||
           (rule->at_least > 0) == (*alert->worker_id != '\0') ||
           (rule->is_enabled ? alert->would : alert_is_told (alert));
}

static bool
holds_not (const alerts_t *self, const alert_t *alert)
{
    (void) self;
    return !alert->holds;
}

//  Rules and workers are what they are now: what is open is held against them, and the time that one
//  has been pending goes on.
static void
settle (alerts_t *self)
{
    zhashx_purge (self->marks);
    memset (self->holding, 0, sizeof self->holding);
    for (alert_t *alert = zhashx_first (self->open); alert; alert = zhashx_next (self->open)) {
        alert->rule_at = alert_rules_find (self->rules, alert->rule);
        alert->holds = false;
    }
    zlistx_t *over = pick (self, has_no_rule);
    for (alert_t *alert = zlistx_first (over); alert; alert = zlistx_next (over)) {
        end (self, alert,
             alert->rule_at == self->rules->count ? "the rule is there no more"
                                                  : "the rule is another");
    }
    zlistx_destroy (&over);
    hold_against_all (self);
    zlistx_t *idle = pick (self, holds_not);
    for (alert_t *alert = zlistx_first (idle); alert; alert = zlistx_next (idle)) {
        bool is_gone = *alert->worker_id && !fleet_find (self->fleet, alert->worker_id);
        stop (self, alert->rule_at, alert->worker_id,
              is_gone ? "the worker left the state" : "it holds no more");
    }
    zlistx_destroy (&idle);
}

void
alerts_replace (alerts_t *self, alert_rules_t **rules)
{
    alert_rules_destroy (&self->rules);
    self->rules = take_ptr (*rules);
    settle (self);
}

static void
add_metrics (alerts_t *self, metrics_t *metrics)
{
    self->metrics = metrics;
    for (int severity = ALERT_INFO; severity <= ALERT_CRITICAL; severity++) {
        self->active [severity] = metrics_with (
            metrics, METRIC_GAUGE, "cmlwatch_alerts_active", "Alerts raised and not cleared yet",
            METRIC_LABELS ("severity", alert_severity_name ((alert_severity_t) severity)));
    }
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_alerts_refused_total",
                                 "Times an alert was not kept because alerts_max was reached");
}

alerts_t *
alerts_new (loop_t *loop, feed_t *feed, fleet_t *fleet, store_t *store, webhook_t *webhook,
            alert_rules_t **rules, int64_t alerts_max, metrics_t *metrics, reason_t *why)
{
    _cleanup_ (alerts_destroy) alerts_t *self = calloc (1, sizeof *self);

    if (self) {
        self->rules = take_ptr (*rules);
    }
    if (!self || !(self->timer = loop_timer_new (loop, on_timer, self)) ||
        !(self->open = zhashx_new ()) || !(self->marks = zhashx_new ()) ||
        !(self->cleared = zlistx_new ())) {
        reason_set (why, -ENOMEM, "alerts: out of memory");
        return NULL;
    }
    self->loop = loop;
    self->feed = feed;
    self->fleet = fleet;
    self->store = store;
    self->webhook = webhook;
    self->alerts_max = alerts_max;
    self->next_due = ALERT_NEVER;
    zhashx_set_destructor (self->open, (zhashx_destructor_fn *) alert_destroy);
    zhashx_set_destructor (self->marks, mark_destroy);
    zlistx_set_destructor (self->cleared, (zlistx_destructor_fn *) alert_destroy);
    zlistx_set_comparator (self->cleared, latest_first);
    add_metrics (self, metrics);
    if (store && store_each (store, STORE_ALERTS, "", restore, self, why) < 0) {
        return NULL;
    }
    zlistx_sort (self->cleared);
    fleet_watch (fleet, on_worker, self);
    settle (self);
    return take_ptr (self);
}

void
alerts_destroy (alerts_t **self_p)
{
    assert (self_p);
    alerts_t *self = *self_p;

    if (self) {
        if (self->fleet) {
            fleet_watch (self->fleet, NULL, NULL);
        }
        loop_timer_destroy (&self->timer);
        zhashx_destroy (&self->open);
        zhashx_destroy (&self->marks);
        zlistx_destroy (&self->cleared);
        alert_rules_destroy (&self->rules);
        free (self);
        *self_p = NULL;
    }
}
