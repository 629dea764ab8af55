// bus_control.c - questions and answers; see bus.h.
//
// SPDX-License-Identifier: MIT

#include "bus.h"

#include "bus_handshake.h"
#include "cleanup.h"
#include "json.h"
#include "log.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define WAITING_MAX    64
#define SILENCE_US     SECOND_US
#define CONTROL_HWM    1000
#define LINGER_MS      200
#define OPERATION_SIZE 64
#define ANSWER_MAX \
    ((size_t) 64 * 1024 * 1024)  //  a lease of 10,000 workers is 2 MB, 10,000 jobs are 7
#define CLIENT_BATCH 64
#define SERVER_BATCH 64
#define DEFERRED_MAX 20000  //  a kilobyte or so each

typedef struct question {
    uint64_t number;  //  0: free
    bus_answer_fn *fn;
    void *argument;
    time_us_t asked_at, deadline;  //  steady
} question_t;

struct bus_client {
    loop_t *loop;
    zsock_t *socket;
    bus_handshake_t *handshake;  //  null: nothing is encrypted
    loop_timer_t *timer;
    char endpoint [256];
    question_t waiting [WAITING_MAX];
    uint64_t last;
    time_us_t heard;  //  steady: the last answer to anything
    metric_t *asked, *timeouts, *late, *reconnects;
};

static question_t *
find_question (bus_client_t *self, uint64_t number)
{
    for (size_t i = 0; i < WAITING_MAX; i++) {
        if (self->waiting [i].number == number) {
            return &self->waiting [i];
        }
    }
    return NULL;
}

//  The place is free before fn is called: it may ask again at once.
static void
answer (question_t *question, const bus_answer_t *answer)
{
    question_t done = *question;

    question->number = 0;
    done.fn (done.argument, answer);
}

static void
set_timer (bus_client_t *self)
{
    time_us_t first = INT64_MAX;

    for (size_t i = 0; i < WAITING_MAX; i++) {
        if (self->waiting [i].number && self->waiting [i].deadline < first) {
            first = self->waiting [i].deadline;
        }
    }
    if (first == INT64_MAX) {
        loop_timer_stop (self->timer);
    } else {
        loop_timer_after (self->timer, first - clock_now ().steady);
    }
}

//  Not a word since it was asked: the connection may look open and lead nowhere. A new one costs
//  little, and what was asked on the old one has its deadline.
static void
reconnect (bus_client_t *self)
{
    metric_increment (self->reconnects);
    (void) zsock_disconnect (self->socket, "%s", self->endpoint);
    if (zsock_connect (self->socket, "%s", self->endpoint) < 0) {
        log_error ("bus: cannot connect again", LOG_TEXT ("endpoint", self->endpoint));
    }
}

static void
on_timer (void *argument)
{
    bus_client_t *self = argument;
    bool silent = false;
    bus_answer_t silence = {.code = -ETIMEDOUT, .error = "no answer from the aggregator in time"};
    time_us_t now = clock_now ().steady;

    for (size_t i = 0; i < WAITING_MAX; i++) {
        if (self->waiting [i].number && self->waiting [i].deadline <= now) {
            metric_increment (self->timeouts);
            silent |= self->heard <= self->waiting [i].asked_at &&
                      now - self->waiting [i].asked_at >= SILENCE_US;
            answer (&self->waiting [i], &silence);
        }
    }
    if (silent) {
        reconnect (self);
    }
    set_timer (self);
}

static bool
frame_is (zframe_t *frame, const char *text)
{
    return frame && zframe_streq (frame, text);
}

//  0 when it is no number; questions are numbered from 1.
static uint64_t
frame_number (zframe_t *frame)
{
    char text [24] = "", *end = NULL;

    if (frame && zframe_size (frame) < sizeof text) {
        memcpy (text, zframe_data (frame), zframe_size (frame));
    }
    uint64_t number = strtoull (text, &end, 10);
    return isdigit ((unsigned char) *text) && *end == '\0' ? number : 0;
}

static void
take_answer (bus_client_t *self, zmsg_t *msg)
{
    _cleanup_ (zframe_destroy) zframe_t *mark = zmsg_pop (msg);
    _cleanup_ (zframe_destroy) zframe_t *operation = zmsg_pop (msg);
    _cleanup_ (zframe_destroy) zframe_t *number = zmsg_pop (msg);
    _cleanup_ (zframe_destroy) zframe_t *body = zmsg_pop (msg);
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    (void) operation;  //  the number says what was asked
    reason_t why = {0};

    uint64_t asked = body && frame_is (mark, "reply") ? frame_number (number) : 0;
    question_t *question = asked ? find_question (self, asked) : NULL;
    if (!question) {
        metric_increment (self->late);
        return;
    }
    bus_answer_t reply = {.payload = msg};
    struct json_object *error;
    if (json_parse (&json, zframe_data (body), zframe_size (body), ANSWER_MAX, &why) < 0) {
        reply.code = -EREMOTEIO;
        reply.error = why.text;
    } else if ((error = json_get_object (json, "error"))) {
        const char *sentence = json_get_text (error, "message");
        reply.code = -EREMOTEIO;
        reply.error = sentence ? sentence : "an error without a message";
    } else if (!json_object_is_type (json, json_type_object)) {
        reply.code = -EREMOTEIO;
        reply.error = "the answer is not a JSON object";
    } else {
        reply.json = json;
    }
    answer (question, &reply);
    set_timer (self);
}

static void
on_answer (void *argument)
{
    bus_client_t *self = argument;

    for (int i = 0; i < CLIENT_BATCH && (zsock_events (self->socket) & ZMQ_POLLIN); i++) {
        _cleanup_ (zmsg_destroy) zmsg_t *msg = zmsg_recv (self->socket);
        if (!msg) {
            return;
        }
        self->heard = clock_now ().steady;
        take_answer (self, msg);
    }
}

bus_client_t *
bus_client_new (loop_t *loop, const char *endpoint, const bus_keys_t *keys, metrics_t *metrics,
                reason_t *why)
{
    _cleanup_ (bus_client_destroy) bus_client_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (loop, on_timer, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    self->reconnects = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_control_reconnects_total",
                                    "Connections given up because no answer came");
    self->asked = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_control_asked_total",
                               "Questions sent to the aggregator");
    self->timeouts = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_control_timeouts_total",
                                  "Questions without an answer in time");
    self->late = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_control_late_total",
                              "Answers nobody waited for any longer, or that were malformed");
    self->socket = bus_socket_locked (ZMQ_DEALER, BUS_CONNECT, endpoint, CONTROL_HWM, LINGER_MS,
                                      keys, NULL, why);
    self->handshake =
        self->socket ? bus_handshake_new (loop, self->socket, endpoint, keys, metrics) : NULL;
    if (!self->socket || loop_watch_socket (loop, self->socket, on_answer, self) < 0) {
        return NULL;
    }
    return take_ptr (self);
}

void
bus_client_destroy (bus_client_t **self_p)
{
    assert (self_p);
    bus_client_t *self = *self_p;

    if (self) {
        if (self->socket) {
            loop_unwatch_socket (self->loop, self->socket);
            bus_handshake_destroy (&self->handshake);
            zsock_destroy (&self->socket);
        }
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}

int
bus_client_ask (bus_client_t *self, const char *operation, const char *json, size_t size,
                int64_t timeout_ms, bus_answer_fn *fn, void *argument)
{
    question_t *question = find_question (self, 0);
    char number [24];

    if (!question || !(zsock_events (self->socket) & ZMQ_POLLOUT)) {
        return -EAGAIN;
    }
    snprintf (number, sizeof number, "%" PRIu64, ++self->last);
    zmsg_t *msg = zmsg_new ();
    zmsg_addstr (msg, "request");
    zmsg_addstr (msg, operation);
    zmsg_addstr (msg, number);
    zmsg_addmem (msg, json, size);
    if (zmsg_send (&msg, self->socket) != 0) {
        zmsg_destroy (&msg);
        return -EAGAIN;
    }
    metric_increment (self->asked);
    *question = (question_t){.number = self->last,
                             .fn = fn,
                             .argument = argument,
                             .asked_at = clock_now ().steady,
                             .deadline = clock_now ().steady + timeout_ms * MS_US};
    set_timer (self);
    return 0;
}

struct bus_server {
    loop_t *loop;
    zsock_t *socket;
    char *endpoint;
    bus_lock_t lock;
    const bus_operation_t *operations;
    void *argument;
    bus_request_t *deferred;  //  a list
    size_t deferred_count;
    metric_t *requests, *refused;
};

struct bus_request {
    bus_server_t *server;
    zframe_t *identity, *operation, *number;
    struct json_object *json;
    zmsg_t *payload;
    bool answered;
    bool is_deferred;  //  on the heap, and in the server's list
    bus_request_t *next, *previous;
};

static void
clear_request (bus_request_t *self)
{
    zframe_destroy (&self->identity);
    zframe_destroy (&self->operation);
    zframe_destroy (&self->number);
    zmsg_destroy (&self->payload);
    json_destroy (&self->json);
}

bus_request_t *
bus_request_defer (bus_request_t *self)
{
    bus_server_t *server = self->server;
    bus_request_t *deferred =
        server->deferred_count < DEFERRED_MAX ? malloc (sizeof *deferred) : NULL;

    assert (!self->answered && !self->is_deferred && "a request is deferred once");
    if (!deferred) {
        return NULL;
    }
    *deferred = *self;
    deferred->is_deferred = true;
    deferred->next = server->deferred;
    if (deferred->next) {
        deferred->next->previous = deferred;
    }
    server->deferred = deferred;
    server->deferred_count++;
    *self = (bus_request_t){.server = server, .answered = true};
    return deferred;
}

//  Of one that was deferred this was the end.
static void
forget_request (bus_request_t *self)
{
    bus_server_t *server = self->server;

    if (self->is_deferred) {
        *(self->previous ? &self->previous->next : &server->deferred) = self->next;
        if (self->next) {
            self->next->previous = self->previous;
        }
        server->deferred_count--;
        clear_request (self);
        free (self);
    }
}

struct json_object *
bus_request_json (const bus_request_t *self)
{
    return self->json;
}

void
bus_request_add (bus_request_t *self, const void *bytes, size_t size)
{
    zmsg_addmem (self->payload, bytes, size);
}

void
bus_request_reply (bus_request_t *self, const char *json, size_t size)
{
    assert (!self->answered && "a request is answered once");
    zmsg_t *msg = self->payload;

    zmsg_pushmem (msg, json, size);
    zmsg_prepend (msg, &self->number);
    zmsg_prepend (msg, &self->operation);
    zmsg_pushstr (msg, "reply");
    zmsg_prepend (msg, &self->identity);
    self->payload = NULL;
    self->answered = true;
    if (zmsg_send (&msg, self->server->socket) != 0) {  //  the asker has gone
        zmsg_destroy (&msg);
    }
    forget_request (self);
}

void
bus_request_refuse (bus_request_t *self, const char *code, const char *sentence)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_key (&json, "error");
    json_open_object (&json);
    json_member_text (&json, "code", code);
    json_member_text (&json, "message", sentence);
    json_close_object (&json);
    json_close_object (&json);
    metric_increment (self->server->refused);
    bus_request_reply (self, out.data, out.size);
    buffer_clear (&out);
}

static const bus_operation_t *
find_operation (const bus_server_t *self, zframe_t *name)
{
    for (const bus_operation_t *row = self->operations; row->name; row++) {
        if (frame_is (name, row->name)) {
            return row;
        }
    }
    return NULL;
}

//  Who asks is what the door called it; its name travels beside each of its frames.
static bool
is_allowed (const bus_server_t *self, zframe_t *frame, const bus_operation_t *row)
{
    const char *user = self->lock.keys ? zframe_meta (frame, "User-Id") : NULL;
    return !self->lock.keys || (user && self->lock.allows (user, row->name));
}

static void
serve (bus_server_t *self, bus_request_t *request, zframe_t *body)
{
    reason_t why = {0};
    const bus_operation_t *row = find_operation (self, request->operation);

    if (row && !is_allowed (self, body, row)) {
        bus_request_refuse (request, "forbidden", "the role of this key does not ask that");
        return;
    }

    if (!row) {
        bus_request_refuse (request, "unknown_operation",
                            "no such operation; see common/README.md");
        return;
    }
    if (json_parse (&request->json, zframe_data (body), zframe_size (body), OBSERVATION_BYTES_MAX,
                    &why) < 0 ||
        !json_object_is_type (request->json, json_type_object)) {
        bus_request_refuse (request, "malformed", why.text [0] ? why.text : "not a JSON object");
        return;
    }
    row->fn (self->argument, request);
    if (!request->answered) {
        bus_request_refuse (request, "internal", "the operation gave no answer");
    }
}

static void
take_request (bus_server_t *self, zmsg_t *msg)
{
    bus_request_t request = {.server = self, .payload = zmsg_new ()};
    request.identity = zmsg_pop (msg);
    _cleanup_ (zframe_destroy) zframe_t *mark = zmsg_pop (msg);
    request.operation = zmsg_pop (msg);
    request.number = zmsg_pop (msg);
    _cleanup_ (zframe_destroy) zframe_t *body = zmsg_pop (msg);

    metric_increment (self->requests);
    if (body && frame_is (mark, "request")) {
        serve (self, &request, body);
    } else {
        metric_increment (self->refused);
        log_warn ("control request refused", LOG_TEXT ("reason", "not the frames of a request"));
    }
    clear_request (&request);
}

static void
on_request (void *argument)
{
    bus_server_t *self = argument;

    for (int i = 0; i < SERVER_BATCH && (zsock_events (self->socket) & ZMQ_POLLIN); i++) {
        _cleanup_ (zmsg_destroy) zmsg_t *msg = zmsg_recv (self->socket);
        if (!msg) {
            return;
        }
        take_request (self, msg);
    }
}

bus_server_t *
bus_server_new (loop_t *loop, const char *endpoint, const bus_lock_t *lock,
                const bus_operation_t *operations, void *argument, metrics_t *metrics,
                reason_t *why)
{
    _cleanup_ (bus_server_destroy) bus_server_t *self = calloc (1, sizeof *self);
    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->lock = lock ? *lock : (bus_lock_t){0};
    self->operations = operations;
    self->argument = argument;
    self->requests = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_control_requests_total",
                                  "Questions received");
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_control_refused_total",
                                 "Questions answered with an error");
    self->socket = bus_socket_locked (ZMQ_ROUTER, BUS_BIND, endpoint, CONTROL_HWM, LINGER_MS,
                                      self->lock.keys, self->lock.domain, why);
    if (!self->socket || loop_watch_socket (loop, self->socket, on_request, self) < 0) {
        return NULL;
    }
    self->endpoint = zsock_last_endpoint (self->socket);
    return take_ptr (self);
}

void
bus_server_destroy (bus_server_t **self_p)
{
    assert (self_p);
    bus_server_t *self = *self_p;

    if (self) {
        while (self->deferred) {
            forget_request (self->deferred);
        }
        if (self->socket) {
            loop_unwatch_socket (self->loop, self->socket);
            zsock_destroy (&self->socket);
        }
        free (self->endpoint);
        free (self);
        *self_p = NULL;
    }
}

const char *
bus_server_endpoint (const bus_server_t *self)
{
    return self->endpoint;
}
