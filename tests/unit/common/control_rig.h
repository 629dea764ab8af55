//  control_rig.h - what the tests of questions and answers share: a server and a client in one
//  loop, and a raw socket where a test wants to say what ours would not. The tear-down destroys
//  all, also when a test fails.
//
// SPDX-License-Identifier: MIT

#ifndef TESTS_UNIT_COMMON_CONTROL_RIG_H
#define TESTS_UNIT_COMMON_CONTROL_RIG_H

#include "../../../common/bus.h"
#include "../../../common/cleanup.h"
#include "../../../common/json.h"
#include "../../../common/log.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include <cmocka.h>  //  needs the three above it

#define PATIENCE_US (30 * SECOND_US)
#define PATIENCE_MS (PATIENCE_US / MS_US)
#define ANY_PORT    "tcp://127.0.0.1:*"
#define WAITING_MAX 64

static loop_t *loop;
static metrics_t *metrics;
static bus_server_t *server;
static bus_client_t *client;
static zsock_t *raw;
static int served;

//  What was answered to one question.
typedef struct heard {
    int count, code;
    char error [256], text [64];
    bool is_object;
    size_t frames, size;  //  of the payload: how many, and the first
} heard_t;

static inline void
on_answer (void *argument, const bus_answer_t *answer)
{
    heard_t *self = argument;
    const char *text = json_get_text (answer->json, "text");

    self->count++;
    self->code = answer->code;
    assert_int_equal (answer->code < 0, answer->error != NULL);
    snprintf (self->error, sizeof self->error, "%s", answer->error ? answer->error : "");
    snprintf (self->text, sizeof self->text, "%s", text ? text : "");
    self->is_object = json_object_is_type (answer->json, json_type_object);
    if (answer->payload) {
        self->frames = zmsg_size (answer->payload);
        _cleanup_ (zframe_destroy) zframe_t *first = zmsg_pop (answer->payload);
        self->size = first ? zframe_size (first) : 0;
    }
}

//  --- the operations of the server

static inline void
echo (void *argument, bus_request_t *request)
{
    const char *text = json_object_to_json_string (bus_request_json (request));

    assert_ptr_equal (argument, &served);
    served++;
    bus_request_add (request, "one", 3);
    bus_request_add (request, "", 0);
    bus_request_reply (request, text, strlen (text));
}

static inline void
send_much (void *argument, bus_request_t *request)
{
    static char much [3 * 1024 * 1024];

    (void) argument;
    memset (much, 'x', sizeof much);
    bus_request_add (request, much, sizeof much);
    memset (much, 'y', sizeof much);  //  it was copied
    bus_request_reply (request, "{}", 2);
}

static inline void
refuse (void *argument, bus_request_t *request)
{
    (void) argument;
    bus_request_refuse (request, "not_now", "come \"back\" later");
}

static inline void
say_nothing (void *argument, bus_request_t *request)
{
    (void) argument;
    (void) request;
}

static bus_request_t *deferred;

static inline void
defer (void *argument, bus_request_t *request)
{
    (void) argument;
    bus_request_add (request, "before", 6);
    deferred = bus_request_defer (request);
    assert_non_null (deferred);
}

static const bus_operation_t OPERATIONS [] = {{"echo", echo},     {"send_much", send_much},
                                              {"refuse", refuse}, {"say_nothing", say_nothing},
                                              {"defer", defer},   {0}};

static inline int
set_up (void **state)
{
    (void) state;
    served = 0;
    loop = loop_new (1000);
    metrics = metrics_new (100);
    return loop && metrics ? 0 : -1;
}

static inline int
tear_down (void **state)
{
    (void) state;
    bus_client_destroy (&client);
    bus_server_destroy (&server);
    zsock_destroy (&raw);
    loop_destroy (&loop);
    metrics_destroy (&metrics);
    return 0;
}

static inline void
open_client (const char *endpoint)
{
    client = bus_client_new (loop, endpoint, NULL, metrics, NULL);
    assert_non_null (client);
}

static inline void
open_both (void)
{
    server = bus_server_new (loop, ANY_PORT, NULL, OPERATIONS, &served, metrics, NULL);
    assert_non_null (server);
    open_client (bus_server_endpoint (server));
}

//  A raw socket of the other side; it waits as long as a test does.
static inline void
open_raw (int zmq_type, bus_role_t role, const char *endpoint)
{
    raw = bus_socket (zmq_type, role, endpoint, 1000, 0, NULL);
    assert_non_null (raw);
    zsock_set_rcvtimeo (raw, (int) PATIENCE_MS);
}

static inline void
open_raw_server (void)
{
    open_raw (ZMQ_ROUTER, BUS_BIND, ANY_PORT);
    _cleanup_ (string_destroy) char *endpoint = zsock_last_endpoint (raw);
    open_client (endpoint);
}

static inline void
ask (heard_t *heard, const char *operation, const char *json, int64_t timeout_ms)
{
    assert_int_equal (
        bus_client_ask (client, operation, json, strlen (json), timeout_ms, on_answer, heard), 0);
    assert_int_equal (heard->count, 0);
}

static inline void
await (const heard_t *heard)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;

    while (heard->count == 0) {
        assert_true (clock_now ().steady < end);
        loop_turn (loop, 20);
    }
}

static inline double
counted (const char *name)
{
    return metric_value (metrics_add (metrics, METRIC_COUNTER, name, ""));
}

static inline void
await_count (const char *name, double wanted)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;

    while (counted (name) < wanted) {
        assert_true (clock_now ().steady < end);
        loop_turn (loop, 20);
    }
}

#endif
