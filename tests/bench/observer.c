// observer.c - see observer.h.
//
// SPDX-License-Identifier: MIT

#include "observer.h"

#include "../../common/bus.h"
#include "../../common/envelope.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define SOURCE     "/collector/cloudwatch/bench"
#define EC2_SOURCE "/collector/ec2/bench"
#define EPOCH      "0badcafe"
#define HIGH_WATER 1000000
#define LINGER_MS  0
#define LEAST      10000  //  thousandths: always as wide

struct observer {
    zsock_t *socket;
    size_t workers;
    time_us_t *last;  //  of each worker: what is not later than that is nothing new
    uint64_t ec2_sequence, sequence;
    bool heard;
    buffer_t topic, body;
};

observer_t *
observer_new (const char *ingest, size_t workers)
{
    observer_t *self = calloc (1, sizeof *self);
    reason_t why = {0};

    //  An XPUB is told who subscribes; a PUB would have to guess.
    if (!self ||
        !(self->socket = bus_socket (ZMQ_XPUB, BUS_CONNECT, ingest, HIGH_WATER, LINGER_MS, &why))) {
        fprintf (stderr, "observer: %s\n", why.text);
        exit (EXIT_FAILURE);
    }
    self->workers = workers;
    self->last = calloc (workers, sizeof *self->last);
    if (!self->last) {
        fprintf (stderr, "observer: no memory\n");
        exit (EXIT_FAILURE);
    }
    return self;
}

void
observer_destroy (observer_t **self_p)
{
    observer_t *self = *self_p;

    if (self) {
        zsock_destroy (&self->socket);
        buffer_clear (&self->topic);
        buffer_clear (&self->body);
        free (self->last);
        free (self);
        *self_p = NULL;
    }
}

static bool
send_observation (observer_t *self, event_type_t type, const char *source, uint64_t sequence,
                  size_t worker, const char *data)
{
    void *handle = zsock_resolve (self->socket);
    time_us_t now = clock_now ().wall, next = self->last [worker] + MS_US;
    char subject [60];

    //  Times are written to the millisecond.
    self->last [worker] = now > next ? now : next;
    snprintf (subject, sizeof subject, "us-east-1/i-%017zx", worker);
    buffer_reset (&self->topic);
    buffer_reset (&self->body);
    envelope_write_topic (&self->topic, type, subject);
    envelope_write (&self->body, type, source, EPOCH, sequence, subject, self->last [worker], NULL,
                    data, strlen (data));
    return zmq_send (handle, self->topic.data, self->topic.size, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
           zmq_send (handle, self->body.data, self->body.size, ZMQ_DONTWAIT) >= 0;
}

static void
tell_workers (observer_t *self)
{
    char data [300];

    for (size_t i = 0; i < self->workers; i++) {
        snprintf (data, sizeof data,
                  "{\"instance_id\":\"i-%017zx\",\"region\":\"us-east-1\",\"name\":\"cml-%zu\","
                  "\"state\":\"running\",\"instance_type\":\"m5zn.metal\","
                  "\"interval_seconds\":3600}",
                  i, i);
        (void) send_observation (self, EVENT_INSTANCE_OBSERVED, EC2_SOURCE, ++self->ec2_sequence, i,
                                 data);
    }
}

bool
observer_is_heard (observer_t *self)
{
    char subscription [16];

    if (!self->heard && zmq_recv (zsock_resolve (self->socket), subscription, sizeof subscription,
                                  ZMQ_DONTWAIT) > 0) {
        self->heard = true;
        tell_workers (self);
    }
    return self->heard;
}

bool
observer_tell (observer_t *self, uint64_t seq)
{
    uint64_t value = LEAST + seq % OBSERVER_VALUES;
    char data [100];

    snprintf (data, sizeof data, "{" OBSERVER_IN_TOPIC "%llu.%03llu,\"interval_seconds\":3600}",
              (unsigned long long) value / 1000, (unsigned long long) value % 1000);
    return send_observation (self, EVENT_UTILIZATION_OBSERVED, SOURCE, ++self->sequence,
                             seq % self->workers, data);
}

uint64_t
observer_find (const char *text, size_t size, const char *key, uint64_t last)
{
    size_t length = strlen (key);
    const char *at = memmem (text, size, key, length), *end = text + size;

    if (!at) {
        return 0;
    }
    uint64_t value = 0, digits = 0;
    bool point = false;
    for (at += length; at < end && digits < 3 && ((*at >= '0' && *at <= '9') || *at == '.'); at++) {
        point = point || *at == '.';
        value = *at == '.' ? value : value * 10 + (uint64_t) (*at - '0');
        digits += point && *at != '.';
    }
    for (; digits < 3; digits++) {  //  50.1 is written for 50.100
        value *= 10;
    }
    uint64_t of_last = LEAST + last % OBSERVER_VALUES;
    if (value < LEAST || value >= LEAST + OBSERVER_VALUES) {
        return 0;
    }
    uint64_t behind = (of_last + OBSERVER_VALUES - value) % OBSERVER_VALUES;
    return behind < last ? last - behind : 0;
}
