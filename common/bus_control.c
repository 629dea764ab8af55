// bus_control.c - who answers questions; see bus.h. Who asks is bus_client.c.
//
// SPDX-License-Identifier: MIT

#include "bus.h"

#include "cleanup.h"
#include "json.h"
#include "log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONTROL_HWM  1000
#define LINGER_MS    200
#define SERVER_BATCH 64
#define DEFERRED_MAX 20000  //  a kilobyte or so each

static bool
frame_is (zframe_t *frame, const char *text)
{
    return frame && zframe_streq (frame, text);
}

struct bus_server {
    loop_t *loop;
    zsock_t *socket;
    char *endpoint;
    bus_lock_t lock;
    const bus_operation_t *operations;
    void *argument;
    bus_request_t *deferred;  //  a list
    size_t deferred_count;
    metric_t *requests, *refused;
};

struct bus_request {
    bus_server_t *server;
    zframe_t *identity, *operation, *number;
    struct json_object *json;
    zmsg_t *payload;
    bool answered;
    bool is_deferred;  //  on the heap, and in the server's list
    bus_request_t *next, *previous;
};

static void
clear_request (bus_request_t *self)
{
    zframe_destroy (&self->identity);
    zframe_destroy (&self->operation);
    zframe_destroy (&self->number);
    zmsg_destroy (&self->payload);
    json_destroy (&self->json);
}

bus_request_t *
bus_request_defer (bus_request_t *self)
{
    bus_server_t *server = self->server;
    bus_request_t *deferred =
        server->deferred_count < DEFERRED_MAX ? malloc (sizeof *deferred) : NULL;

    assert (!self->answered && !self->is_deferred && "a request is deferred once");
    if (!deferred) {
        return NULL;
    }
    *deferred = *self;
    deferred->is_deferred = true;
    deferred->next = server->deferred;
    if (deferred->next) {
        deferred->next->previous = deferred;
    }
    server->deferred = deferred;
    server->deferred_count++;
    *self = (bus_request_t){.server = server, .answered = true};
    return deferred;
}

//  Of one that was deferred this was the end.
static void
forget_request (bus_request_t *self)
{
    //  -fanalyzer: each turn has the next one, for this one was taken out of the list
    bus_server_t *server = self->server;

    if (self->is_deferred) {
        *(self->previous ? &self->previous->next : &server->deferred) = self->next;
        if (self->next) {
            self->next->previous = self->previous;
        }
        server->deferred_count--;
        //  -fanalyzer: one that stands on the stack is not the deferred one
        clear_request (self);
        //  scan-build: likewise
        free (self);
    }
}

struct json_object *
bus_request_json (const bus_request_t *self)
{
    return self->json;
}

void
bus_request_add (bus_request_t *self, const void *bytes, size_t size)
{
    zmsg_addmem (self->payload, bytes, size);
}

void
bus_request_reply (bus_request_t *self, const char *json, size_t size)
{
    assert (!self->answered && "a request is answered once");
    zmsg_t *msg = self->payload;

    zmsg_pushmem (msg, json, size);
    zmsg_prepend (msg, &self->number);
    zmsg_prepend (msg, &self->operation);
    zmsg_pushstr (msg, "reply");
    zmsg_prepend (msg, &self->identity);
    self->payload = NULL;
    self->answered = true;
    if (zmsg_send (&msg, self->server->socket) != 0) {  //  the asker has gone
        zmsg_destroy (&msg);
    }
    forget_request (self);
}

void
bus_request_refuse (bus_request_t *self, const char *code, const char *sentence)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_key (&json, "error");
    json_open_object (&json);
    json_member_text (&json, "code", code);
    json_member_text (&json, "message", sentence);
    json_close_object (&json);
    json_close_object (&json);
    metric_increment (self->server->refused);
    bus_request_reply (self, out.data, out.size);
    buffer_clear (&out);
}

static const bus_operation_t *
find_operation (const bus_server_t *self, zframe_t *name)
{
    for (const bus_operation_t *row = self->operations; row->name; row++) {
        if (frame_is (name, row->name)) {
            return row;
        }
    }
    return NULL;
}

//  Who asks is what the door called it; its name travels beside each of its frames.
static bool
is_allowed (const bus_server_t *self, zframe_t *frame, const bus_operation_t *row)
{
    const char *user = self->lock.keys ? zframe_meta (frame, "User-Id") : NULL;
    return !self->lock.keys || (user && self->lock.allows (user, row->name));
}

static void
serve (bus_server_t *self, bus_request_t *request, zframe_t *body)
{
    reason_t why = {0};
    const bus_operation_t *row = find_operation (self, request->operation);

    if (row && !is_allowed (self, body, row)) {
        bus_request_refuse (request, "forbidden", "the role of this key does not ask that");
        return;
    }

    if (!row) {
        bus_request_refuse (request, "unknown_operation",
                            "no such operation; see common/README.md");
        return;
    }
    if (json_parse (&request->json, zframe_data (body), zframe_size (body), OBSERVATION_BYTES_MAX,
                    &why) < 0 ||
        !json_object_is_type (request->json, json_type_object)) {
        bus_request_refuse (request, "malformed", why.text [0] ? why.text : "not a JSON object");
        return;
    }
    row->fn (self->argument, request);
    if (!request->answered) {
        bus_request_refuse (request, "internal", "the operation gave no answer");
    }
}

static void
take_request (bus_server_t *self, zmsg_t *msg)
{
    bus_request_t request = {.server = self, .payload = zmsg_new ()};
    request.identity = zmsg_pop (msg);
    _cleanup_ (zframe_destroy) zframe_t *mark = zmsg_pop (msg);
    request.operation = zmsg_pop (msg);
    request.number = zmsg_pop (msg);
    _cleanup_ (zframe_destroy) zframe_t *body = zmsg_pop (msg);

    metric_increment (self->requests);
    if (body && frame_is (mark, "request")) {
        serve (self, &request, body);
    } else {
        metric_increment (self->refused);
        log_warn ("control request refused", LOG_TEXT ("reason", "not the frames of a request"));
    }
    clear_request (&request);
}

static void
on_request (void *argument)
{
    bus_server_t *self = argument;

    for (int i = 0; i < SERVER_BATCH && (zsock_events (self->socket) & ZMQ_POLLIN); i++) {
        _cleanup_ (zmsg_destroy) zmsg_t *msg = zmsg_recv (self->socket);
        if (!msg) {
            return;
        }
        take_request (self, msg);
    }
}

bus_server_t *
bus_server_new (loop_t *loop, const char *endpoint, const bus_lock_t *lock,
                const bus_operation_t *operations, void *argument, metrics_t *metrics,
                reason_t *why)
{
    _cleanup_ (bus_server_destroy) bus_server_t *self = calloc (1, sizeof *self);
    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->lock = lock ? *lock : (bus_lock_t){0};
    self->operations = operations;
    self->argument = argument;
    self->requests = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_control_requests_total",
                                  "Questions received");
    self->refused = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_control_refused_total",
                                 "Questions answered with an error");
    self->socket = bus_socket_locked (ZMQ_ROUTER, BUS_BIND, endpoint, CONTROL_HWM, LINGER_MS,
                                      self->lock.keys, self->lock.domain, why);
    if (!self->socket || loop_watch_socket (loop, self->socket, on_request, self) < 0) {
        return NULL;
    }
    self->endpoint = zsock_last_endpoint (self->socket);
    return take_ptr (self);
}

void
bus_server_destroy (bus_server_t **self_p)
{
    assert (self_p);
    bus_server_t *self = *self_p;

    if (self) {
        while (self->deferred) {
            //  scan-build: the first of them was taken out of the list in the turn before
            forget_request (self->deferred);
        }
        if (self->socket) {
            loop_unwatch_socket (self->loop, self->socket);
            zsock_destroy (&self->socket);
        }
        free (self->endpoint);
        free (self);
        *self_p = NULL;
    }
}

const char *
bus_server_endpoint (const bus_server_t *self)
{
    return self->endpoint;
}
