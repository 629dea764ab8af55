// bus_handshake.c - see bus_handshake.h.
//
// SPDX-License-Identifier: MIT

#include "bus_handshake.h"

#include "bus.h"
#include "cleanup.h"
#include "log.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define BATCH_MAX 64
#define AGAIN_US  (2 * SECOND_US)
#define EVENTS                                                              \
    (ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | \
     ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

struct bus_handshake {
    loop_t *loop;
    zsock_t *socket;  //  borrowed
    char endpoint [256], place [64];
    const bus_keys_t *keys;
    zsock_t *events;
    size_t turn;
    loop_timer_t *again;
    metrics_t *metrics;
};

static void
count (bus_handshake_t *self, const char *outcome)
{
    metric_increment (metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_bus_handshakes_total",
                                    "Handshakes with the aggregator, by outcome",
                                    METRIC_LABELS ("outcome", outcome)));
}

//  libzmq gives a connection up for good when it was refused, but the list may change; and one key of
//  several was wrong, or the aggregator has another since.
static void
connect_again (void *argument)
{
    bus_handshake_t *self = argument;

    self->turn++;
    bus_keys_expect (self->keys, self->socket, self->turn);
    bus_socket_reconnect (self->socket, self->endpoint);
}

//  The next key at once, but when none of them was right there is time. libzmq tries again meanwhile by
//  itself: that it fails too puts nothing off.
static void
plan_next_key (bus_handshake_t *self)
{
    bool was_last = (self->turn + 1) % bus_keys_servers (self->keys) == 0;

    if (!loop_timer_is_set (self->again)) {
        loop_timer_after (self->again, was_last ? AGAIN_US : 0);
    }
}

static void
take (bus_handshake_t *self, uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        count (self, "succeeded");
        loop_timer_stop (self->again);
        break;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
        count (self, "refused");
        log_error (
            "the aggregator does not let this process in: its public key is not in curve_allow",
            LOG_TEXT ("endpoint", self->endpoint));
        loop_timer_after (self->again, AGAIN_US);
        break;
    default:
        count (self, "failed");
        log_warn ("no handshake with the aggregator: it has another key, or none",
                  LOG_TEXT ("endpoint", self->endpoint));
        plan_next_key (self);
    }
}

//  Two frames: the event's number in the host's order and a value; and the endpoint.
static void
on_event (void *argument)
{
    bus_handshake_t *self = argument;

    for (int i = 0; i < BATCH_MAX && (zsock_events (self->events) & ZMQ_POLLIN); i++) {
        _cleanup_ (zmsg_destroy) zmsg_t *msg = zmsg_recv (self->events);
        zframe_t *frame = msg ? zmsg_first (msg) : NULL;
        uint16_t event;
        if (frame && zframe_size (frame) >= sizeof event) {
            memcpy (&event, zframe_data (frame), sizeof event);
            take (self, event);
        }
    }
}

bus_handshake_t *
bus_handshake_new (loop_t *loop, zsock_t *socket, const char *endpoint, const bus_keys_t *keys,
                   metrics_t *metrics)
{
    if (!keys) {
        return NULL;
    }
    _cleanup_ (bus_handshake_destroy) bus_handshake_t *self = calloc (1, sizeof *self);
    if (!self || !(self->again = loop_timer_new (loop, connect_again, self))) {
        return NULL;
    }
    self->loop = loop;
    self->keys = keys;
    self->metrics = metrics;
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    snprintf (self->place, sizeof self->place, "inproc://handshake-%p", (void *) self);
    if (zmq_socket_monitor (zsock_resolve (socket), self->place, EVENTS) < 0) {
        return NULL;
    }
    self->socket = socket;
    self->events = zsock_new (ZMQ_PAIR);
    if (!self->events || zsock_connect (self->events, "%s", self->place) < 0 ||
        loop_watch_socket (loop, self->events, on_event, self) < 0) {
        return NULL;
    }
    return take_ptr (self);
}

void
bus_handshake_destroy (bus_handshake_t **self_p)
{
    assert (self_p);
    bus_handshake_t *self = *self_p;

    if (self) {
        if (self->socket) {
            (void) zmq_socket_monitor (zsock_resolve (self->socket), NULL, 0);
        }
        if (self->events) {
            loop_unwatch_socket (self->loop, self->events);
            zsock_destroy (&self->events);
        }
        loop_timer_destroy (&self->again);
        free (self);
        *self_p = NULL;
    }
}
