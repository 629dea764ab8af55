// bus_client.c - who asks; see bus.h. Who answers is bus_control.c.
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

#define WAITING_MAX 64
#define SILENCE_US  SECOND_US
#define CONTROL_HWM 1000
#define LINGER_MS   200
#define ANSWER_MAX \
    ((size_t) 64 * 1024 * 1024)  //  a lease of 10,000 workers is 2 MB, 10,000 jobs are 7
#define CLIENT_BATCH 64

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
    bus_socket_reconnect (self->socket, self->endpoint);
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
