// SPDX-License-Identifier: MIT

#include "cml_teller.h"

#include "../../common/cleanup.h"
#include "cml_said.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TELLER_MAGIC 0xc3117e11u

struct cml_teller {
    unsigned magic;
    collector_t *core;
    const cml_settings_t *settings;
    cml_labs_t *labs;
    cml_poll_fn *poll;
    void *argument;
    loop_timer_t *report;       //  what is owed, when it may be told
    struct json_object *stats;  //  owed; null: none
    bool owes_labs;
    time_us_t stats_at, polled_at;    //  steady
    time_us_t stats_told, labs_told;  //  the same
    time_us_t second_began;           //  the same; of the states counted in told
    int64_t told;
    char subject [ENVELOPE_SUBJECT_MAX], endpoint [CML_ENDPOINT_SIZE];
    int64_t interval_seconds;
};

static time_us_t
steady (const cml_teller_t *self)
{
    return collector_now (self->core).steady;
}

static cml_place_t
place_of (const cml_teller_t *self)
{
    return (cml_place_t){self->core, self->subject, self->endpoint, self->interval_seconds};
}

static void
count (const cml_teller_t *self, const char *name, const char *help, const char *label,
       const char *value)
{
    metric_increment (metrics_with (collector_metrics (self->core), METRIC_COUNTER, name, help,
                                    METRIC_LABELS (label, value)));
}

static void
count_dropped (const cml_teller_t *self, const char *reason)
{
    count (self, "cmlwatch_cml_push_dropped_total",
           "pushed messages that said nothing that is told, or could not be read", "reason",
           reason);
}

//  --- what is told

static void
publish_stats (cml_teller_t *self)
{
    cml_found_t found = {.stats = self->stats};
    cml_told_t none = {0};
    cml_place_t place = place_of (self);

    self->stats = NULL;
    cml_publish_system (&place, &found, &none, &none);
    cml_found_clear (&found);
}

static void
publish_labs (cml_teller_t *self)
{
    cml_found_t found = {0};
    cml_place_t place = place_of (self);

    self->owes_labs = false;
    cml_publish_labs (&place, &found, self->labs);
    cml_found_clear (&found);
}

//  True when something told then may be told again, else sees to it that it will be.
static bool
may_tell (cml_teller_t *self, time_us_t *told)
{
    time_us_t now = steady (self);
    time_us_t due = *told + self->settings->report_interval_ms * MS_US;

    if (*told != TIME_UNKNOWN && now < due) {
        if (!loop_timer_is_set (self->report)) {
            loop_timer_after (self->report, due - now);
        }
        return false;
    }
    *told = now;
    return true;
}

static void
report (void *argument)
{
    cml_teller_t *self = argument;
    assert (self->magic == TELLER_MAGIC);

    if (self->stats && may_tell (self, &self->stats_told)) {
        publish_stats (self);
    }
    if (self->owes_labs && may_tell (self, &self->labs_told)) {
        publish_labs (self);
    }
}

//  The list is asked at once when it was not lately, else with the round that comes anyway.
static void
want_poll (cml_teller_t *self)
{
    time_us_t now = steady (self);
    bool is_first = self->polled_at == TIME_UNKNOWN ||
                    now - self->polled_at >= self->settings->report_interval_ms * MS_US;

    if (is_first) {
        self->polled_at = now;
    }
    self->poll (self->argument, is_first);
}

static void
take_stats (cml_teller_t *self, const cml_said_t *said)
{
    if (!said->data) {
        count_dropped (self, "incomplete");
        return;
    }
    self->stats_at = steady (self);
    json_destroy (&self->stats);
    self->stats = json_object_get (said->data);
    report (self);
}

//  False for what is more in one second than push_events_max: a server that floods us is not to
//  flood everybody.
static bool
may_say (cml_teller_t *self)
{
    time_us_t now = steady (self);

    if (now - self->second_began >= SECOND_US) {
        self->second_began = now;
        self->told = 0;
    }
    bool may = self->told < self->settings->push_events_max;
    self->told += may;
    return may;
}

static void
take_state (cml_teller_t *self, const cml_said_t *said)
{
    cml_place_t place = place_of (self);

    if (!said->lab_id || !said->element_type || !said->element_id || !said->event) {
        count_dropped (self, "incomplete");
    } else if (strcmp (said->element_type, "node") != 0 || !self->settings->node_states) {
        count_dropped (self, "untold");
    } else if (!may_say (self)) {
        count_dropped (self, "flood");
    } else if (!cml_labs_set_node (self->labs, said->lab_id, said->element_id, said->event)) {
        count_dropped (self, "known");
    } else {
        cml_publish_lab_state (&place, said->lab_id, said->element_id, said->event);
    }
}

static void
take_lab_state (cml_teller_t *self, const cml_said_t *said)
{
    cml_place_t place = place_of (self);
    bool is_known = cml_labs_state (self->labs, said->lab_id) != NULL;

    if (!said->state) {
        count_dropped (self, "incomplete");
        return;
    }
    if (!may_say (self)) {
        count_dropped (self, "flood");
        want_poll (self);
        return;
    }
    if (!cml_labs_set_state (self->labs, said->lab_id, said->state)) {
        count_dropped (self, "known");
        return;
    }
    cml_publish_lab_state (&place, said->lab_id, NULL, said->state);
    if (is_known) {
        self->owes_labs = true;
        report (self);
    } else {
        want_poll (self);
    }
}

static void
take_lab_event (cml_teller_t *self, const cml_said_t *said)
{
    if (!said->lab_id || !said->event) {
        count_dropped (self, "incomplete");
    } else if (strcmp (said->event, "state") == 0) {
        take_lab_state (self, said);
    } else if (strcmp (said->event, "deleted") == 0) {
        cml_labs_drop (self->labs, said->lab_id);
        self->owes_labs = true;
        report (self);
    } else {  //  created, modified, and what a later version calls so
        want_poll (self);
    }
}

static void
take_untold (cml_teller_t *self, const cml_said_t *said)
{
    (void) said;
    count_dropped (self, "untold");
}

typedef void take_fn (cml_teller_t *self, const cml_said_t *said);

static take_fn *const TAKES [CML_SAID_TYPES] = {
    [CML_SAID_SYSTEM_STATS] = take_stats, [CML_SAID_LAB_STATS] = take_untold,
    [CML_SAID_STATE_CHANGE] = take_state, [CML_SAID_LAB_EVENT] = take_lab_event,
    [CML_SAID_OTHER] = take_untold,
};

bool
cml_teller_take (cml_teller_t *self, const void *bytes, size_t size)
{
    cml_said_t said = {0};
    reason_t why = {0};

    if (cml_said_read (&said, bytes, size, (size_t) self->settings->push_message_max, &why) < 0) {
        count_dropped (self, "malformed");
        return false;
    }
    count (self, "cmlwatch_cml_push_messages_total", "messages that CML servers have pushed",
           "type", cml_said_name (said.type));
    TAKES [said.type](self, &said);
    cml_said_clear (&said);
    return true;
}

void
cml_teller_place (cml_teller_t *self, const cml_place_t *place)
{
    snprintf (self->endpoint, sizeof self->endpoint, "%s", place->endpoint);
    snprintf (self->subject, sizeof self->subject, "%s", place->subject);
    self->interval_seconds = place->interval_seconds;
}

time_us_t
cml_teller_stats_at (const cml_teller_t *self)
{
    return self->stats_at;
}

void
cml_teller_rest (cml_teller_t *self)
{
    self->stats_at = TIME_UNKNOWN;
}

//  --- life

cml_teller_t *
cml_teller_new (collector_t *core, const cml_settings_t *settings, cml_labs_t *labs,
                cml_poll_fn *poll, void *argument)
{
    _cleanup_ (cml_teller_destroy) cml_teller_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    *self = (cml_teller_t){
        .magic = TELLER_MAGIC,
        .core = core,
        .settings = settings,
        .labs = labs,
        .poll = poll,
        .argument = argument,
        .stats_at = TIME_UNKNOWN,
        .polled_at = TIME_UNKNOWN,
        .stats_told = TIME_UNKNOWN,
        .labs_told = TIME_UNKNOWN,
    };
    self->report = loop_timer_new (collector_loop (core), report, self);
    return self->report ? take_ptr (self) : NULL;
}

void
cml_teller_destroy (cml_teller_t **self_p)
{
    assert (self_p);

    cml_teller_t *self = *self_p;
    if (self) {
        loop_timer_destroy (&self->report);
        json_destroy (&self->stats);
        self->magic = 0;
        free (self);
        *self_p = NULL;
    }
}
