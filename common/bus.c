// bus.c - sockets with our options, and the hearing side; see bus.h.
//
// SPDX-License-Identifier: MIT

#include "bus.h"

#include "bus_handshake.h"
#include "cleanup.h"
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define UNACKNOWLEDGED_MS          45000  //  TCP_USER_TIMEOUT; longer than a stall that is got over
#define KEEPALIVE_IDLE_SECONDS     30
#define KEEPALIVE_INTERVAL_SECONDS 10
#define RECONNECT_MS               100
#define RECONNECT_MOST_MS          2000
#define SUBSCRIBER_MAGIC           0x5ab5c21bu

//  libzmq takes the port modulo 65536 and would be somewhere else without a word.
static bool
has_wrong_port (const char *endpoint)
{
    const char *colon = strncmp (endpoint, "tcp://", 6) == 0 ? strrchr (endpoint + 6, ':') : NULL;
    return colon && strtoul (colon + 1, NULL, 10) > UINT16_MAX;
}

static int
attach (zsock_t *socket, bus_role_t role, const char *endpoint, reason_t *why)
{
    void *handle = zsock_resolve (socket);
    if (has_wrong_port (endpoint)) {
        return reason_set (why, -EINVAL, "%s: the port is not 1 to 65535", endpoint);
    }
    int rc = role == BUS_BIND ? zmq_bind (handle, endpoint) : zmq_connect (handle, endpoint);

    if (rc == 0) {
        return 0;
    }
    if (errno == EADDRINUSE) {
        return reason_set (why, -EADDRINUSE,
                           "%s: the address is in use; another process listens there", endpoint);
    }
    return reason_set (why, -errno, "%s: cannot %s: %s", endpoint,
                       role == BUS_BIND ? "bind" : "connect", zmq_strerror (errno));
}

zsock_t *
bus_socket (int zmq_type, bus_role_t role, const char *endpoint, int high_water_mark, int linger_ms,
            reason_t *why)
{
    return bus_socket_locked (zmq_type, role, endpoint, high_water_mark, linger_ms, NULL, NULL,
                              why);
}

zsock_t *
bus_socket_locked (int zmq_type, bus_role_t role, const char *endpoint, int high_water_mark,
                   int linger_ms, const bus_keys_t *keys, const char *domain, reason_t *why)
{
    zsock_t *socket = zsock_new (zmq_type);
    if (!socket) {
        reason_set (why, -ENOMEM, "%s: no socket: %s", endpoint, zmq_strerror (errno));
        return NULL;
    }
    zsock_set_linger (socket, linger_ms);
    zsock_set_sndhwm (socket, high_water_mark);
    zsock_set_rcvhwm (socket, high_water_mark);
    zsock_set_tcp_keepalive (socket, 1);  //  not ZMTP heartbeats: traps 1
    zsock_set_tcp_keepalive_idle (socket, KEEPALIVE_IDLE_SECONDS);
    zsock_set_tcp_keepalive_intvl (socket, KEEPALIVE_INTERVAL_SECONDS);
    zsock_set_tcp_maxrt (socket, UNACKNOWLEDGED_MS);
    zsock_set_reconnect_ivl (socket, RECONNECT_MS);
    zsock_set_reconnect_ivl_max (socket, RECONNECT_MOST_MS);
    if (role == BUS_BIND) {
        zsock_set_maxmsgsize (socket, BUS_FRAME_MOST);
        bus_keys_serve (keys, socket, domain);
    } else {
        bus_keys_expect (keys, socket, 0);
    }
    if (attach (socket, role, endpoint, why) < 0) {
        zsock_destroy (&socket);
    }
    return socket;
}

//  A SUB that was asked whether it has a message has taken the first frame of it already. Disconnected
//  then, the rest is thrown away, and who reads on is aborted by libzmq ("!_more", its issue 2163): so
//  that message is taken whole before.
static void
take_begun (zsock_t *socket)
{
    if (zsock_type (socket) == ZMQ_SUB && (zsock_events (socket) & ZMQ_POLLIN)) {
        zmsg_t *msg = zmsg_recv (socket);
        zmsg_destroy (&msg);
    }
}

void
bus_socket_reconnect (zsock_t *socket, const char *endpoint)
{
    take_begun (socket);
    (void) zsock_disconnect (socket, "%s", endpoint);
    if (zsock_connect (socket, "%s", endpoint) < 0) {
        log_error ("bus: cannot connect again", LOG_TEXT ("endpoint", endpoint));
    }
}

struct bus_subscriber {
    unsigned magic;
    loop_t *loop;
    zsock_t *socket;
    bus_handshake_t *handshake;  //  null: it binds, or nothing is encrypted
    char endpoint [256];
    bus_message_fn *fn;
    void *argument;
    metric_t *messages, *bytes, *malformed;
};

//  The frames of one message into parts; more than two are read and thrown away.
static size_t
receive (void *handle, zmq_msg_t parts [2])
{
    size_t frames = 0;
    int more = 1;

    while (more) {
        zmq_msg_t extra;
        zmq_msg_t *part = frames < 2 ? &parts [frames] : &extra;
        zmq_msg_init (part);
        if (zmq_msg_recv (part, handle, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close (part);
            return frames;
        }
        more = zmq_msg_more (part);
        if (frames >= 2) {
            zmq_msg_close (&extra);
        }
        frames++;
    }
    return frames;
}

static void
hand_on (bus_subscriber_t *self, zmq_msg_t parts [2], size_t frames)
{
    bus_message_t message = {.frames = frames};

    for (size_t i = 0; i < frames; i++) {
        message.bytes [i] = zmq_msg_data (&parts [i]);
        message.size [i] = zmq_msg_size (&parts [i]);
        metric_count (self->bytes, (double) message.size [i]);
    }
    metric_increment (self->messages);
    self->fn (self->argument, &message);
}

static void
on_readable (void *argument)
{
    bus_subscriber_t *self = argument;
    assert (self->magic == SUBSCRIBER_MAGIC);
    void *handle = zsock_resolve (self->socket);

    for (int taken = 0; taken < BUS_BATCH_MAX; taken++) {
        zmq_msg_t parts [2];
        size_t frames = receive (handle, parts);
        if (frames == 0) {
            return;
        }
        if (frames > 2) {
            metric_increment (self->malformed);
            log_warn ("bus message refused", LOG_TEXT ("endpoint", self->endpoint),
                      LOG_TEXT ("reason", "more than two frames"), LOG_INTEGER ("frames", frames));
        } else {
            hand_on (self, parts, frames);
        }
        for (size_t i = 0; i < frames && i < 2; i++) {
            zmq_msg_close (&parts [i]);
        }
    }
}

static void
make_metrics (bus_subscriber_t *self, metrics_t *metrics)
{
    self->messages = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_bus_received_total",
                                  "Messages taken from the subscribed socket");
    self->bytes = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_bus_received_bytes_total",
                               "Bytes taken from the subscribed socket");
    self->malformed = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_bus_malformed_total",
                                   "Messages of a wrong number of frames, dropped");
}

bus_subscriber_t *
bus_subscriber_new (loop_t *loop, bus_role_t role, const char *endpoint,
                    const char *const topics [], int high_water_mark, const bus_keys_t *keys,
                    const char *domain, bus_message_fn *fn, void *argument, metrics_t *metrics,
                    reason_t *why)
{
    _cleanup_ (bus_subscriber_destroy) bus_subscriber_t *self = calloc (1, sizeof *self);
    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = SUBSCRIBER_MAGIC;
    self->loop = loop;
    self->fn = fn;
    self->argument = argument;
    make_metrics (self, metrics);
    self->socket =
        bus_socket_locked (ZMQ_SUB, role, endpoint, high_water_mark, 0, keys, domain, why);
    if (!self->socket) {
        return NULL;
    }
    self->handshake = role == BUS_CONNECT
                          ? bus_handshake_new (loop, self->socket, endpoint, keys, metrics)
                          : NULL;
    for (; *topics; topics++) {
        zsock_set_subscribe (self->socket, *topics);
    }
    snprintf (self->endpoint, sizeof self->endpoint, "%s", endpoint);
    _cleanup_ (string_destroy) char *bound = zsock_last_endpoint (self->socket);
    if (role == BUS_BIND && bound) {
        snprintf (self->endpoint, sizeof self->endpoint, "%s", bound);
    }
    int rc = loop_watch_socket (loop, self->socket, on_readable, self);
    if (rc < 0) {
        reason_set (why, rc, "%s: cannot be watched: %s", endpoint, strerror (-rc));
        return NULL;
    }
    return take_ptr (self);
}

void
bus_subscriber_pause (bus_subscriber_t *self, bool paused)
{
    loop_unwatch_socket (self->loop, self->socket);
    if (!paused && loop_watch_socket (self->loop, self->socket, on_readable, self) < 0) {
        log_error ("bus: not watched any more", LOG_TEXT ("endpoint", self->endpoint));
    }
}

bool
bus_subscriber_reconnect (bus_subscriber_t *self)
{
    if (zsock_events (self->socket) & ZMQ_POLLIN) {
        return false;
    }
    bus_socket_reconnect (self->socket, self->endpoint);
    return true;
}

void
bus_subscriber_destroy (bus_subscriber_t **self_p)
{
    assert (self_p);
    bus_subscriber_t *self = *self_p;

    if (self) {
        if (self->socket) {
            loop_unwatch_socket (self->loop, self->socket);
            bus_handshake_destroy (&self->handshake);
            zsock_destroy (&self->socket);
        }
        free (self);
        *self_p = NULL;
    }
}

const char *
bus_subscriber_endpoint (const bus_subscriber_t *self)
{
    return self->endpoint;
}
