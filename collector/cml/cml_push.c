// SPDX-License-Identifier: MIT

#include "cml_push.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "cml_pace.h"
#include "cml_said.h"
#include "cml_socket.h"
#include "cml_token.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PUSH_MAGIC 0xc3112054u
#define PATH       "/ws/ui"
#define SCHEME     "https://"
#define URL_SIZE   (CML_ENDPOINT_SIZE + 16)
#define TOKEN_SIZE (CML_TOKEN_MAX + 32)

typedef enum stage { IDLE, LOGIN, CONNECTING, LISTENING, WAITING } stage_t;

struct cml_push {
    unsigned magic;
    collector_t *core;
    const cml_settings_t *settings;
    http_client_t *http;
    cml_session_t *session;
    cml_labs_t *labs;
    cml_push_poll_fn *poll;
    void *argument;
    stage_t stage;
    cml_socket_t *socket;
    unsigned generation;                    //  of the token that was sent
    unsigned failures;                      //  in a row
    bool spoke;                             //  this connection has: the token is taken
    time_us_t opened, stats_at, polled_at;  //  steady
    loop_timer_t *again;                    //  of WAITING
    loop_timer_t *report;                   //  what is owed, when it may be told
    struct json_object *stats;              //  owed; null: none
    bool owes_labs;
    time_us_t stats_told, labs_told;  //  steady
    char subject [ENVELOPE_SUBJECT_MAX], endpoint [CML_ENDPOINT_SIZE];
    int64_t interval_seconds;
};

static time_us_t
steady (const cml_push_t *self)
{
    return collector_now (self->core).steady;
}

static cml_place_t
place_of (const cml_push_t *self)
{
    return (cml_place_t){self->core, self->subject, self->endpoint, self->interval_seconds};
}

//  --- counted

static void
count (const cml_push_t *self, const char *name, const char *help, const char *label,
       const char *value)
{
    metric_increment (metrics_with (collector_metrics (self->core), METRIC_COUNTER, name, help,
                                    METRIC_LABELS (label, value)));
}

static void
count_dropped (const cml_push_t *self, const char *reason)
{
    count (self, "cmlwatch_cml_push_dropped_total",
           "pushed messages that said nothing that is told, or could not be read", "reason",
           reason);
}

static void
count_connected (const cml_push_t *self, double change)
{
    metric_t *gauge =
        metrics_add (collector_metrics (self->core), METRIC_GAUGE, "cmlwatch_cml_push_connected",
                     "CML servers that push to us: connected, and our token taken");
    metric_set (gauge, metric_value (gauge) + change);
}

//  --- what is told

static void
publish_stats (cml_push_t *self)
{
    cml_found_t found = {.stats = self->stats};
    cml_told_t none = {0};
    cml_place_t place = place_of (self);

    self->stats = NULL;
    cml_publish_system (&place, &found, &none, &none);
    cml_found_clear (&found);
}

static void
publish_labs (cml_push_t *self)
{
    cml_found_t found = {0};
    cml_place_t place = place_of (self);

    self->owes_labs = false;
    cml_publish_labs (&place, &found, self->labs);
    cml_found_clear (&found);
}

//  True when something told then may be told again, else sees to it that it will be.
static bool
may_tell (cml_push_t *self, time_us_t *told)
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
    cml_push_t *self = argument;
    assert (self->magic == PUSH_MAGIC);

    if (self->stats && may_tell (self, &self->stats_told)) {
        publish_stats (self);
    }
    if (self->owes_labs && may_tell (self, &self->labs_told)) {
        publish_labs (self);
    }
}

//  The list is asked at once when it was not lately, else with the round that comes anyway.
static void
want_poll (cml_push_t *self)
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
take_stats (cml_push_t *self, const cml_said_t *said)
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

static void
take_state (cml_push_t *self, const cml_said_t *said)
{
    cml_place_t place = place_of (self);

    if (!said->lab_id || !said->element_type || !said->element_id || !said->event) {
        count_dropped (self, "incomplete");
    } else if (strcmp (said->element_type, "node") != 0 || !self->settings->node_states) {
        count_dropped (self, "untold");
    } else if (!cml_labs_set_node (self->labs, said->lab_id, said->element_id, said->event)) {
        count_dropped (self, "known");
    } else {
        cml_publish_lab_state (&place, said->lab_id, said->element_id, said->event);
    }
}

static void
take_lab_state (cml_push_t *self, const cml_said_t *said)
{
    cml_place_t place = place_of (self);
    bool is_known = cml_labs_state (self->labs, said->lab_id) != NULL;

    if (!said->state) {
        count_dropped (self, "incomplete");
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
take_lab_event (cml_push_t *self, const cml_said_t *said)
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
take_untold (cml_push_t *self, const cml_said_t *said)
{
    (void) said;
    count_dropped (self, "untold");
}

typedef void take_fn (cml_push_t *self, const cml_said_t *said);

static take_fn *const TAKES [CML_SAID_TYPES] = {
    [CML_SAID_SYSTEM_STATS] = take_stats, [CML_SAID_LAB_STATS] = take_untold,
    [CML_SAID_STATE_CHANGE] = take_state, [CML_SAID_LAB_EVENT] = take_lab_event,
    [CML_SAID_OTHER] = take_untold,
};

static void
on_message (void *argument, const void *bytes, size_t size)
{
    cml_push_t *self = argument;
    assert (self->magic == PUSH_MAGIC && self->stage == LISTENING);
    cml_said_t said = {0};
    reason_t why = {0};

    if (cml_said_read (&said, bytes, size, (size_t) self->settings->push_message_max, &why) < 0) {
        count_dropped (self, "malformed");
        return;
    }
    if (!self->spoke) {
        self->spoke = true;
        count_connected (self, 1);
        log_info ("CML pushes", LOG_TEXT ("worker", self->subject));
    }
    count (self, "cmlwatch_cml_push_messages_total", "messages that CML servers have pushed",
           "type", cml_said_name (said.type));
    TAKES [said.type](self, &said);
    cml_said_clear (&said);
}

//  --- the connection

static void
drop_socket (cml_push_t *self)
{
    cml_socket_destroy (&self->socket);
    self->stats_at = TIME_UNKNOWN;
    if (self->spoke) {
        count_connected (self, -1);
        self->spoke = false;
    }
}

static void
fail (cml_push_t *self, const char *reason, const char *why, bool is_absent)
{
    time_us_t now = steady (self);
    bool was_steady = self->spoke && now - self->opened >= CML_PUSH_STEADY;

    count (self, "cmlwatch_cml_push_reconnects_total",
           "connections that ended or did not come about, and are tried again", "reason", reason);
    drop_socket (self);
    self->failures = was_steady ? 1 : self->failures + 1;
    self->stage = WAITING;
    loop_timer_after (self->again,
                      is_absent ? self->settings->push_again_ms * MS_US
                                : cml_pace_wait (self->failures, collector_random (self->core)));
    if (self->failures == 1 || self->failures == CML_PACE_GIVEUP) {
        log_info (is_absent || self->failures == 1 ? "CML's push is lost or not there"
                                                   : "CML's push fails: the server is polled",
                  LOG_TEXT ("worker", self->subject), LOG_TEXT ("code", reason),
                  LOG_TEXT ("reason", why));
    }
    self->poll (self->argument, self->failures == CML_PACE_GIVEUP);
}

static void
on_ended (void *argument, cml_socket_end_t end, const char *why)
{
    cml_push_t *self = argument;
    assert (self->magic == PUSH_MAGIC);
    reason_t kept = {0};

    (void) reason_set (&kept, -1, "%s", why);  //  why goes with the socket
    if (end == CML_SOCKET_LOGIN) {
        (void) cml_session_refuse (self->session, self->generation);
    }
    fail (self, cml_socket_end_name (end), kept.text, end == CML_SOCKET_ABSENT);
}

static void
on_opened (void *argument)
{
    cml_push_t *self = argument;
    assert (self->magic == PUSH_MAGIC && self->stage == CONNECTING);
    char text [TOKEN_SIZE];
    const char *token = cml_session_token (self->session, &self->generation);

    self->stage = LISTENING;
    self->opened = steady (self);
    //  A JWT needs no escapes (RFC 7515 section 3). Without one the server closes with 3000.
    int size = snprintf (text, sizeof text, "{\"token\":\"%s\"}", token ? token : "");
    if (size > 0 && size < (int) sizeof text) {
        (void) cml_socket_send (self->socket, text, (size_t) size);
    }
    explicit_bzero (text, sizeof text);
}

static void
connect_now (cml_push_t *self)
{
    static const cml_socket_events_t EVENTS = {on_opened, on_message, on_ended};
    char url [URL_SIZE];
    reason_t why = {0};
    const cml_socket_settings_t settings = {
        .host = self->endpoint + strlen (SCHEME),
        .path = PATH,
        .upgrade_ms = self->settings->total_ms,
        .idle_ms = self->settings->push_idle_ms,
        .message_max = (size_t) self->settings->push_message_max,
    };

    snprintf (url, sizeof url, "%s" PATH, self->endpoint);
    http_request_t request = cml_session_request (self->session, "GET", url, NULL);
    self->stage = CONNECTING;
    self->socket = cml_socket_new (collector_loop (self->core), self->http, &request, &settings,
                                   &EVENTS, self, &why);
    if (!self->socket) {
        fail (self, cml_socket_end_name (CML_SOCKET_UNREACHABLE), why.text, false);
    }
}

static void
on_login (void *argument, const cml_reply_t *reply)
{
    cml_push_t *self = argument;
    unsigned generation;

    if (self->stage != LOGIN) {  //  at another address meanwhile
        return;
    }
    if (cml_session_token (self->session, &generation)) {
        connect_now (self);
    } else {
        fail (self, cml_socket_end_name (CML_SOCKET_LOGIN), reply->message ? reply->message : "",
              false);
    }
}

//  Any request that needs a login makes the session fetch a token; this one says nothing else.
static void
begin (cml_push_t *self)
{
    static const cml_ask_t AUTHOK = {"authok", "/authok", 4096, json_type_string, false};
    unsigned generation;

    if (cml_session_token (self->session, &generation)) {
        connect_now (self);
        return;
    }
    self->stage = LOGIN;
    if (cml_session_ask (self->session, &AUTHOK, on_login, self) < 0) {
        fail (self, cml_socket_end_name (CML_SOCKET_LOGIN), "out of memory", false);
    }
}

//  Up to the third failure; then a round begins it.
static void
on_again (void *argument)
{
    cml_push_t *self = argument;
    assert (self->magic == PUSH_MAGIC && self->stage == WAITING);

    if (self->failures < CML_PACE_GIVEUP) {
        begin (self);
    }
}

//  --- for the round

void
cml_push_rest (cml_push_t *self)
{
    drop_socket (self);
    loop_timer_stop (self->again);
    self->failures = 0;
    self->stage = IDLE;
}

void
cml_push_attend (cml_push_t *self, const cml_place_t *place)
{
    bool moved = strcmp (self->endpoint, place->endpoint) != 0;

    self->interval_seconds = place->interval_seconds;
    if (moved) {
        cml_push_rest (self);
        snprintf (self->endpoint, sizeof self->endpoint, "%s", place->endpoint);
        snprintf (self->subject, sizeof self->subject, "%s", place->subject);
    }
    bool may_retry = self->stage == WAITING && !loop_timer_is_set (self->again);
    if (self->stage == IDLE || may_retry) {
        begin (self);
    }
}

bool
cml_push_speaks (const cml_push_t *self)
{
    return self->stage == LISTENING && self->stats_at != TIME_UNKNOWN &&
           steady (self) - self->stats_at < self->settings->push_idle_ms * MS_US;
}

cml_push_t *
cml_push_new (collector_t *core, const cml_settings_t *settings, http_client_t *http,
              cml_session_t *session, cml_labs_t *labs, cml_push_poll_fn *poll, void *argument)
{
    _cleanup_ (cml_push_destroy) cml_push_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    *self = (cml_push_t){
        .magic = PUSH_MAGIC,
        .core = core,
        .settings = settings,
        .http = http,
        .session = session,
        .labs = labs,
        .poll = poll,
        .argument = argument,
        .stats_at = TIME_UNKNOWN,
        .polled_at = TIME_UNKNOWN,
        .stats_told = TIME_UNKNOWN,
        .labs_told = TIME_UNKNOWN,
    };
    self->again = loop_timer_new (collector_loop (core), on_again, self);
    self->report = loop_timer_new (collector_loop (core), report, self);
    return self->again && self->report ? take_ptr (self) : NULL;
}

void
cml_push_destroy (cml_push_t **self_p)
{
    assert (self_p);

    cml_push_t *self = *self_p;
    if (self) {
        drop_socket (self);
        loop_timer_destroy (&self->again);
        loop_timer_destroy (&self->report);
        json_destroy (&self->stats);
        self->magic = 0;
        free (self);
        *self_p = NULL;
    }
}
