//  http_rig.h - what the tests of the HTTP client share: a client, and a server in the same loop
//  that says byte for byte what a test gives it. No thread, no sleep.
//
// SPDX-License-Identifier: MIT

#ifndef TESTS_UNIT_COMMON_HTTP_RIG_H
#define TESTS_UNIT_COMMON_HTTP_RIG_H

#include "../../../common/cleanup.h"
#include "../../../common/http_client.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cmocka.h>  //  needs the three above it

#define PATIENCE_US     (30 * SECOND_US)
#define CONNECTIONS_MAX 16

//  --- the server that says what it is told

typedef struct server server_t;

typedef struct connection {
    server_t *server;
    int fd;
    buffer_t heard;
} connection_t;

struct server {
    int fd, port;
    const char *reply;  //  null: says nothing
    bool closes;        //  after its reply
    int accepted, open, open_most, requests;
    buffer_t heard;  //  the last whole request
    connection_t connections [CONNECTIONS_MAX];
};

typedef struct fixture {
    loop_t *loop;
    metrics_t *metrics;
    http_client_t *client;
    server_t server;
    char url [64];
    loop_fn *also;  //  called each turn, for a server that is not this one; may be null
    void *also_of;
} fixture_t;

static fixture_t *here;  //  the server's functions need the loop

static inline void
hang_up (connection_t *self)
{
    if (self->fd >= 0) {
        loop_unwatch (here->loop, self->fd);
        close (self->fd);
        self->fd = -1;
        self->server->open--;
        buffer_clear (&self->heard);
    }
}

static inline bool
is_whole (const buffer_t *heard)
{
    const char *end = heard->data ? strstr (heard->data, "\r\n\r\n") : NULL;
    const char *length = heard->data ? strstr (heard->data, "Content-Length: ") : NULL;
    size_t body = length ? strtoul (length + 16, NULL, 10) : 0;
    return end && heard->size >= (size_t) (end + 4 - heard->data) + body;
}

static inline void
on_request (void *argument, uint32_t events)
{
    connection_t *self = argument;
    server_t *server = self->server;
    char bytes [4096];
    ssize_t size = recv (self->fd, bytes, sizeof bytes, 0);

    (void) events;
    if (size <= 0) {
        hang_up (self);
        return;
    }
    buffer_append (&self->heard, bytes, (size_t) size);
    if (is_whole (&self->heard)) {
        server->requests++;
        buffer_reset (&server->heard);
        buffer_append (&server->heard, self->heard.data, self->heard.size);
        buffer_reset (&self->heard);
        if (server->reply) {
            (void) send (self->fd, server->reply, strlen (server->reply), MSG_NOSIGNAL);
        }
        if (server->closes) {
            hang_up (self);
        }
    }
}

static inline void
on_connection (void *argument, uint32_t events)
{
    server_t *self = argument;
    int fd = accept (self->fd, NULL, NULL);

    (void) events;
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        connection_t *connection = &self->connections [i];
        if (connection->fd < 0) {
            *connection = (connection_t){.server = self, .fd = fd};
            self->accepted++;
            self->open_most += ++self->open > self->open_most;
            assert_int_equal (loop_watch (here->loop, fd, EPOLLIN, on_request, connection), 0);
            return;
        }
    }
    fail_msg ("more than %d connections", CONNECTIONS_MAX);
}

static inline void
server_open (server_t *self)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl (INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        self->connections [i].fd = -1;
    }
    self->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal (bind (self->fd, (void *) &address, size), 0);
    assert_int_equal (listen (self->fd, CONNECTIONS_MAX), 0);
    assert_int_equal (getsockname (self->fd, (void *) &address, &size), 0);
    self->port = ntohs (address.sin_port);
    assert_int_equal (loop_watch (here->loop, self->fd, EPOLLIN, on_connection, self), 0);
}

static inline void
server_close (server_t *self)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        hang_up (&self->connections [i]);
    }
    loop_unwatch (here->loop, self->fd);
    close (self->fd);
    buffer_clear (&self->heard);
}

//  --- what was answered

typedef struct heard {
    int count;
    http_outcome_t outcome;
    int status;
    size_t size;
    char body [256], content_type [64];
    time_us_t date;
    int64_t retry_after_seconds;
    reason_t why;
} heard_t;

static inline void
on_answer (void *argument, const http_answer_t *answer)
{
    heard_t *heard = argument;
    heard->count++;
    heard->outcome = answer->outcome;
    heard->status = answer->status;
    heard->size = answer->size;
    snprintf (heard->body, sizeof heard->body, "%s", answer->body);
    snprintf (heard->content_type, sizeof heard->content_type, "%s", answer->content_type);
    heard->date = answer->date;
    heard->retry_after_seconds = answer->retry_after_seconds;
    heard->why = answer->why;
}

static inline void
run_until (const int *count, int wanted)
{
    time_us_t end = clock_now ().steady + PATIENCE_US;

    while (*count < wanted) {
        assert_true (clock_now ().steady < end);
        loop_turn (here->loop, 20);
        if (here->also) {
            here->also (here->also_of);
        }
    }
}

//  Sends and waits for the answer.
static inline heard_t
ask (const http_request_t *request)
{
    heard_t heard = {0};
    reason_t why = {0};

    assert_non_null (http_client_send (here->client, request, on_answer, &heard, &why));
    assert_int_equal (heard.count, 0);
    run_until (&heard.count, 1);
    return heard;
}

static inline heard_t
get (const char *url)
{
    return ask (&(http_request_t){.method = "GET", .url = url});
}

static inline double
ended (const char *outcome)
{
    return metric_value (metrics_with (here->metrics, METRIC_COUNTER,
                                       "cmlwatch_http_requests_total", "",
                                       METRIC_LABELS ("outcome", outcome)));
}

static inline int
set_up (void **state)
{
    static fixture_t fixture;
    reason_t why = {0};

    fixture = (fixture_t){.loop = loop_new (1000), .metrics = metrics_new (100)};
    here = &fixture;
    server_open (&fixture.server);
    snprintf (fixture.url, sizeof fixture.url, "http://127.0.0.1:%d/", fixture.server.port);
    fixture.client = http_client_new (fixture.loop, 2, fixture.metrics, &why);
    *state = &fixture;
    return fixture.client ? 0 : -1;
}

static inline int
tear_down (void **state)
{
    fixture_t *self = *state;

    http_client_destroy (&self->client);
    server_close (&self->server);
    loop_destroy (&self->loop);
    metrics_destroy (&self->metrics);
    return 0;
}

#endif
