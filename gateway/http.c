// http.c - see http.h.
//
// SPDX-License-Identifier: MIT

#include "http.h"

#include "../common/admin.h"
#include "../common/cleanup.h"
#include "../common/log.h"
#include "connections.h"
#include "quota.h"
#include "reply.h"
#include "request_check.h"
#include "route.h"
#include "tls.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define TIMEOUT_SECONDS 30
#define REFUSALS        64  //  connections beyond the bound, to say that there are too many
#define HTTP_MAGIC      0x477701u
#define PATH_BYTES_MOST 256  //  in the access log

struct http {
    unsigned magic;
    http_parts_t parts;
    struct MHD_Daemon *daemon;
    connections_t *connections;
    quota_t *quota;
    loop_timer_t *timer;
    int epoll_fd;
    metric_t *limited;
};

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

//  By whom: a user, or an address where nobody is known.
static bool
is_within_quota (http_t *self, struct MHD_Connection *connection, const identity_t *identity)
{
    char address [PROXIES_ADDRESS_SIZE];
    const char *key =
        identity && *identity->name ? identity->name : connections_network (connection, address);

    if (quota_take (self->quota, key, loop_now (self->parts.loop).steady)) {
        return true;
    }
    metric_increment (self->limited);
    return false;
}

//  Nobody is let through who has to log in and has not, or may not do this, or asks too often.
static enum MHD_Result
admit (http_t *self, struct MHD_Connection *connection, const route_t *route, request_t *request)
{
    bool is_stream = route->fn == route_stream, is_open = is_stream || route->fn == route_monitor;
    role_t role = route->fn == route_metrics && self->parts.metrics_open ? ROLE_NONE : route->role;
    reason_t why = {0};
    int rc = role == ROLE_NONE ? 0
                               : auth_identify (self->parts.auth, connection, request->method,
                                                &request->identity, &why);

    //  A stream that may be opened is admitted at a pace of its own; guesses at tokens are not.
    request->is_probe = route->is_probe;
    if ((!is_open || rc < 0) && !route->is_probe &&
        !is_within_quota (self, connection, request->identity)) {
        return reply_too_many (connection, "more than requests_per_second of one client");
    }
    if (rc == -EAGAIN && is_stream) {
        return route_come_back (connection);
    }
    if (rc < 0) {
        return reply_unknown (connection, rc, why.text);
    }
    if (role > ROLE_NONE && request->identity->role < role) {
        auth_count_forbidden (self->parts.auth);
        reason_set (&why, -EPERM, "this is for the role %s, and you have %s", role_text (role),
                    role_text (request->identity->role));
        return reply_unknown (connection, -EPERM, why.text);
    }
    request->admitted = true;
    return MHD_YES;
}

static enum MHD_Result
answer (http_t *self, struct MHD_Connection *connection, const char *url, request_t *request)
{
    const char *rest;
    const route_t *route = request->route = routes_find (request->method, url, &rest);

    if (!route) {
        return routes_refuse (connection, url, request->method);
    }
    if (!request->admitted && !route->is_probe && connections_are_too_many (self->connections)) {
        return route->fn == route_stream
                   ? route_come_back (connection)
                   : reply_unknown (connection, -EAGAIN, "too many connections; try again");
    }
    if (!request->admitted) {
        enum MHD_Result result = admit (self, connection, route, request);
        if (!request->admitted) {
            return result;
        }
    }
    return route->fn (&self->parts, connection, rest, request);
}

static request_t *
begin_request (const http_t *self, const char *url, const char *method, const char *version)
{
    request_t *request = calloc (1, sizeof *request);

    if (request) {
        //  A longer one is none that is answered here, and must not become one by being cut.
        bool fits = strlen (method) < sizeof request->method;
        snprintf (request->method, sizeof request->method, "%s", fits ? method : "?");
        request->is_head = strcmp (method, "HEAD") == 0;
        request->is_http10 = strcmp (version, MHD_HTTP_VERSION_1_0) == 0;
        request->began = clock_now ().steady;
        if (self->parts.access_log || strcmp (method, "GET") != 0) {
            request->path = strndup (url, PATH_BYTES_MOST);
        }
    }
    return request;
}

//  The first call comes before the body, and an answer given there closes the connection: it is
//  for what is refused, and for methods whose body nobody takes.
static bool
is_answered_whole (const char *method)
{
    static const char *const METHODS [] = {"GET",   "HEAD", "OPTIONS", "PUT",
                                           "PATCH", "POST", "DELETE"};

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

    url = request_path (url);
    if (!request) {
        reason_t why = {0};
        *state = request = begin_request (self, url, method, version);
        if (request && request_check (connection, version, &why) < 0) {
            return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad request", why.text, NULL);
        }
        if (!request || is_answered_whole (method)) {
            return request ? MHD_YES : MHD_NO;
        }
    }
    if (request->is_stream) {
        return MHD_NO;  //  resumed: the stream is over
    }
    if (take_body (self, request, upload, upload_size)) {
        return MHD_YES;
    }
    connections_asked (connection);
    return answer (self, connection, url, request);
}

//  A line for each request when it is over; streams too, with how long they were open.
static void
log_access (struct MHD_Connection *connection, const request_t *request)
{
    char address [PROXIES_ADDRESS_SIZE];
    size_t bytes;
    unsigned status = connections_noted (connection, &bytes);

    if (request->is_probe || (status < 400 && strcmp (request->path, "/metrics") == 0)) {
        return;  //  asked every few seconds, by machines
    }
    log_write (LOG_LEVEL_INFO, NULL, "request",
               (log_field_t []){
                   LOG_TEXT ("method", request->method), LOG_TEXT ("path", request->path),
                   LOG_INTEGER ("status", status), LOG_INTEGER ("bytes", bytes),
                   LOG_INTEGER ("took_us", clock_now ().steady - request->began),
                   LOG_TEXT ("client", connections_client (connection, address)),
                   LOG_TEXT ("user", request->identity ? request->identity->name : ""), LOG_END});
}

//  One that was turned away for asking too often was not looked at, and is counted elsewhere.
static void
audit (const http_t *self, struct MHD_Connection *connection, const request_t *request)
{
    char address [PROXIES_ADDRESS_SIZE];
    size_t bytes;
    const identity_t *identity = request->identity;
    audit_record_t record = {.action = request->route->action,
                             .user = identity ? identity->name : "",
                             .role = role_text (identity ? identity->role : ROLE_NONE),
                             .client = connections_client (connection, address),
                             .method = request->method,
                             .path = request->path ? request->path : "",
                             .subject = request->subject,
                             .status = connections_noted (connection, &bytes)};

    if (request->admitted || record.status != MHD_HTTP_TOO_MANY_REQUESTS) {
        audit_note (self->parts.audit, &record);
    }
}

static void
on_completed (void *argument, struct MHD_Connection *connection, void **state,
              enum MHD_RequestTerminationCode code)
{
    const http_t *self = argument;
    request_t *request = *state;

    (void) code;
    if (request) {
        if (self->parts.access_log && request->path) {
            log_access (connection, request);
        }
        if (request->route && request->route->action) {
            audit (self, connection, request);
        }
        free (request->path);
        identity_release (&request->identity);
        buffer_clear (&request->body);
        buffer_clear (&request->found);
        ask_destroy (&request->ask);
        free (request);
        *state = NULL;
    }
    connections_answered (connection);
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
    struct MHD_OptionItem more [] = {
        {MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *) (uintptr_t) tls_retrieve},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *) (uintptr_t) TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL}};
    self->daemon = MHD_start_daemon (
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
            (self->parts.tls ? MHD_USE_TLS : 0u),
        0, NULL, NULL, on_request, self, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned) self->parts.connections.most + REFUSALS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t) self->parts.head_max_bytes, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned) TIMEOUT_SECONDS, MHD_OPTION_NOTIFY_COMPLETED, on_completed, self,
        MHD_OPTION_NOTIFY_CONNECTION, connections_notify, self->connections,
        MHD_OPTION_UNESCAPE_CALLBACK, request_unescape, NULL, MHD_OPTION_ARRAY,
        self->parts.tls ? more : &more [2], MHD_OPTION_END);
    if (!self->daemon) {
        close (fd);
        return reason_set (why, -ENOMEM, "%s: libmicrohttpd did not start", listen);
    }
    self->epoll_fd = MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return loop_watch (self->parts.loop, self->epoll_fd, EPOLLIN, on_epoll, self);
}

static bool
holds (void *argument, const identity_t *identity)
{
    const http_t *self = argument;

    return auth_holds (self->parts.auth, identity);
}

//  Streams end with the credential that they were opened with.
static void
on_credentials (void *argument)
{
    http_t *self = argument;

    hub_end_unless (self->parts.hub, holds, self,
                    "the login was taken back or changed; log in again");
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
    self->quota = quota_new (parts->requests_per_second);
    self->limited =
        metrics_add (parts->metrics, METRIC_COUNTER, "cmlwatch_gateway_requests_limited_total",
                     "Requests refused with 429: too many of one client in a second");
    if (!self->connections || !self->quota) {
        return NULL;
    }
    auth_on_change (parts->auth, on_credentials, self);
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
        auth_on_change (self->parts.auth, NULL, NULL);
        quota_destroy (&self->quota);
        connections_destroy (&self->connections);
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}
