// SPDX-License-Identifier: MIT

#include "cml_push.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "cml_pace.h"
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
    cml_teller_t *teller;
    cml_poll_fn *poll;
    void *argument;
    stage_t stage;
    cml_socket_t *socket;
    unsigned generation;  //  of the token that was sent
    unsigned failures;    //  in a row
    bool spoke;           //  this connection has: the token is taken
    time_us_t opened;     //  steady
    loop_timer_t *again;  //  of WAITING
    char subject [ENVELOPE_SUBJECT_MAX], endpoint [CML_ENDPOINT_SIZE];
};

static time_us_t
steady (const cml_push_t *self)
{
    return collector_now (self->core).steady;
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
count_connected (const cml_push_t *self, double change)
{
    metric_t *gauge =
        metrics_add (collector_metrics (self->core), METRIC_GAUGE, "cmlwatch_cml_push_connected",
                     "CML servers that push to us: connected, and our token taken");
    metric_set (gauge, metric_value (gauge) + change);
}

static void
on_message (void *argument, const void *bytes, size_t size)
{
    cml_push_t *self = argument;
    assert (self->magic == PUSH_MAGIC && self->stage == LISTENING);

    if (!cml_teller_take (self->teller, bytes, size)) {
        return;
    }
    if (!self->spoke) {
        self->spoke = true;
        count_connected (self, 1);
        log_info ("CML pushes", LOG_TEXT ("worker", self->subject));
    }
}

//  --- the connection

static void
drop_socket (cml_push_t *self)
{
    cml_socket_destroy (&self->socket);
    cml_teller_rest (self->teller);
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

    cml_teller_place (self->teller, place);
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
    time_us_t stats_at = cml_teller_stats_at (self->teller);

    return self->stage == LISTENING && stats_at != TIME_UNKNOWN &&
           steady (self) - stats_at < self->settings->push_idle_ms * MS_US;
}

cml_push_t *
cml_push_new (collector_t *core, const cml_settings_t *settings, http_client_t *http,
              cml_session_t *session, cml_labs_t *labs, cml_poll_fn *poll, void *argument)
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
        .poll = poll,
        .argument = argument,
    };
    self->again = loop_timer_new (collector_loop (core), on_again, self);
    self->teller = cml_teller_new (core, settings, labs, poll, argument);
    return self->again && self->teller ? take_ptr (self) : NULL;
}

void
cml_push_destroy (cml_push_t **self_p)
{
    assert (self_p);

    cml_push_t *self = *self_p;
    if (self) {
        if (self->teller) {
            drop_socket (self);
        }
        loop_timer_destroy (&self->again);
        cml_teller_destroy (&self->teller);
        self->magic = 0;
        free (self);
        *self_p = NULL;
    }
}
