// bus_publisher.c - ingest, the speaking side; see bus.h.
//
// SPDX-License-Identifier: MIT

#include "bus.h"

#include "bus_handshake.h"
#include "cleanup.h"
#include "log.h"
#include "program.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <zmq.h>

typedef struct kept {  //  one message, for a resend
    uint64_t sequence;
    char *topic, *body;
    size_t topic_size, body_size;
} kept_t;

struct bus_publisher {
    loop_t *loop;
    zsock_t *socket;
    bus_handshake_t *handshake;  //  null: nothing is encrypted
    loop_timer_t *heartbeat;
    char *source, *endpoint;
    char epoch [ENVELOPE_EPOCH_SIZE];
    uint64_t sequence;
    int64_t heartbeat_ms;
    bus_beat_fn *on_beat;
    void *argument;
    kept_t *ring;
    size_t ring_size;
    buffer_t data, topic, body;  //  reused: no allocation for each message
    metrics_t *metrics;
    metric_t *published [EVENT_TYPE_COUNT];
    metric_t *bytes, *refused, *oversized, *reconnects;
};

static void
make_metrics (bus_publisher_t *self, metrics_t *metrics)
{
    self->metrics = metrics;
    self->bytes = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_bus_published_bytes_total",
                               "Bytes of messages published");
    self->refused =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_bus_send_refused_total",
                     "Messages the socket would not take: the high-water mark was reached");
    self->oversized = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_bus_oversized_total",
                                   "Observations over the size bound, not sent");
    self->reconnects =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_bus_publisher_reconnects_total",
                     "Connections given up because the aggregator heard nothing of what was said");
}

static metric_t *
published_of (bus_publisher_t *self, event_type_t type)
{
    if (!self->published [type]) {
        self->published [type] =
            metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_bus_published_total",
                          "Messages published", METRIC_LABELS ("type", event_type_name (type)));
    }
    return self->published [type];
}

static int
send_frames (bus_publisher_t *self, const char *topic, size_t topic_size, const char *body,
             size_t body_size)
{
    void *handle = zsock_resolve (self->socket);

    if (zmq_send (handle, topic, topic_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0 ||
        zmq_send (handle, body, body_size, ZMQ_DONTWAIT) < 0) {
        metric_increment (self->refused);
        log_warn ("bus message not sent: the queue is full", LOG_TEXT ("source", self->source));
        return -EAGAIN;
    }
    return 0;
}

static void
keep (bus_publisher_t *self)
{
    kept_t *slot = &self->ring [self->sequence % self->ring_size];

    free (slot->topic);
    free (slot->body);
    *slot = (kept_t){
        .sequence = self->sequence, .topic_size = self->topic.size, .body_size = self->body.size};
    slot->topic = malloc (self->topic.size + 1);
    slot->body = malloc (self->body.size + 1);
    if (!slot->topic || !slot->body) {
        slot->sequence = 0;  //  a resend will not find it, and the loss is counted there
        return;
    }
    memcpy (slot->topic, self->topic.data, self->topic.size);
    memcpy (slot->body, self->body.data, self->body.size);
}

int
bus_publish (bus_publisher_t *self, const observation_t *observation, const char *subject)
{
    time_us_t at = observation->envelope.time;

    buffer_reset (&self->data);
    buffer_reset (&self->topic);
    buffer_reset (&self->body);
    observation_write_data (&self->data, observation);
    envelope_write_topic (&self->topic, observation->envelope.type, subject);
    envelope_write (&self->body, observation->envelope.type, self->source, self->epoch,
                    self->sequence + 1, subject,
                    at == TIME_UNKNOWN ? loop_now (self->loop).wall : at,
                    observation->envelope.traceparent, self->data.data, self->data.size);
    if (buffer_failed (&self->data) || buffer_failed (&self->topic) ||
        buffer_failed (&self->body) || self->body.size > OBSERVATION_BYTES_MAX) {
        metric_increment (self->oversized);
        log_warn ("observation not sent: too large", LOG_TEXT ("subject", subject),
                  LOG_INTEGER ("bytes", self->body.size),
                  LOG_INTEGER ("most", OBSERVATION_BYTES_MAX));
        return -E2BIG;
    }
    self->sequence++;
    keep (self);
    int rc =
        send_frames (self, self->topic.data, self->topic.size, self->body.data, self->body.size);
    if (rc == 0) {
        metric_increment (published_of (self, observation->envelope.type));
        metric_count (self->bytes, (double) (self->topic.size + self->body.size));
    }
    return rc;
}

static void
on_heartbeat (void *argument)
{
    bus_publisher_t *self = argument;
    observation_t beat;

    observation_init (&beat, EVENT_COLLECTOR_HEARTBEAT);
    beat.envelope.time = loop_now (self->loop).wall;
    beat.collector_heartbeat.last_sequence = (int64_t) self->sequence;
    beat.collector_heartbeat.interval_ms = self->heartbeat_ms;
    beat.collector_heartbeat.version = program_version ();
    if (self->on_beat) {
        self->on_beat (self->argument, &beat.collector_heartbeat);
    }
    (void) bus_publish (self, &beat, "");
}

static int
open_socket (bus_publisher_t *self, const bus_publisher_settings_t *settings, reason_t *why)
{
    int nodrop = 1;

    self->socket = bus_socket_locked (ZMQ_PUB, BUS_CONNECT, settings->endpoint,
                                      (int) settings->high_water_mark, (int) settings->linger_ms,
                                      settings->keys, NULL, why);
    if (!self->socket) {
        return -ECONNREFUSED;
    }
    //  What cannot be sent comes back as EAGAIN and is counted (traps 10).
    zmq_setsockopt (zsock_resolve (self->socket), ZMQ_XPUB_NODROP, &nodrop, sizeof nodrop);
    return 0;
}

bus_publisher_t *
bus_publisher_new (loop_t *loop, const bus_publisher_settings_t *settings, metrics_t *metrics,
                   reason_t *why)
{
    uint32_t epoch = 0;
    _cleanup_ (bus_publisher_destroy) bus_publisher_t *self = calloc (1, sizeof *self);

    if (!self || !(self->source = strdup (settings->source)) ||
        !(self->endpoint = strdup (settings->endpoint)) ||
        !(self->ring = calloc ((size_t) settings->ring_max, sizeof *self->ring)) ||
        !(self->heartbeat = loop_timer_new (loop, on_heartbeat, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->ring_size = (size_t) settings->ring_max;
    self->heartbeat_ms = settings->heartbeat_ms;
    self->on_beat = settings->on_beat;
    self->argument = settings->argument;
    if (getrandom (&epoch, sizeof epoch, 0) != sizeof epoch) {
        reason_set (why, -EIO, "no random bytes for the epoch");
        return NULL;
    }
    snprintf (self->epoch, sizeof self->epoch, "%08x", epoch);
    make_metrics (self, metrics);
    if (open_socket (self, settings, why) < 0) {
        return NULL;
    }
    self->handshake =
        bus_handshake_new (loop, self->socket, settings->endpoint, settings->keys, metrics);
    loop_timer_every (self->heartbeat, settings->heartbeat_ms * MS_US);
    return take_ptr (self);
}

void
bus_publisher_destroy (bus_publisher_t **self_p)
{
    assert (self_p);
    bus_publisher_t *self = *self_p;

    if (!self) {
        return;
    }
    loop_timer_destroy (&self->heartbeat);
    bus_handshake_destroy (&self->handshake);
    zsock_destroy (&self->socket);
    for (size_t i = 0; i < self->ring_size; i++) {
        free (self->ring [i].topic);
        free (self->ring [i].body);
    }
    free (self->ring);
    free (self->source);
    free (self->endpoint);
    buffer_clear (&self->data);
    buffer_clear (&self->topic);
    buffer_clear (&self->body);
    free (self);
    *self_p = NULL;
}

void
bus_publisher_reconnect (bus_publisher_t *self)
{
    metric_increment (self->reconnects);
    bus_socket_reconnect (self->socket, self->endpoint);
}

uint64_t
bus_publisher_sequence (const bus_publisher_t *self)
{
    return self->sequence;
}

const char *
bus_publisher_epoch (const bus_publisher_t *self)
{
    return self->epoch;
}

uint64_t
bus_publisher_resend (bus_publisher_t *self, uint64_t from, uint64_t to)
{
    uint64_t had = 0;

    from = from > 0 ? from : 1;  //  numbers begin with 1; 0 marks an empty slot
    if (self->sequence >= self->ring_size && from <= self->sequence - self->ring_size) {
        from = self->sequence - self->ring_size + 1;
    }
    for (uint64_t number = from; number <= to && number <= self->sequence; number++) {
        const kept_t *slot = &self->ring [number % self->ring_size];
        if (slot->sequence == number &&
            send_frames (self, slot->topic, slot->topic_size, slot->body, slot->body_size) == 0) {
            had++;
        }
    }
    return had;
}
