// routes.c - every path that is answered, by which function, for whom; and the short ones of these.
//
// SPDX-License-Identifier: MIT

#include "../common/admin.h"
#include "api.h"
#include "dashboard.h"
#include "reply.h"
#include "route.h"
#include "text_page.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define METHODS_SIZE 64

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

    (void) rest;
    if (route_check_parameters (connection, KNOWN, &why) < 0 ||
        api_workers (parts->replica, parts->log, request_view (request), query_value, connection,
                     &out, &why) < 0) {
        return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad parameter", why.text, NULL);
    }
    return reply_send_large (connection, "application/json", &out, parts->compression);
}

static enum MHD_Result
on_state (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
          request_t *request)
{
    buffer_t out = {0};

    (void) rest;
    api_state (parts->replica, parts->log, request_view (request), &out);
    return reply_send_large (connection, "application/json", &out, parts->compression);
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
    bool ready = !loop_is_draining (parts->loop) && feed_client_is_ready (parts->feed, &why);

    (void) rest, (void) request;
    if (loop_is_draining (parts->loop)) {
        reason_set (&why, -ESHUTDOWN, "the gateway ends");
    }
    if (ready) {
        (void) audit_is_well (parts->audit, &why);
    }
    admin_write_readyz (&out, ready, &why);
    return reply_send (connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                       "application/json", &out, NULL);
}

enum MHD_Result
route_metrics (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
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
    if (!*rest && text_page_is_wanted (connection)) {
        return text_page_reply (parts->text_page, parts, connection, request);
    }
    return dashboard_reply (connection, rest, parts->dashboard_dir);
}

//  A path that ends with '*' is a prefix; the first row that fits path and method is taken.
//  GET answers HEAD too; others have a body. Whoever asks has at least this role. What changes
//  anything has a name, under which it stands in the audit log.
// clang-format off
static const route_t ROUTES [] = {
    {"GET",    "/api/events/stream", route_stream,            ROLE_VIEWER,   false, NULL},
    {"GET",    "/api/events",        route_events,            ROLE_VIEWER,   false, NULL},
    {"GET",    "/api/monitor",       route_monitor,           ROLE_VIEWER,   false, NULL},
    {"GET",    "/api/clients",       route_clients,           ROLE_OPERATOR, false, NULL},
    {"PATCH",  "/api/clients/*",     route_client_change,     ROLE_VIEWER,   false, "client.change"},
    {"GET",    "/api/workers",       on_workers,              ROLE_VIEWER,   false, NULL},
    {"GET",    "/api/workers/*",     route_worker,            ROLE_VIEWER,   false, NULL},
    {"PUT",    "/api/workers/*",     route_worker_put,        ROLE_OPERATOR, false, "worker.idle_detection"},
    {"POST",   "/api/workers/*",     route_worker_command,    ROLE_OPERATOR, false, "worker.command"},
    {"GET",    "/api/jobs",          route_jobs,              ROLE_VIEWER,   false, NULL},
    {"POST",   "/api/jobs",          route_job_submit,        ROLE_OPERATOR, false, "job.submit"},
    {"GET",    "/api/jobs/*",        route_job,               ROLE_VIEWER,   false, NULL},
    {"DELETE", "/api/jobs/*",        route_job_cancel,        ROLE_OPERATOR, false, "job.cancel"},
    {"GET",    "/api/alerts",        route_alerts,            ROLE_VIEWER,   false, NULL},
    {"POST",   "/api/alerts/*",      route_alert_acknowledge, ROLE_OPERATOR, false, "alert.acknowledge"},
    {"GET",    "/api/state",         on_state,                ROLE_VIEWER,   false, NULL},
    {"GET",    "/api/schema",        route_schema,            ROLE_NONE,     false, NULL},
    {"GET",    "/api/schema/*",      route_schema,            ROLE_NONE,     false, NULL},
    {"GET",    "/api/session",       route_session,           ROLE_VIEWER,   false, NULL},
    {"POST",   "/api/session",       route_session_begin,     ROLE_NONE,     false, "session.begin"},
    {"DELETE", "/api/session",       route_session_end,       ROLE_VIEWER,   false, "session.end"},
    {"GET",    "/healthz",           on_healthz,              ROLE_NONE,     true,  NULL},
    {"GET",    "/readyz",            on_readyz,               ROLE_NONE,     true,  NULL},
    {"GET",    "/metrics",           route_metrics,           ROLE_VIEWER,   false, NULL},
    {"GET",    "/*",                 on_file,                 ROLE_NONE,     false, NULL}};
// clang-format on
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

const route_t *
routes_find (const char *method, const char *url, const char **rest)
{
    for (size_t row = 0; row < ROUTES_COUNT; row++) {
        *rest = fit (row, url);
        if (*rest && is_method (row, method)) {
            return &ROUTES [row];
        }
    }
    return NULL;
}

enum MHD_Result
routes_refuse (struct MHD_Connection *connection, const char *url, const char *method)
{
    char methods [METHODS_SIZE], detail [METHODS_SIZE + 40];

    if (*url != '/' && strcmp (method, "OPTIONS") != 0 && strcmp (method, "CONNECT") != 0) {
        return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad request",
                              "a request's target begins with '/', or with http:// or https://",
                              NULL);
    }
    (void) methods_of (url, methods);
    if (strcmp (method, "OPTIONS") == 0) {
        return reply_methods (connection, methods);
    }
    snprintf (detail, sizeof detail, "answered here: %s", methods);
    return reply_problem (connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Method not allowed", detail,
                          methods);
}
