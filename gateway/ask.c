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
    bool waits, orphan;
    int status;
    reason_t detail;
    buffer_t payload;
};

struct asks {
    bus_client_t *client;
    int64_t timeout_ms;
    ask_t *waiting;
    asks_resumed_fn *resumed;
    void *argument;
    metric_t *refused;
};

static void
free_ask (ask_t *self)
{
    buffer_clear (&self->payload);
    self->magic = 0;
    free (self);
}

static void
unlink_ask (ask_t *self)
{
    ask_t **at = &self->asks->waiting;

    while (*at && *at != self) {
        at = &(*at)->next;
    }
    assert (*at && "an ask that waits stands in the list");
    *at = self->next;
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
on_answer (void *argument, const bus_answer_t *answer)
{
    ask_t *self = argument;
    int64_t status = 0;
    assert (self->magic == ASK_MAGIC);

    if (answer->code < 0 || !json_get_integer (answer->json, "status", &status)) {
        self->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        reason_set (&self->detail, -EIO, "%s",
                    answer->error ? answer->error : "the aggregator's answer has no status");
    } else {
        const char *detail = json_get_text (answer->json, "detail");
        zframe_t *payload = zmsg_first (answer->payload);
        self->status = (int) status;
        reason_set (&self->detail, -EIO, "%s", detail ? detail : "");
        if (payload) {
            buffer_append (&self->payload, (const char *) zframe_data (payload),
                           zframe_size (payload));
        }
    }
    finish (self);
}

ask_t *
asks_begin (asks_t *self, struct MHD_Connection *connection, const char *operation,
            const buffer_t *json)
{
    ask_t *ask = calloc (1, sizeof *ask);

    if (!ask || bus_client_ask (self->client, operation, json->data, json->size, self->timeout_ms,
                                on_answer, ask) < 0) {
        metric_increment (self->refused);
        free (ask);
        return NULL;
    }
    ask->magic = ASK_MAGIC;
    ask->asks = self;
    ask->connection = connection;
    ask->waits = true;
    ask->next = self->waiting;
    self->waiting = ask;
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

bool
ask_is_done (const ask_t *self)
{
    return !self->waits;
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
        ask_t *ask = self->waiting;
        ask->status = MHD_HTTP_SERVICE_UNAVAILABLE;
        reason_set (&ask->detail, -EIO, "the gateway ends");
        finish (ask);
    }
}

asks_t *
asks_new (loop_t *loop, const char *control, const bus_keys_t *keys, int64_t timeout_ms,
          metrics_t *metrics, reason_t *why)
{
    _cleanup_ (asks_destroy) asks_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->timeout_ms = timeout_ms;
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
