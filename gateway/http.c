// http.c - see http.h.
//
// SPDX-License-Identifier: MIT

#include "http.h"

#include "../common/admin.h"
#include "../common/cleanup.h"
#include "api.h"
#include "connections.h"
#include "dashboard.h"
#include "reply.h"
#include "request_check.h"
#include "route.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define POOL_BYTES      4096  //  a client's resident size hangs on it (traps 17)
#define TIMEOUT_SECONDS 30
#define HTTP_MAGIC      0x477701u
#define METHODS_SIZE    64

struct http {
    unsigned magic;
    http_parts_t parts;
    struct MHD_Daemon *daemon;
    connections_t *connections;
    loop_timer_t *timer;
    int epoll_fd;
};

static const char *
query_value (void *argument, const char *name)
{
    return MHD_lookup_connection_value (argument, MHD_GET_ARGUMENT_KIND, name);
}

typedef struct names {
    const char *const *known;
    reason_t *why;
} names_t;

static enum MHD_Result
check_name (void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    const names_t *names = argument;

    (void) kind, (void) value;
    for (const char *const *known = names->known; *known; known++) {
        if (strcmp (*known, name) == 0) {
            return MHD_YES;
        }
    }
    reason_set (names->why, -EINVAL, "unknown parameter '%.60s'", name);
    return MHD_NO;
}

int
route_check_parameters (struct MHD_Connection *connection, const char *const known [],
                        reason_t *why)
{
    names_t names = {known, why};

    why->text [0] = '\0';
    MHD_get_connection_values (connection, MHD_GET_ARGUMENT_KIND, check_name, &names);
    return why->text [0] ? -EINVAL : 0;
}

static enum MHD_Result
on_workers (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
            request_t *request)
{
    static const char *const KNOWN [] = {"region", "status", "limit", "cursor", NULL};
    buffer_t out = {0};
    reason_t why = {0};

    (void) rest, (void) request;
    if (route_check_parameters (connection, KNOWN, &why) < 0 ||
        api_workers (parts->replica, parts->log, query_value, connection, &out, &why) < 0) {
        return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad parameter", why.text, NULL);
    }
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

static enum MHD_Result
on_state (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
          request_t *request)
{
    buffer_t out = {0};

    (void) rest, (void) request;
    api_state (parts->replica, parts->log, &out);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

static enum MHD_Result
on_healthz (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
            request_t *request)
{
    buffer_t out = {0};

    (void) parts, (void) rest, (void) request;
    admin_write_healthz (&out);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

static enum MHD_Result
on_readyz (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
           request_t *request)
{
    buffer_t out = {0};
    reason_t why = {0};
    bool ready = feed_client_is_ready (parts->feed, &why);

    (void) rest, (void) request;
    admin_write_readyz (&out, ready, &why);
    return reply_send (connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                       "application/json", &out, NULL);
}

static enum MHD_Result
on_metrics (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
            request_t *request)
{
    buffer_t out = {0};

    (void) rest, (void) request;
    metrics_write (parts->metrics, &out);
    return reply_send (connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &out,
                       NULL);
}

static enum MHD_Result
on_file (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
         request_t *request)
{
    (void) request;
    return dashboard_reply (connection, rest, parts->dashboard_dir);
}

//  A path that ends with '*' is a prefix; the first row that fits path and method is taken.
//  GET answers HEAD too; a PUT has a body.
static const struct {
    const char *method, *path;
    route_fn *fn;
} ROUTES [] = {{"GET", "/api/events/stream", route_stream},
               {"GET", "/api/events", route_events},
               {"GET", "/api/clients", route_clients},
               {"PATCH", "/api/clients/*", route_client_change},
               {"GET", "/api/workers", on_workers},
               {"GET", "/api/workers/*", route_worker},
               {"PUT", "/api/workers/*", route_worker_put},
               {"GET", "/api/state", on_state},
               {"GET", "/api/schema", route_schema},
               {"GET", "/api/schema/*", route_schema},
               {"GET", "/healthz", on_healthz},
               {"GET", "/readyz", on_readyz},
               {"GET", "/metrics", on_metrics},
               {"GET", "/*", on_file}};
#define ROUTES_COUNT (sizeof ROUTES / sizeof *ROUTES)

//  The rest of the path behind the row's; null when it does not fit.
static const char *
fit (size_t row, const char *url)
{
    size_t size = strlen (ROUTES [row].path);

    if (ROUTES [row].path [size - 1] == '*') {
        return strncmp (url, ROUTES [row].path, size - 1) == 0 ? url + size - 1 : NULL;
    }
    return strcmp (url, ROUTES [row].path) == 0 ? url + size : NULL;
}

static bool
is_method (size_t row, const char *method)
{
    return strcmp (ROUTES [row].method, method) == 0 ||
           (strcmp (method, "HEAD") == 0 && strcmp (ROUTES [row].method, "GET") == 0);
}

//  What the rows with the longest path that fits answer: the page's row fits anything.
static const char *
methods_of (const char *url, char out [METHODS_SIZE])
{
    size_t longest = 0, used = 0;

    for (size_t row = 0; row < ROUTES_COUNT; row++) {
        size_t size = strlen (ROUTES [row].path);
        longest = fit (row, url) && size > longest ? size : longest;
    }
    for (size_t row = 0; row < ROUTES_COUNT; row++) {
        bool get = strcmp (ROUTES [row].method, "GET") == 0;
        if (fit (row, url) && strlen (ROUTES [row].path) == longest) {
            used += (size_t) snprintf (out + used, METHODS_SIZE - used, "%s, %s",
                                       ROUTES [row].method, get ? "HEAD, " : "");
        }
    }
    snprintf (out + used, METHODS_SIZE - used, "OPTIONS");
    return out;
}

static enum MHD_Result
refuse_method (struct MHD_Connection *connection, const char *url, const char *method)
{
    char methods [METHODS_SIZE], detail [METHODS_SIZE + 40];

    (void) methods_of (url, methods);
    if (strcmp (method, "OPTIONS") == 0) {
        return reply_methods (connection, methods);
    }
    snprintf (detail, sizeof detail, "answered here: %s", methods);
    return reply_problem (connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Method not allowed", detail,
                          methods);
}

//  True while more of the body may come. A body nobody takes is read and dropped.
static bool
take_body (const http_t *self, request_t *request, const char *upload, size_t *upload_size)
{
    if (*upload_size == 0) {
        return false;
    }
    if (request->body.size + *upload_size > (size_t) self->parts.body_max_bytes) {
        request->body_too_large = true;
    } else {
        buffer_append (&request->body, upload, *upload_size);
    }
    *upload_size = 0;
    return true;
}

//  The first call comes before the body, and an answer given there closes the connection: it is
//  for what is refused, and for methods whose body nobody takes.
static bool
is_answered_whole (const char *method)
{
    static const char *const METHODS [] = {"GET", "HEAD", "OPTIONS", "PUT", "PATCH"};

    for (size_t i = 0; i < sizeof METHODS / sizeof *METHODS; i++) {
        if (strcmp (METHODS [i], method) == 0) {
            return true;
        }
    }
    return false;
}

static enum MHD_Result
on_request (void *argument, struct MHD_Connection *connection, const char *url, const char *method,
            const char *version, const char *upload, size_t *upload_size, void **state)
{
    http_t *self = argument;
    request_t *request = *state;
    assert (self->magic == HTTP_MAGIC);

    if (!request) {
        reason_t why = {0};
        *state = request = calloc (1, sizeof *request);
        if (request && request_check (connection, version, &why) < 0) {
            return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad request", why.text, NULL);
        }
        if (!request || is_answered_whole (method)) {
            return request ? MHD_YES : MHD_NO;
        }
    }
    request->is_head = strcmp (method, "HEAD") == 0;
    if (request->is_stream) {
        return MHD_NO;  //  resumed: the stream is over
    }
    if (take_body (self, request, upload, upload_size)) {
        return MHD_YES;
    }
    connections_asked (connection);
    for (size_t row = 0; row < ROUTES_COUNT; row++) {
        const char *rest = fit (row, url);
        if (rest && is_method (row, method)) {
            return ROUTES [row].fn (&self->parts, connection, rest, request);
        }
    }
    return refuse_method (connection, url, method);
}

static void
on_completed (void *argument, struct MHD_Connection *connection, void **state,
              enum MHD_RequestTerminationCode code)
{
    request_t *request = *state;

    (void) argument, (void) code;
    connections_answered (connection);
    if (request) {
        buffer_clear (&request->body);
        ask_destroy (&request->ask);
        free (request);
        *state = NULL;
    }
}

static void
run (void *argument)
{
    http_t *self = argument;
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run (self->daemon);
    if (MHD_get_timeout (self->daemon, &wait_ms) != MHD_YES) {
        MHD_run (self->daemon);  //  full, it listens again only in the run after (common/admin.c)
    }
    if (MHD_get_timeout (self->daemon, &wait_ms) == MHD_YES) {
        loop_timer_after (self->timer, (time_us_t) (wait_ms > 1000 ? 1000 : wait_ms) * MS_US);
    } else {
        loop_timer_stop (self->timer);
    }
}

//  An external loop is not told of a resumed connection by epoll (traps 16).
static void
on_resumed (void *argument)
{
    http_t *self = argument;

    loop_timer_after (self->timer, 0);
}

static void
on_epoll (void *argument, uint32_t events)
{
    (void) events;
    run (argument);
}

static int
start (http_t *self, const char *listen, reason_t *why)
{
    int fd = admin_listen (listen, why);

    if (fd < 0) {
        return -1;
    }
    self->daemon = MHD_start_daemon (
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, self,
        MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned) self->parts.clients_max + 256, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t) POOL_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned) TIMEOUT_SECONDS,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL, MHD_OPTION_NOTIFY_CONNECTION,
        connections_notify, self->connections, MHD_OPTION_UNESCAPE_CALLBACK, request_unescape, NULL,
        MHD_OPTION_END);
    if (!self->daemon) {
        close (fd);
        return reason_set (why, -ENOMEM, "%s: libmicrohttpd did not start", listen);
    }
    self->epoll_fd = MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return loop_watch (self->parts.loop, self->epoll_fd, EPOLLIN, on_epoll, self);
}

http_t *
http_new (const char *listen, const http_parts_t *parts, reason_t *why)
{
    _cleanup_ (http_destroy) http_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (parts->loop, run, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = HTTP_MAGIC;
    self->parts = *parts;
    self->epoll_fd = -1;
    self->connections = connections_new (parts->loop, &parts->connections, parts->metrics, why);
    if (!self->connections) {
        return NULL;
    }
    asks_on_resumed (parts->asks, on_resumed, self);
    hub_on_resumed (parts->hub, on_resumed, self);
    return start (self, listen, why) == 0 ? take_ptr (self) : NULL;
}

void
http_destroy (http_t **self_p)
{
    assert (self_p);
    http_t *self = *self_p;

    if (self) {
        loop_unwatch (self->parts.loop, self->epoll_fd);
        hub_close_all (self->parts.hub);
        hub_on_resumed (self->parts.hub, NULL, NULL);
        asks_end (self->parts.asks);
        if (self->daemon) {
            MHD_run (
                self->daemon);  //  resumed connections are closed before the daemon is (traps 16)
            MHD_stop_daemon (self->daemon);
        }
        connections_destroy (&self->connections);
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}
