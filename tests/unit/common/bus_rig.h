//  bus_rig.h - what the tests of the bus share: a publisher and a subscriber in one loop, over a
//  free loopback port, and what was heard. The tear-down destroys all, also when a test fails.
//
// SPDX-License-Identifier: MIT

#ifndef TESTS_UNIT_COMMON_BUS_RIG_H
#define TESTS_UNIT_COMMON_BUS_RIG_H

#include "../../../common/bus.h"
#include "../../../common/cleanup.h"
#include "../../../common/json.h"
#include "../../../common/log.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>  //  needs the three above it

#define PATIENCE_US (30 * SECOND_US)
#define ANY_PORT    "tcp://127.0.0.1:*"
#define HEARD_MAX   4096

static const char *const EVERYTHING [] = {"", NULL};

static loop_t *loop;
static metrics_t *metrics;
static bus_subscriber_t *in;
static bus_publisher_t *publishers [2];
static zsock_t *raw;

//  What came, the last of it in full.
static struct {
    int count;
    uint64_t numbers [HEARD_MAX];  //  0: no envelope
    size_t frames, size [2];
    char topic [256], subject [256], source [64], epoch [ENVELOPE_EPOCH_SIZE], name [64];
    time_us_t time;
    int64_t last_sequence, interval_ms;
} heard;

static inline void
take_envelope (const bus_message_t *message)
{
    envelope_t envelope;
    const char *name;

    if (message->frames < 2 || envelope_decode (&envelope, message->bytes [1], message->size [1],
                                                OBSERVATION_BYTES_MAX, NULL) < 0) {
        return;
    }
    heard.numbers [heard.count] = envelope.sequence;
    heard.time = envelope.time;
    memcpy (heard.epoch, envelope.epoch, sizeof heard.epoch);
    snprintf (heard.subject, sizeof heard.subject, "%s", envelope.subject);
    snprintf (heard.source, sizeof heard.source, "%s", envelope.source);
    name = json_node_get_text (envelope.data, "name");
    snprintf (heard.name, sizeof heard.name, "%s", name ? name : "");
    json_node_integer (json_node_get (envelope.data, "last_sequence"), &heard.last_sequence);
    json_node_integer (json_node_get (envelope.data, "interval_ms"), &heard.interval_ms);
    envelope_clear (&envelope);
}

static inline void
on_message (void *argument, const bus_message_t *message)
{
    assert_ptr_equal (argument, &heard);
    assert_true (heard.count < HEARD_MAX);
    heard.frames = message->frames;
    for (size_t i = 0; i < message->frames; i++) {
        heard.size [i] = message->size [i];
    }
    snprintf (heard.topic, sizeof heard.topic, "%.*s", (int) message->size [0],
              (const char *) message->bytes [0]);
    take_envelope (message);
    heard.count++;
}

static inline double
counted (const char *name)
{
    return metric_value (metrics_add (metrics, METRIC_COUNTER, name, ""));
}

static inline int
set_up (void **state)
{
    (void) state;
    memset (&heard, 0, sizeof heard);
    loop = loop_new (1000);
    metrics = metrics_new (100);
    return loop && metrics ? 0 : -1;
}

static inline int
tear_down (void **state)
{
    (void) state;
    bus_subscriber_destroy (&in);
    bus_publisher_destroy (&publishers [0]);
    bus_publisher_destroy (&publishers [1]);
    zsock_destroy (&raw);
    loop_destroy (&loop);
    metrics_destroy (&metrics);
    return 0;
}

static inline void
subscribe (bus_role_t role, const char *endpoint, const char *const topics [], int high_water_mark)
{
    reason_t why = {0};

    in = bus_subscriber_new (loop, role, endpoint, topics, high_water_mark, NULL, NULL, on_message,
                             &heard, metrics, &why);
    if (!in) {
        fail_msg ("%s", why.text);
    }
}

static inline bus_publisher_t *
publisher (const char *endpoint, int64_t heartbeat_ms, int64_t ring_max, int64_t high_water_mark)
{
    reason_t why = {0};
    bus_publisher_t **self = &publishers [publishers [0] ? 1 : 0];
    const bus_publisher_settings_t settings = {.endpoint = endpoint,
                                               .source = "/collector/ec2/host-1",
                                               .heartbeat_ms = heartbeat_ms,
                                               .ring_max = ring_max,
                                               .high_water_mark = high_water_mark};

    *self = bus_publisher_new (loop, &settings, metrics, &why);
    if (!*self) {
        fail_msg ("%s", why.text);
    }
    return *self;
}

static inline bus_publisher_t *
open_both (int64_t heartbeat_ms, int64_t ring_max, int high_water_mark)
{
    subscribe (BUS_BIND, ANY_PORT, EVERYTHING, high_water_mark);
    return publisher (bus_subscriber_endpoint (in), heartbeat_ms, ring_max, high_water_mark);
}

static inline int
say (bus_publisher_t *self, const char *name)
{
    observation_t observation;

    observation_init (&observation, EVENT_INSTANCE_OBSERVED);
    observation.instance_observed.name = name;
    return bus_publish (self, &observation, "us-east-1/i-0abc");
}

//  A tag of so many bytes: texts are cut to their bounds as they are written, objects are not.
static inline int
say_tag (bus_publisher_t *self, const char *value)
{
    _cleanup_ (json_destroy) struct json_object *tags = json_object_new_object ();
    observation_t observation;

    json_object_object_add (tags, "tag", json_object_new_string (value));
    observation_init (&observation, EVENT_INSTANCE_OBSERVED);
    observation.instance_observed.tags.tree = tags;
    return bus_publish (self, &observation, "us-east-1/i-0abc");
}

static inline void
turn (time_us_t end)
{
    assert_true (clock_now ().steady < end);
    loop_turn (loop, 20);
}

//  Turns until the message of this number came.
static inline void
hear (uint64_t number)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;

    while (heard.count == 0 || heard.numbers [heard.count - 1] < number) {
        turn (end);
    }
}

//  Says something until it is heard: then both sides know of each other.
static inline void
meet (bus_publisher_t *self)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;
    int rc;

    do {
        rc = say (self, "hello");
        turn (end);
    } while (heard.count == 0 || rc != 0);
    hear (bus_publisher_sequence (self));
}

#endif
