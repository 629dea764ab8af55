// SPDX-License-Identifier: MIT

#include "cml_session.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"
#include "cml_login.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_MAGIC 0xc3115e55u
#define REQUEST_MAGIC 0xc311a5c0u
#define URL_SIZE      (CML_ENDPOINT_SIZE + 128)
#define TOKEN_ANSWER  ((size_t) 64 * 1024)

typedef struct request {
    unsigned magic;
    cml_session_t *session;
    char url [URL_SIZE];
    cml_ask_t ask;  //  its path is not kept
    cml_reply_fn *fn;
    void *argument;
    http_call_t *call;    //  null while it waits
    unsigned generation;  //  of the token it was sent with
} request_t;

struct cml_session {
    unsigned magic;
    collector_t *core;               //  borrowed
    const cml_settings_t *settings;  //  borrowed
    cml_server_t server;
    char region [64], subject [ENVELOPE_SUBJECT_MAX];
    cml_login_t login;
    http_call_t *login_call;
    reason_t login_why;          //  of the last refused login
    zlistx_t *waiting, *flying;  //  of request_t
    cml_fault_t down;            //  for the rest of the round; CML_OK: not
    reason_t down_why;
    tracing_scope_t scope;  //  of the round that last asked
    loop_timer_t *timer;
};

static time_us_t
steady (const cml_session_t *self)
{
    return collector_now (self->core).steady;
}

static void
count (const cml_session_t *self, const char *name, cml_fault_t fault)
{
    metric_increment (
        metrics_with (collector_metrics (self->core), METRIC_COUNTER, "cmlwatch_cml_requests_total",
                      "requests answered by CML servers, or not",
                      METRIC_LABELS ("request", name, "outcome", cml_fault_outcome (fault))));
    //  What an older version does not have is answered too.
    usage_count (collector_usage (self->core), "", self->region,
                 fault == CML_OK || fault == CML_MISSING ? USAGE_ANSWERED : USAGE_FAILED);
}

//  --- life

static void
request_destroy (request_t **self_p)
{
    request_t *self = take_ptr (*self_p);

    if (self) {
        assert (self->magic == REQUEST_MAGIC);
        if (self->call) {
            http_call_cancel (&self->call);
        }
        free (self);
    }
}

static void
destroy_all (zlistx_t **list_p)
{
    for (request_t *request = *list_p ? zlistx_first (*list_p) : NULL; request;
         request = zlistx_next (*list_p)) {
        request_destroy (&request);
    }
    zlistx_destroy (list_p);
}

static void work (void *argument);

cml_session_t *
cml_session_new (collector_t *core, const cml_settings_t *settings)
{
    _cleanup_ (cml_session_destroy) cml_session_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->magic = SESSION_MAGIC;
    self->core = core;
    self->settings = settings;
    cml_login_init (&self->login);
    self->waiting = zlistx_new ();
    self->flying = zlistx_new ();
    self->timer = loop_timer_new (collector_loop (core), work, self);
    return self->timer ? take_ptr (self) : NULL;
}

void
cml_session_destroy (cml_session_t **self_p)
{
    assert (self_p);

    cml_session_t *self = *self_p;
    if (self) {
        if (self->login_call) {
            http_call_cancel (&self->login_call);
        }
        destroy_all (&self->flying);
        destroy_all (&self->waiting);
        loop_timer_destroy (&self->timer);
        cml_login_clear (&self->login);
        free (self);
        *self_p = NULL;
    }
}

void
cml_session_begin (cml_session_t *self, const cml_server_t *server, const char *region,
                   const char *subject)
{
    if (self->server.account != server->account) {  //  the token is another's
        if (self->login_call) {
            http_call_cancel (&self->login_call);
        }
        cml_login_clear (&self->login);
        cml_login_init (&self->login);
    }
    self->server = *server;
    self->down = CML_OK;
    snprintf (self->region, sizeof self->region, "%s", region);
    snprintf (self->subject, sizeof self->subject, "%s", subject);
    cml_login_begin_round (&self->login);
}

const char *
cml_session_account (const cml_session_t *self)
{
    return self->login.account_id;
}

void
cml_session_set_account (cml_session_t *self, const char *account_id)
{
    snprintf (self->login.account_id, sizeof self->login.account_id, "%s", account_id);
}

int
cml_session_ask (cml_session_t *self, const cml_ask_t *ask, cml_reply_fn *fn, void *argument)
{
    request_t *request = calloc (1, sizeof *request);
    if (!request) {
        return -ENOMEM;
    }
    *request = (request_t){
        .magic = REQUEST_MAGIC, .session = self, .ask = *ask, .fn = fn, .argument = argument};
    snprintf (request->url, sizeof request->url, "%s/api/v0%s", self->server.endpoint, ask->path);
    request->ask.path = NULL;
    self->scope = tracing_scope (collector_tracing (self->core));
    zlistx_add_end (self->waiting, request);
    loop_timer_after (self->timer, 0);
    return 0;
}

//  --- for a connection of another kind

http_request_t
cml_session_request (const cml_session_t *self, const char *method, const char *url,
                     const char *const *headers)
{
    const cml_settings_t *settings = self->settings;

    return (http_request_t){
        .method = method,
        .url = url,
        .headers = headers,
        .verify = (http_verify_t) settings->verify,
        .ca_file = *settings->ca_file ? settings->ca_file : NULL,
        .pin = self->server.pin,
        .connect_ms = settings->connect_ms,
        .total_ms = settings->total_ms,
    };
}

const char *
cml_session_token (cml_session_t *self, unsigned *generation)
{
    *generation = self->login.generation;
    return cml_login_is_good (&self->login, steady (self)) ? self->login.token : NULL;
}

bool
cml_session_refuse (cml_session_t *self, unsigned generation)
{
    return cml_login_retry (&self->login, generation);
}

//  --- answers

static void
go_down (cml_session_t *self, cml_fault_t fault, const reason_t *why)
{
    self->down = fault;
    self->down_why = *why;
}

static void
move (zlistx_t *from, zlistx_t *to, request_t *request, bool to_front)
{
    zlistx_delete (from, zlistx_find (from, request));
    if (to && to_front) {
        zlistx_add_start (to, request);
    } else if (to) {
        zlistx_add_end (to, request);
    }
}

//  Gives the answer. The last thing its caller does: the session may be gone after it.
static void
finish (zlistx_t *list, request_t *request, cml_fault_t fault, struct json_object *json,
        const reason_t *why)
{
    cml_session_t *self = request->session;
    cml_reply_t reply = {.fault = fault, .json = json, .message = why->text};
    cml_reply_fn *fn = request->fn;
    void *argument = request->argument;

    count (self, request->ask.name, fault);
    move (list, NULL, request, false);
    request_destroy (&request);
    loop_timer_after (self->timer, 0);
    fn (argument, &reply);
}

static void
on_answer (void *argument, const http_answer_t *answer)
{
    request_t *request = argument;
    assert (request->magic == REQUEST_MAGIC && request->session->magic == SESSION_MAGIC);
    cml_session_t *self = request->session;
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    reason_t why = {0};

    request->call = NULL;
    cml_fault_t fault = cml_fault_of (answer, request->url, request->ask.type, &json, &why);
    if (fault == CML_TOKEN) {
        if (!request->ask.open && cml_login_retry (&self->login, request->generation)) {
            count (self, request->ask.name, fault);
            move (self->flying, self->waiting, request, true);
            loop_timer_after (self->timer, 0);
            return;
        }
        fault = CML_LOGIN;
    }
    if (cml_fault_ends_round (fault)) {
        go_down (self, fault, &why);
    }
    finish (self->flying, request, fault, json, &why);
}

//  --- the login

static void
refuse_login (cml_session_t *self, const reason_t *why)
{
    time_us_t pause = cml_login_refuse (&self->login, steady (self));

    reason_set (&self->login_why, CML_REASON,
                "%.300s; user name or password are wrong for %.100s, no try for %" PRId64 " s",
                why->text, self->subject, pause / SECOND_US);
    collector_report (self->core, self->region, "authenticate", "login", self->login_why.text);
}

static void
on_token (void *argument, const http_answer_t *answer)
{
    cml_session_t *self = argument;
    assert (self->magic == SESSION_MAGIC);
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    reason_t why = {0};
    char url [URL_SIZE];

    self->login_call = NULL;
    loop_timer_after (self->timer, 0);
    snprintf (url, sizeof url, "%s/api/v0/authenticate", self->server.endpoint);
    cml_fault_t fault = cml_fault_of (answer, url, json_type_string, &json, &why);
    if (fault == CML_OK && cml_login_accept (&self->login, json_object_get_string (json),
                                             collector_now (self->core)) < 0) {
        reason_set (&why, CML_REASON, "%s answered a text that is no token", url);
        fault = CML_JSON;
    }
    bool refused = fault == CML_TOKEN || fault == CML_DENIED;
    count (self, "authenticate", refused ? CML_LOGIN : fault);
    if (refused) {
        refuse_login (self, &why);
    } else if (fault != CML_OK) {
        go_down (self, fault, &why);
    }
}

static void
log_in (cml_session_t *self)
{
    static const char *const HEADERS [] = {"Content-Type: application/json",
                                           "Accept: application/json", NULL};
    _cleanup_ (buffer_clear) buffer_t body = {0};
    json_writer_t out = json_writer (&body);
    char url [URL_SIZE];
    reason_t why = {0};

    json_open_object (&out);
    json_member_text (&out, "username", self->server.account->username);
    json_member_text (&out, "password", self->server.account->password);
    json_close_object (&out);
    snprintf (url, sizeof url, "%s/api/v0/authenticate", self->server.endpoint);
    http_request_t request = cml_session_request (self, "POST", url, HEADERS);
    request.body = body.data;
    request.body_size = body.size;
    request.answer_max = TOKEN_ANSWER;
    self->login_call = buffer_failed (&body) ? NULL
                                             : http_client_send (collector_http (self->core),
                                                                 &request, on_token, self, &why);
    if (body.data) {
        explicit_bzero (body.data, body.size);
    }
    if (!self->login_call) {
        go_down (self, CML_UNREACHABLE, &why);
    }
}

//  --- requests

static void
send_request (cml_session_t *self, request_t *request, reason_t *why)
{
    char authorization [CML_TOKEN_MAX + 32] = "";
    const char *headers [] = {"Accept: application/json", NULL, NULL};

    if (!request->ask.open) {
        snprintf (authorization, sizeof authorization, "Authorization: Bearer %s",
                  self->login.token);
        headers [1] = authorization;
    }
    http_request_t http = cml_session_request (self, "GET", request->url, headers);
    http.answer_max = request->ask.answer_max;
    request->generation = self->login.generation;
    request->call = http_client_send (collector_http (self->core), &http, on_answer, request, why);
}

//  True when the request may be sent now; a login may be on its way for it.
static bool
may_send (cml_session_t *self, const request_t *request, time_us_t now)
{
    if (request->ask.open || cml_login_is_good (&self->login, now)) {
        return true;
    }
    if (!self->login_call && cml_login_wait (&self->login, now) == 0) {
        log_in (self);
    }
    return false;
}

//  Sends what may be sent, or answers one request that is not to be.
static void
work_on (cml_session_t *self)
{
    time_us_t now = steady (self);
    request_t *request;

    while ((request = zlistx_first (self->waiting)) && zlistx_size (self->flying) < CML_AT_ONCE) {
        reason_t why = {0};
        if (self->down == CML_OK && may_send (self, request, now)) {
            send_request (self, request, &why);
            if (!request->call) {
                finish (self->waiting, request, CML_UNREACHABLE, NULL, &why);
                return;
            }
            move (self->waiting, self->flying, request, false);
            continue;
        }
        if (self->down != CML_OK) {
            finish (self->waiting, request, self->down, NULL, &self->down_why);
            return;
        }
        if (!self->login_call) {  //  refused not long ago
            finish (self->waiting, request, CML_LOGIN, NULL, &self->login_why);
        }
        return;
    }
}

static void
work (void *argument)
{
    cml_session_t *self = argument;
    assert (self->magic == SESSION_MAGIC);
    tracing_t *tracing = collector_tracing (self->core);

    tracing_scope_t before = tracing_enter (tracing, &self->scope);
    work_on (self);
    tracing_enter (tracing, &before);
}
