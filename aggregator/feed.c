// feed.c - see feed.h.
//
// SPDX-License-Identifier: MIT

#include "feed.h"

#include "../common/bus.h"
#include "../common/cleanup.h"
#include "../common/log.h"
#include "door.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zmq.h>

#define LINGER_MS     1000
#define HELD_RETRY_MS 500

typedef struct message {  //  bytes within the two buffers of the turn
    size_t header, header_size, body, body_size;
    size_t kept_size;  //  of the header: without the trace
    uint64_t seq;      //  of an event; 0: for replicas alone
} message_t;

struct feed {
    loop_t *loop;
    zsock_t *socket;
    store_t *store;    //  borrowed; null: none
    causes_t *causes;  //  likewise
    loop_timer_t *tick, *retry;
    bool held;
    reason_t why_held;
    size_t stored;  //  messages of the list that the store has been given
    int64_t tick_ms;
    char epoch [ENVELOPE_EPOCH_SIZE];
    uint64_t sequence, published;
    buffer_t headers, bodies;
    message_t *messages;
    size_t count, size;
    feed_header_t open;  //  of the event begun
    json_writer_t json;
    metrics_t *metrics;
    metric_t *events [EVENT_TYPE_COUNT];
    metric_t *bytes, *refused;
};

//  As much of the text as there is room for. Not by printf: it is done for each message.
static void
set_text (char *out, size_t size, const char *text)
{
    size_t length = strnlen (text, size - 1);

    memcpy (out, text, length);
    out [length] = '\0';
}

static void
set_worker (feed_header_t *header, const worker_t *worker)
{
    if (worker) {
        set_text (header->region, sizeof header->region, worker_region (worker));
        set_text (header->worker_id, sizeof header->worker_id, worker_id (worker));
    }
}

static feed_header_t
header_of (const feed_t *self, feed_kind_t kind, event_type_t type, const worker_t *worker,
           time_us_t wall)
{
    feed_header_t header = {.kind = kind, .type = type, .seq = self->sequence, .time = wall};

    memcpy (header.epoch, self->epoch, sizeof header.epoch);
    set_worker (&header, worker);
    return header;
}

static message_t *
add_message (feed_t *self)
{
    if (self->count == self->size) {
        size_t size = self->size ? self->size * 2 : 256;
        message_t *messages = realloc (self->messages, size * sizeof *messages);
        assert (messages && "a row of a turn's list is 32 bytes; without them nothing goes on");
        self->messages = messages;
        self->size = size;
    }
    message_t *message = &self->messages [self->count++];
    *message = (message_t){.header = self->headers.size, .body = self->bodies.size};
    return message;
}

static void
close_message (feed_t *self, const feed_header_t *header)
{
    message_t *message = &self->messages [self->count - 1];

    feed_header_write (&self->headers, header);
    message->header_size = self->headers.size - message->header;
    message->kept_size = message->header_size - feed_header_trace_size (header);
    message->body_size = self->bodies.size - message->body;
    message->seq = header->kind == FEED_EVENT ? header->seq : 0;
}

//  The members before data; the number is given here (F1).
static void
begin (feed_t *self, event_type_t type, const char *source, const worker_t *worker)
{
    time_us_t wall = loop_now (self->loop).wall;

    add_message (self);
    self->sequence++;
    self->open = header_of (self, FEED_EVENT, type, worker, wall);
    self->open.trace = causes_tell (self->causes);
    self->json = json_writer (&self->bodies);
    json_open_object (&self->json);
    json_member_text (&self->json, "type", event_type_name (type));
    json_member_text (&self->json, "source", source ? source : event_type_source (type));
    json_member_time (&self->json, "time", wall);
    json_member_integer (&self->json, "seq", (int64_t) self->sequence);
    json_key (&self->json, "data");
}

static void
count_event (feed_t *self, event_type_t type)
{
    if (!self->events [type]) {
        self->events [type] = metrics_with (
            self->metrics, METRIC_COUNTER, "cmlwatch_feed_events_total",
            "Events numbered and published", METRIC_LABELS ("type", event_type_name (type)));
    }
    metric_increment (self->events [type]);
}

json_writer_t *
feed_begin (feed_t *self, event_type_t type, const char *source, const worker_t *worker)
{
    begin (self, type, source, worker);
    json_open_object (&self->json);
    if (worker) {
        json_member_text (&self->json, "worker_id", worker_id (worker));
    }
    return &self->json;
}

json_writer_t *
feed_begin_job (feed_t *self, event_type_t type, const job_t *job)
{
    feed_header_t *header = &self->open;

    begin (self, type, NULL, NULL);
    set_text (header->region, sizeof header->region, job->region);
    set_text (header->worker_id, sizeof header->worker_id, job->worker_id);
    set_text (header->job_type, sizeof header->job_type, job->type);
    header->priority = job->priority;
    json_open_object (&self->json);
    json_member_text (&self->json, "job_id", job->id);
    return &self->json;
}

void
feed_end (feed_t *self)
{
    json_close_object (&self->json);
    json_close_object (&self->json);
    count_event (self, self->open.type);
    close_message (self, &self->open);
}

//  size bytes of the bodies from start on.
static worker_text_t
written_since (const feed_t *self, size_t start, size_t size)
{
    worker_text_t written = {0};

    if (!buffer_failed (&self->bodies)) {
        written.bytes = self->bodies.data + start;
        written.size = size;
    }
    return written;
}

worker_text_t
feed_snapshot (feed_t *self, const worker_t *worker, const char *reason)
{
    snapshot_t snapshot = worker_snapshot (worker);

    begin (self, EVENT_WORKER_SNAPSHOT, NULL, worker);
    size_t start = self->bodies.size;
    snapshot_write (&self->json, &snapshot, NULL);
    //  The replica takes it without the closing brace; the reason follows it in the event.
    self->open.snapshot_offset = start - self->messages [self->count - 1].body;
    self->open.snapshot_size = self->bodies.size - start - 1;
    self->bodies.size--;
    buffer_text (&self->bodies, ",\"_reason\":\"");
    buffer_text (&self->bodies, reason);
    buffer_text (&self->bodies, "\"}");
    json_close_object (&self->json);
    count_event (self, EVENT_WORKER_SNAPSHOT);
    close_message (self, &self->open);
    return written_since (self, start, self->open.snapshot_size);
}

void
feed_write_state (const feed_t *self, const worker_t *worker, time_us_t wall, buffer_t *header,
                  buffer_t *json)
{
    feed_header_t own = header_of (self, FEED_STATE, EVENT_UNKNOWN, worker, wall);
    snapshot_t snapshot = worker_snapshot (worker);
    json_writer_t writer = json_writer (json);

    feed_header_write (header, &own);
    snapshot_write (&writer, &snapshot, NULL);
}

worker_text_t
feed_state (feed_t *self, const worker_t *worker)
{
    feed_header_t header =
        header_of (self, FEED_STATE, EVENT_UNKNOWN, worker, loop_now (self->loop).wall);
    snapshot_t snapshot = worker_snapshot (worker);
    json_writer_t writer = json_writer (&self->bodies);

    size_t start = self->bodies.size;
    add_message (self);
    snapshot_write (&writer, &snapshot, NULL);
    close_message (self, &header);
    return written_since (self, start, self->bodies.size - start - 1);
}

void
feed_gone (feed_t *self, const worker_t *worker)
{
    feed_header_t header =
        header_of (self, FEED_GONE, EVENT_UNKNOWN, worker, loop_now (self->loop).wall);

    add_message (self);
    close_message (self, &header);
}

//  Who subscribes to what: libzmq has it already, and passes it on to an XPUB. Who says it without end
//  holds nobody up: the rest is heard in the next turn.
static void
hear_subscriptions (feed_t *self)
{
    char byte;
    int heard = 0;

    while (heard < FEED_HEARD_MOST &&
           zmq_recv (zsock_resolve (self->socket), &byte, sizeof byte, ZMQ_DONTWAIT) >= 0) {
        heard++;
    }
}

static void
send_message (feed_t *self, const message_t *message)
{
    void *handle = zsock_resolve (self->socket);
    bool body = message->body_size > 0;

    if (zmq_send (handle, self->headers.data + message->header, message->header_size,
                  ZMQ_DONTWAIT | (body ? ZMQ_SNDMORE : 0)) < 0 ||
        (body && zmq_send (handle, self->bodies.data + message->body, message->body_size,
                           ZMQ_DONTWAIT) < 0)) {
        metric_increment (self->refused);
    }
    metric_count (self->bytes, (double) (message->header_size + message->body_size));
}

//  F3. False while the store cannot take it.
static bool
commit (feed_t *self)
{
    time_us_t wall = loop_now (self->loop).wall;
    reason_t why = {0};

    if (!self->store) {
        return true;
    }
    for (; self->stored < self->count; self->stored++) {
        const message_t *message = &self->messages [self->stored];
        if (message->seq) {
            store_put_event (self->store, message->seq, wall, self->headers.data + message->header,
                             message->kept_size, self->bodies.data + message->body,
                             message->body_size);
        }
    }
    bool ok = store_commit (self->store, &why) == 0;
    if (!ok) {
        log_error ("nothing is told until the store takes it", LOG_TEXT ("reason", why.text));
        self->why_held = why;
        loop_timer_after (self->retry, HELD_RETRY_MS * MS_US);
    } else if (self->held) {
        log_info ("the store takes what was held", LOG_INTEGER ("messages", self->count));
    }
    self->held = !ok;
    return ok;
}

static void
publish (feed_t *self)
{
    hear_subscriptions (self);
    for (size_t i = 0; i < self->count; i++) {
        send_message (self, &self->messages [i]);
    }
    self->published = self->sequence;
    self->count = self->stored = 0;
    buffer_reset (&self->headers);
    buffer_reset (&self->bodies);
    loop_timer_every (self->tick, self->tick_ms * MS_US);  //  what was sent is as good as a tick
}

void
feed_flush (feed_t *self)
{
    bool pending = self->count > 0 || (self->store && store_is_pending (self->store));

    if (pending && (loop_timer_is_set (self->retry) || !commit (self))) {
        return;
    }
    causes_committed (self->causes);
    if (self->count > 0) {
        publish (self);
    }
    causes_published (self->causes);
}

static void
on_retry (void *argument)
{
    feed_flush (argument);
}

bool
feed_is_held (const feed_t *self, reason_t *why)
{
    if (self->held) {
        *why = self->why_held;
    }
    return self->held;
}

static void
on_tick (void *argument)
{
    feed_t *self = argument;
    feed_header_t header =
        header_of (self, FEED_TICK, EVENT_UNKNOWN, NULL, loop_now (self->loop).wall);
    buffer_t text = {0};

    hear_subscriptions (self);
    header.seq = self->published;  //  F2
    feed_header_write (&text, &header);
    (void) zmq_send (zsock_resolve (self->socket), text.data, text.size, ZMQ_DONTWAIT);
    buffer_clear (&text);
}

feed_t *
feed_open (loop_t *loop, const char *endpoint, const bus_keys_t *keys, int64_t tick_ms,
           int64_t high_water_mark, store_t *store, metrics_t *metrics, reason_t *why)
{
    uint32_t epoch = 0;
    _cleanup_ (feed_destroy) feed_t *self = calloc (1, sizeof *self);

    if (!self || !(self->tick = loop_timer_new (loop, on_tick, self)) ||
        !(self->retry = loop_timer_new (loop, on_retry, self)) ||
        getrandom (&epoch, sizeof epoch, 0) != sizeof epoch) {
        reason_set (why, -ENOMEM, "feed: out of memory");
        return NULL;
    }
    snprintf (self->epoch, sizeof self->epoch, "%08x", epoch);
    if (store) {
        snprintf (self->epoch, sizeof self->epoch, "%s", store_epoch (store));
        self->sequence = self->published = store_last (store);
    }
    self->store = store;
    self->loop = loop;
    self->tick_ms = tick_ms;
    self->metrics = metrics;
    self->bytes = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_feed_bytes_total",
                               "Bytes published on the feed");
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_feed_send_refused_total",
                                 "Messages the feed's socket would not take");
    //  Not a PUB: when a subscriber goes between the two frames of a message, libzmq 4.3.4 forgets the
    //  first in a PUB's pipe (pipe_t::process_pipe_term takes nothing back where nothing is delayed).
    self->socket = bus_socket_locked (ZMQ_XPUB, BUS_BIND, endpoint, (int) high_water_mark,
                                      LINGER_MS, keys, DOOR_FEED, why);
    if (!self->socket) {
        return NULL;
    }
    loop_timer_every (self->tick, tick_ms * MS_US);
    return take_ptr (self);
}

void
feed_destroy (feed_t **self_p)
{
    assert (self_p);
    feed_t *self = *self_p;

    if (self) {
        loop_timer_destroy (&self->tick);
        loop_timer_destroy (&self->retry);
        zsock_destroy (&self->socket);
        buffer_clear (&self->headers);
        buffer_clear (&self->bodies);
        free (self->messages);
        free (self);
        *self_p = NULL;
    }
}

void
feed_follow (feed_t *self, causes_t *causes)
{
    self->causes = causes;
}

causes_t *
feed_causes (const feed_t *self)
{
    return self->causes;
}

const char *
feed_epoch (const feed_t *self)
{
    return self->epoch;
}

uint64_t
feed_sequence (const feed_t *self)
{
    return self->sequence;
}
