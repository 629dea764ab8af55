// http.c - see http.h.
//
// SPDX-License-Identifier: MIT

#include "http.h"

#include "../common/admin.h"
#include "../common/cleanup.h"
#include "../common/schema.h"
#include "api.h"
#include "dashboard.h"
#include "reply.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define POOL_BYTES      4096  //  a client's resident size hangs on it (traps 17)
#define TIMEOUT_SECONDS 30
#define HTTP_MAGIC      0x477701u

struct http {
    unsigned magic;
    http_parts_t parts;
    struct MHD_Daemon *daemon;
    loop_timer_t *timer;
    int epoll_fd;
};

typedef enum MHD_Result route_fn (http_t *self, struct MHD_Connection *connection, const char *rest,
                                  void **state);

static char STREAMING;  //  its address marks a connection that was a stream

typedef struct query {
    filter_t filter;
    reason_t why;
    const char *last_event_id;
    int rc;
} query_t;

static enum MHD_Result
take_parameter (void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    query_t *query = argument;

    (void) kind;
    if (strcmp (name, "last_event_id") == 0) {
        query->last_event_id = value ? value : "";
        return MHD_YES;
    }
    query->rc = strchr (value ? value : "", '%')
                    ? reason_set (&query->why, -EINVAL, "%s: a malformed escape", name)
                    : filter_set (&query->filter, name, value ? value : "", &query->why);
    return query->rc == 0 ? MHD_YES : MHD_NO;
}

static enum MHD_Result
on_stream (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    query_t query = {0};

    (void) rest;
    filter_init (&query.filter, self->parts.heartbeat_seconds);
    MHD_get_connection_values (connection, MHD_GET_ARGUMENT_KIND, take_parameter, &query);
    if (query.rc < 0) {
        return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad parameter", query.why.text,
                              NULL);
    }
    const char *header = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "Last-Event-ID");
    query.last_event_id = header ? header : query.last_event_id;
    bool joined = feed_client_has_joined (self->parts.feed);
    if (!joined || hub_size (self->parts.hub) >= (size_t) self->parts.clients_max ||
        loop_is_draining (self->parts.loop)) {
        //  Anything but 200 makes an EventSource give up for ever (traps 20).
        buffer_t out = {0};
        buffer_text (&out, "retry: 3000\n\n");
        return reply_send (connection, MHD_HTTP_OK, "text/event-stream", &out, NULL);
    }
    MHD_suspend_connection (connection);
    *state = &STREAMING;
    if (hub_add (self->parts.hub, connection, &query.filter, query.last_event_id) < 0) {
        MHD_resume_connection (connection);
    }
    return MHD_YES;
}

static const char *
query_value (void *argument, const char *name)
{
    return MHD_lookup_connection_value (argument, MHD_GET_ARGUMENT_KIND, name);
}

static enum MHD_Result
check_names (void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    static const char *const KNOWN [] = {"region", "status", "limit", "cursor", NULL};
    reason_t *why = argument;

    (void) kind, (void) value;
    for (const char *const *known = KNOWN; *known; known++) {
        if (strcmp (*known, name) == 0) {
            return MHD_YES;
        }
    }
    reason_set (why, -EINVAL, "unknown parameter '%.60s'", name);
    return MHD_NO;
}

static enum MHD_Result
on_workers (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    buffer_t out = {0};
    reason_t why = {0};

    (void) rest, (void) state;
    MHD_get_connection_values (connection, MHD_GET_ARGUMENT_KIND, check_names, &why);
    if (why.text [0] || api_workers (self->parts.replica, self->parts.log, query_value, connection,
                                     &out, &why) < 0) {
        return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad parameter", why.text, NULL);
    }
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

static enum MHD_Result
on_worker (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    buffer_t out = {0};
    reason_t why = {0};

    (void) state;
    if (api_worker (self->parts.replica, rest, &out, &why) < 0) {
        buffer_clear (&out);
        return reply_problem (connection, MHD_HTTP_NOT_FOUND, "Not found", why.text, NULL);
    }
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

static enum MHD_Result
on_state (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    buffer_t out = {0};

    (void) rest, (void) state;
    api_state (self->parts.replica, self->parts.log, &out);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

static enum MHD_Result
on_healthz (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    buffer_t out = {0};

    (void) self, (void) rest, (void) state;
    admin_write_healthz (&out);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

static enum MHD_Result
on_readyz (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    buffer_t out = {0};
    reason_t why = {0};
    bool ready = feed_client_is_ready (self->parts.feed, &why);

    (void) rest, (void) state;
    admin_write_readyz (&out, ready, &why);
    return reply_send (connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                       "application/json", &out, NULL);
}

static enum MHD_Result
on_metrics (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    buffer_t out = {0};

    (void) rest, (void) state;
    metrics_write (self->parts.metrics, &out);
    return reply_send (connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &out,
                       NULL);
}

//  The list of the documents, or one of them.
static enum MHD_Result
on_schema (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    char name [80];
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    size_t size = strlen (rest);

    (void) self, (void) state;
    if (size == 0) {
        json_open_object (&json);
        json_key (&json, "schemas");
        json_open_array (&json);
        for (size_t i = 0; i < schema_count (); i++) {
            snprintf (name, sizeof name, "%s.json", schema_name (i));
            json_put_text (&json, name);
        }
        json_close_array (&json);
        json_close_object (&json);
        return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
    }
    snprintf (name, sizeof name, "%.*s", size > 5 ? (int) size - 5 : 0, rest);
    size_t index = schema_find (name);
    if (index == schema_count () || strcmp (rest + size - 5, ".json") != 0) {
        return reply_problem (connection, MHD_HTTP_NOT_FOUND, "Not found",
                              "no schema has this name; GET /api/schema lists them", NULL);
    }
    schema_write (&json, index);
    return reply_send (connection, MHD_HTTP_OK, "application/schema+json", &out, NULL);
}

static enum MHD_Result
on_file (http_t *self, struct MHD_Connection *connection, const char *rest, void **state)
{
    (void) state;
    return dashboard_reply (connection, rest, self->parts.dashboard_dir);
}

//  A path that ends with '*' is a prefix; the first that fits is taken.
static const struct {
    const char *path;
    route_fn *fn;
} ROUTES [] = {{"/api/events/stream", on_stream}, {"/api/workers", on_workers},
               {"/api/workers/*", on_worker},     {"/api/state", on_state},
               {"/api/schema", on_schema},        {"/api/schema/*", on_schema},
               {"/healthz", on_healthz},          {"/readyz", on_readyz},
               {"/metrics", on_metrics},          {"/*", on_file}};

static enum MHD_Result
on_request (void *argument, struct MHD_Connection *connection, const char *url, const char *method,
            const char *version, const char *upload, size_t *upload_size, void **state)
{
    http_t *self = argument;
    assert (self->magic == HTTP_MAGIC);

    (void) version, (void) upload;
    if (*state == &STREAMING) {
        return MHD_NO;  //  resumed: the stream is over
    }
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    for (size_t i = 0; i < sizeof ROUTES / sizeof *ROUTES; i++) {
        size_t size = strlen (ROUTES [i].path);
        bool prefix = ROUTES [i].path [size - 1] == '*';
        if (prefix ? strncmp (url, ROUTES [i].path, size - 1) != 0
                   : strcmp (url, ROUTES [i].path) != 0) {
            continue;
        }
        if (strcmp (method, "GET") != 0 && strcmp (method, "HEAD") != 0) {
            return reply_problem (connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Method not allowed",
                                  "only GET and HEAD are answered here", "GET, HEAD");
        }
        return ROUTES [i].fn (self, connection, url + (prefix ? size - 1 : size), state);
    }
    return reply_problem (connection, MHD_HTTP_NOT_FOUND, "Not found",
                          "there is nothing at this path", NULL);
}

static void
run (void *argument)
{
    http_t *self = argument;
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run (self->daemon);
    if (MHD_get_timeout (self->daemon, &wait_ms) == MHD_YES) {
        loop_timer_after (self->timer, (time_us_t) (wait_ms > 1000 ? 1000 : wait_ms) * MS_US);
    } else {
        loop_timer_stop (self->timer);
    }
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
        if (self->daemon) {
            MHD_run (
                self->daemon);  //  resumed connections are closed before the daemon is (traps 16)
            MHD_stop_daemon (self->daemon);
        }
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}
