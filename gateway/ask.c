// ask.c - see ask.h.
//
// SPDX-License-Identifier: MIT

#include "ask.h"

#include "../common/cleanup.h"
#include "../common/json.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define ASK_MAGIC 0xa5c0a5c0u

struct ask {
    unsigned magic;
    struct MHD_Connection *connection;  //  null: closed, or answered
    ask_t *next;                        //  of those that wait
    asks_t *asks;
    bool waits, asked, orphan;
    const char *operation;
    buffer_t question;  //  until it is asked
    time_us_t began;    //  steady
    int status;
    reason_t detail;
    struct json_object *answer;
    zmsg_t *frames;
    buffer_t payload;
};

struct asks {
    bus_client_t *client;
    loop_t *loop;
    int64_t timeout_ms, most;
    ask_t *waiting, *last;  //  those that were asked and those that were not yet, by their age
    int64_t count, asked;
    asks_resumed_fn *resumed;
    void *argument;
    metric_t *refused;
};

static void
free_ask (ask_t *self)
{
    buffer_clear (&self->question);
    buffer_clear (&self->payload);
    json_destroy (&self->answer);
    zmsg_destroy (&self->frames);
    self->magic = 0;
    free (self);
}

static void
link_ask (asks_t *self, ask_t *ask)
{
    *(self->last ? &self->last->next : &self->waiting) = ask;
    self->last = ask;
    self->count++;
    ask->waits = true;
}

static void
unlink_ask (ask_t *self)
{
    ask_t **at = &self->asks->waiting, *before = NULL;

    while (*at && *at != self) {
        before = *at;
        at = &(*at)->next;
    }
    assert (*at && "an ask that waits stands in the list");
    *at = self->next;
    if (self->asks->last == self) {
        self->asks->last = before;
    }
    self->asks->count--;
    self->asks->asked -= self->asked;
    self->waits = false;
}

//  The handler is called again; whoever left meanwhile needs nothing any more.
static void
finish (ask_t *self)
{
    unlink_ask (self);
    if (self->orphan) {
        free_ask (self);
        return;
    }
    MHD_resume_connection (self->connection);
    self->connection = NULL;
    self->asks->resumed (self->asks->argument);
}

static void
give_up (ask_t *self, const char *reason)
{
    self->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    reason_set (&self->detail, -EIO, "%s", reason);
    finish (self);
}

static void
take_frames (ask_t *self, zmsg_t *payload)
{
    zframe_t *frame = zmsg_first (payload);

    if (frame) {
        buffer_append (&self->payload, (const char *) zframe_data (frame), zframe_size (frame));
    }
    self->frames = zmsg_new ();
    while (self->frames && (frame = zmsg_pop (payload))) {
        zmsg_append (self->frames, &frame);
    }
}

static void ask_next (asks_t *self);

static void
on_answer (void *argument, const bus_answer_t *answer)
{
    ask_t *self = argument;
    asks_t *asks = self->asks;
    int64_t status = 0;
    assert (self->magic == ASK_MAGIC);

    if (answer->code < 0 || !json_get_integer (answer->json, "status", &status)) {
        give_up (self, answer->error ? answer->error : "the aggregator's answer has no status");
    } else {
        const char *detail = json_get_text (answer->json, "detail");
        self->status = (int) status;
        reason_set (&self->detail, -EIO, "%s", detail ? detail : "");
        self->answer = json_object_get (answer->json);
        take_frames (self, answer->payload);
        finish (self);
    }
    ask_next (asks);
}

static bool
put_question (ask_t *self)
{
    asks_t *asks = self->asks;

    self->asked = bus_client_ask (asks->client, self->operation, self->question.data,
                                  self->question.size, asks->timeout_ms, on_answer, self) == 0;
    asks->asked += self->asked;
    return self->asked;
}

//  There may be room for those that have waited longest. One that has waited as long as an answer
//  may take is not asked any more, nor one whose client has left.
static void
ask_next (asks_t *self)
{
    time_us_t oldest = loop_now (self->loop).steady - self->timeout_ms * MS_US;
    bool room = true;

    for (ask_t *ask = self->waiting, *next; ask && room; ask = next) {
        next = ask->next;
        if (!ask->asked && (ask->orphan || ask->began < oldest)) {
            give_up (ask, "too many requests wait for the aggregator; try again");
        } else if (!ask->asked) {
            room = put_question (ask);
        }
    }
}

ask_t *
asks_begin (asks_t *self, struct MHD_Connection *connection, const char *operation,
            const buffer_t *json)
{
    ask_t *ask = self->count < self->most ? calloc (1, sizeof *ask) : NULL;

    if (ask) {
        *ask = (ask_t){.magic = ASK_MAGIC,
                       .asks = self,
                       .connection = connection,
                       .operation = operation,
                       .began = loop_now (self->loop).steady};
        buffer_append (&ask->question, json->data, json->size);
    }
    //  Without one on the way no answer would make room for it.
    if (!ask || buffer_failed (&ask->question) ||
        (!(self->count == self->asked && put_question (ask)) && self->asked == 0)) {
        metric_increment (self->refused);
        if (ask) {
            free_ask (ask);
        }
        return NULL;
    }
    link_ask (self, ask);
    MHD_suspend_connection (connection);
    return ask;
}

void
ask_destroy (ask_t **self_p)
{
    assert (self_p);
    ask_t *self = *self_p;

    if (self && self->waits) {
        self->orphan = true;  //  its answer is on the way and will find it
    } else if (self) {
        free_ask (self);
    }
    *self_p = NULL;
}

int
ask_status (const ask_t *self)
{
    return self->status;
}

const char *
ask_detail (const ask_t *self)
{
    return self->detail.text;
}

const buffer_t *
ask_payload (const ask_t *self)
{
    return &self->payload;
}

zmsg_t *
ask_frames (const ask_t *self)
{
    return self->frames;
}

struct json_object *
ask_answer (const ask_t *self)
{
    return self->answer;
}

void
asks_on_resumed (asks_t *self, asks_resumed_fn *fn, void *argument)
{
    self->resumed = fn;
    self->argument = argument;
}

void
asks_end (asks_t *self)
{
    while (self->waiting) {
        //  scan-build: the first of them was taken out of the list in the turn before
        give_up (self->waiting, "the gateway ends");
    }
}

asks_t *
asks_new (loop_t *loop, const char *control, const bus_keys_t *keys, int64_t timeout_ms,
          int64_t most, metrics_t *metrics, reason_t *why)
{
    _cleanup_ (asks_destroy) asks_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->timeout_ms = timeout_ms;
    self->most = most;
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_asks_refused_total",
                                 "Requests refused because too many waited for the aggregator");
    self->client = bus_client_new (loop, control, keys, metrics, why);
    return self->client ? take_ptr (self) : NULL;
}

void
asks_destroy (asks_t **self_p)
{
    assert (self_p);
    asks_t *self = *self_p;

    if (self) {
        //  Questions are dropped unanswered with their client; their connections are gone by now.
        bus_client_destroy (&self->client);
        while (self->waiting) {
            ask_t *ask = self->waiting;
            self->waiting = ask->next;
            free_ask (ask);
        }
        free (self);
        *self_p = NULL;
    }
}
