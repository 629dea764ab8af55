// mouth.c - see mouth.h.
//
// SPDX-License-Identifier: MIT

#include "mouth.h"

#include "../../common/bus.h"
#include "../../common/feed_frame.h"
#include "observer.h"
#include "payload.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define EPOCH         "0b0e0c00"
#define HIGH_WATER    100000
#define LINGER_MS     0
#define TICK_US       (100 * MS_US)
#define SERIES_MAX    100
#define NCHAN_PADDING 3  //  `id: 0b0e0c00-1000000` against `id: 1795000000:12`

typedef struct way {
    const char *kind;
    void (*open) (mouth_t *self, const char *at, const char *control);
    void (*tell) (mouth_t *self, uint64_t seq, const char *json, size_t size);
    size_t padding;
} way_t;

struct mouth {
    const way_t *way;
    loop_t *loop;
    metrics_t *metrics;
    zsock_t *feed;
    bus_server_t *control;
    loop_timer_t *tick;
    bool heard, joined;  //  somebody subscribes; a state was taken
    uint64_t last, refused;
    observer_t *observer;
    int fd;  //  of nchan's connection
};

static void
die (const char *what, const char *why)
{
    fprintf (stderr, "mouth: %s: %s\n", what, why);
    exit (EXIT_FAILURE);
}

//  --- ZeroMQ: an XPUB, which hears that somebody subscribes

static void
send_parts (mouth_t *self, const void *head, size_t head_size, const void *body, size_t size)
{
    void *handle = zsock_resolve (self->feed);

    if (zmq_send (handle, head, head_size, ZMQ_DONTWAIT | (body ? ZMQ_SNDMORE : 0)) < 0 ||
        (body && zmq_send (handle, body, size, ZMQ_DONTWAIT) < 0)) {
        self->refused++;
    }
}

static void
open_feed (mouth_t *self, const char *at)
{
    reason_t why = {0};

    self->feed = bus_socket (ZMQ_XPUB, BUS_BIND, at, HIGH_WATER, LINGER_MS, &why);
    if (!self->feed) {
        die ("feed", why.text);
    }
}

static void
open_bare (mouth_t *self, const char *at, const char *control)
{
    (void) control;
    open_feed (self, at);
    self->joined = true;
}

static void
tell_bare (mouth_t *self, uint64_t seq, const char *json, size_t size)
{
    char frame [PAYLOAD_SIZE_MAX + 100];
    int head = snprintf (frame, sizeof frame,
                         "id: " EPOCH "-%" PRIu64 "\nevent: " PAYLOAD_TYPE "\ndata: ", seq);

    memcpy (frame + head, json, size);
    memcpy (frame + (size_t) head + size, "\n\n", 2);
    send_parts (self, frame, (size_t) head + size + 2, NULL, 0);
}

//  --- the stand-in of an aggregator

static void
send_header (mouth_t *self, feed_header_t *header, const void *json, size_t size)
{
    buffer_t text = {0};

    memcpy (header->epoch, EPOCH, sizeof EPOCH);
    feed_header_write (&text, header);
    send_parts (self, text.data, text.size, json, size);
    buffer_clear (&text);
}

static void
on_tick (void *argument)
{
    mouth_t *self = argument;
    feed_header_t header = {.kind = FEED_TICK, .seq = self->last};

    send_header (self, &header, NULL, 0);
}

static void
on_state (void *argument, bus_request_t *request)
{
    mouth_t *self = argument;
    char text [300];
    int size = snprintf (text, sizeof text,
                         "{\"epoch\":\"" EPOCH "\",\"seq\":%" PRIu64
                         ",\"total\":0,\"next_cursor\":null,\"jobs\":[],"
                         "\"stats\":{\"total_workers\":0,\"active_workers\":0}}",
                         self->last);

    bus_request_reply (request, text, (size_t) size);
}

//  Nothing from before is held.
static void
on_events (void *argument, bus_request_t *request)
{
    mouth_t *self = argument;
    char text [100];
    int size = snprintf (text, sizeof text, "{\"first\":%" PRIu64 "}", self->last + 1);

    bus_request_reply (request, text, (size_t) size);
    self->joined = true;
}

static const bus_operation_t OPERATIONS [] = {{"state", on_state}, {"events", on_events}, {0}};

static void
open_gateway (mouth_t *self, const char *at, const char *control)
{
    reason_t why = {0};

    open_feed (self, at);
    self->control =
        bus_server_new (self->loop, control, NULL, OPERATIONS, self, self->metrics, &why);
    if (!self->control) {
        die ("control", why.text);
    }
    self->tick = loop_timer_new (self->loop, on_tick, self);
    loop_timer_every (self->tick, TICK_US);
}

static void
tell_gateway (mouth_t *self, uint64_t seq, const char *json, size_t size)
{
    feed_header_t header = {.kind = FEED_EVENT,
                            .type = EVENT_WORKER_METRICS_UPDATED,
                            .region = "us-east-1",
                            .seq = seq,
                            .time = payload_now_us ()};

    payload_worker_id (header.worker_id, seq);
    send_header (self, &header, json, size);
}

//  --- nchan

static void
open_nchan (mouth_t *self, const char *at, const char *control)
{
    struct sockaddr_in there = {.sin_family = AF_INET,
                                .sin_port = htons ((uint16_t) strtoul (at, NULL, 10))};
    int one = 1;

    (void) control;
    there.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    self->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (self->fd < 0 || connect (self->fd, (struct sockaddr *) &there, sizeof there) != 0) {
        die ("nginx", strerror (errno));
    }
    setsockopt (self->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    self->heard = self->joined = true;
}

static void
tell_nchan (mouth_t *self, uint64_t seq, const char *json, size_t size)
{
    char request [PAYLOAD_SIZE_MAX + 200];
    int head = snprintf (request, sizeof request,
                         "POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                         "X-EventSource-Event: " PAYLOAD_TYPE "\r\nContent-Length: %zu\r\n\r\n",
                         size);

    (void) seq;
    memcpy (request + head, json, size);
    size += (size_t) head;
    if (send (self->fd, request, size, MSG_NOSIGNAL) != (ssize_t) size) {
        die ("nginx does not take what is published", strerror (errno));
    }
}

//  Answers come in order and are short; each begins with its status.
static void
take_answers (mouth_t *self)
{
    static const char BEGIN [] = "HTTP/1.1 ";
    char bytes [16384];
    ssize_t size;

    while ((size = recv (self->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        const char *end = bytes + size, *at = bytes;
        while ((at = memmem (at, (size_t) (end - at), BEGIN, sizeof BEGIN - 1))) {
            at += sizeof BEGIN - 1;
            self->refused += at < end && *at != '2';
        }
    }
    if (size == 0) {
        die ("nginx", "it has closed the publisher's connection");
    }
}

//  --- a collector, to a whole chain

static void
open_collector (mouth_t *self, const char *at, const char *control)
{
    (void) control;
    self->observer = observer_new (at, PAYLOAD_WORKERS);
    self->joined = true;
}

static void
tell_collector (mouth_t *self, uint64_t seq, const char *json, size_t size)
{
    (void) json;
    (void) size;
    self->refused += !observer_tell (self->observer, seq);
}

//  --- any of them

static const way_t WAYS [] = {{"gateway", open_gateway, tell_gateway, 0},
                              {"bare", open_bare, tell_bare, 0},
                              {"nchan", open_nchan, tell_nchan, NCHAN_PADDING},
                              {"collector", open_collector, tell_collector, 0}};

mouth_t *
mouth_new (loop_t *loop, const char *kind, const char *at, const char *control)
{
    mouth_t *self = calloc (1, sizeof *self);

    if (!self || !(self->metrics = metrics_new (SERIES_MAX))) {
        die ("memory", strerror (ENOMEM));
    }
    self->loop = loop;
    self->fd = -1;
    self->last = PAYLOAD_FIRST_SEQ - 1;
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        self->way = strcmp (WAYS [i].kind, kind) == 0 ? &WAYS [i] : self->way;
    }
    if (!self->way) {
        die (kind, "gateway, bare, nchan and collector are known");
    }
    self->way->open (self, at, control);
    return self;
}

void
mouth_destroy (mouth_t **self_p)
{
    mouth_t *self = *self_p;

    if (self) {
        loop_timer_destroy (&self->tick);
        bus_server_destroy (&self->control);
        zsock_destroy (&self->feed);
        observer_destroy (&self->observer);
        if (self->fd >= 0) {
            close (self->fd);
        }
        metrics_destroy (&self->metrics);
        free (self);
        *self_p = NULL;
    }
}

bool
mouth_is_ready (const mouth_t *self)
{
    return self->heard && self->joined;
}

void
mouth_tell (mouth_t *self, uint64_t seq)
{
    char json [PAYLOAD_SIZE_MAX];
    size_t size = payload_write (json, seq, self->way->padding);

    self->way->tell (self, seq, json, size);
    self->last = seq;
}

void
mouth_turn (mouth_t *self)
{
    char subscription [16];

    while (self->feed && !self->heard) {
        if (zmq_recv (zsock_resolve (self->feed), subscription, sizeof subscription,
                      ZMQ_DONTWAIT) <= 0) {
            return;
        }
        self->heard = true;
    }
    if (self->observer) {
        self->heard = observer_is_heard (self->observer);
    }
    if (self->fd >= 0) {
        take_answers (self);
    }
}

uint64_t
mouth_refused (const mouth_t *self)
{
    return self->refused;
}
