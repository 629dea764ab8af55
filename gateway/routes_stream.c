// routes_stream.c - GET /api/events/stream: the request for a stream, checked and handed to the hub.
//
// Anything but 200 makes an EventSource give up for ever (traps 20): who cannot be served now is
// told when to come back, and only who asks for nonsense is refused.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "connections.h"
#include "cors.h"
#include "reply.h"
#include "route.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HEARTBEAT_MOST 60
#define NAME_MOST      64

typedef struct query {
    filter_t *filter;
    hub_request_t request;
    reason_t why;
    int rc;
} query_t;

static int
take_heartbeat (query_t *query, const char *value)
{
    char *end = NULL;
    long seconds = strtol (value, &end, 10);

    if (!isdigit ((unsigned char) *value) || *end || seconds < 1 || seconds > HEARTBEAT_MOST) {
        return reason_set (&query->why, -EINVAL,
                           "heartbeat: '%.40s' is not a whole number within 1 to %d", value,
                           HEARTBEAT_MOST);
    }
    query->request.heartbeat_seconds = seconds;
    return 0;
}

static int
take_state (query_t *query, const char *value)
{
    if (strcmp (value, "0") != 0 && strcmp (value, "1") != 0) {
        return reason_set (&query->why, -EINVAL, "state: '%.40s' is neither 0 nor 1", value);
    }
    query->request.state = *value == '1';
    return 0;
}

static int
take_name (query_t *query, const char *value)
{
    size_t size = strlen (value);

    for (size_t i = 0; i < size; i++) {
        if (!isprint ((unsigned char) value [i]) || size > NAME_MOST) {
            return reason_set (&query->why, -EINVAL,
                               "client: a name is at most %d printable ASCII characters",
                               NAME_MOST);
        }
    }
    query->request.name = value;
    return 0;
}

static int
take (query_t *query, const char *name, const char *value)
{
    if (strcmp (name, "last_event_id") == 0) {
        query->request.last_event_id = value;
        return 0;
    }
    if (strcmp (name, "client") == 0) {
        return take_name (query, value);
    }
    //  An escape that is none stands there as it is (request_unescape); and so does %25.
    if (strchr (value, '%')) {
        return reason_set (
            &query->why, -EINVAL,
            "%.60s: a malformed escape, or a '%%', which nothing here has in its name", name);
    }
    return strcmp (name, "heartbeat") == 0 ? take_heartbeat (query, value)
           : strcmp (name, "state") == 0   ? take_state (query, value)
                                           : filter_set (query->filter, name, value, &query->why);
}

static enum MHD_Result
take_parameter (void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    query_t *query = argument;

    (void) kind;
    query->rc = take (query, name, value ? value : "");
    return query->rc == 0 ? MHD_YES : MHD_NO;
}

//  Also for HEAD: the stream's head alone.
enum MHD_Result
route_come_back (struct MHD_Connection *connection)
{
    buffer_t out = {0};

    buffer_text (&out, "retry: 3000\n\n");
    return reply_send_header (connection, MHD_HTTP_OK, "text/event-stream", &out,
                              MHD_HTTP_HEADER_CONNECTION,
                              "close");  //  a stream's end is its connection's
}

bool
route_is_full (const http_parts_t *parts, const identity_t *identity)
{
    return hub_size (parts->hub) >= (size_t) parts->clients_max ||
           (parts->streams_per_user > 0 && *identity->name &&
            hub_streams_of (parts->hub, identity->name) >= (size_t) parts->streams_per_user);
}

//  What the request's head says beside its query.
static void
take_head (const http_parts_t *parts, struct MHD_Connection *connection, hub_request_t *request)
{
    const char *id = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "Last-Event-ID");

    request->last_event_id = id ? id : request->last_event_id;
    request->gzip = parts->compression && reply_accepts (connection, "gzip");
}

static enum MHD_Result
open_stream (const http_parts_t *parts, struct MHD_Connection *connection, query_t *query,
             request_t *request)
{
    char address [PROXIES_ADDRESS_SIZE];
    _cleanup_ (buffer_clear) buffer_t headers = {0};
    moment_t now = loop_now (parts->loop);

    take_head (parts, connection, &query->request);
    cors_write (connections_origins (connection), connection, &headers);
    query->request.headers = headers.data;
    query->request.filter = query->filter;
    query->request.identity = request->identity;
    query->request.address = connections_client (connection, address);
    if (request->identity->expires_at > 0) {
        query->request.expires_at = now.steady + request->identity->expires_at - now.wall;
    }
    connections_note (connection, MHD_HTTP_OK, 0);
    MHD_suspend_connection (connection);
    request->is_stream = true;
    if (hub_add (parts->hub, &query->request) < 0) {
        MHD_resume_connection (connection);
    }
    return MHD_YES;
}

enum MHD_Result
route_stream (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
              request_t *request)
{
    query_t query = {.filter = filter_new ((size_t) parts->filter_names_max),
                     .request = {.connection = connection,
                                 .state = true,
                                 .heartbeat_seconds = parts->heartbeat_seconds}};

    (void) rest;
    if (!query.filter) {
        return MHD_NO;
    }
    filter_see (query.filter, request->identity->view);
    MHD_get_connection_values (connection, MHD_GET_ARGUMENT_KIND, take_parameter, &query);
    if (query.rc < 0) {
        filter_release (&query.filter);
        return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad parameter", query.why.text,
                              NULL);
    }
    if (request->is_head || !feed_client_has_joined (parts->feed) ||
        route_is_full (parts, request->identity) || loop_is_draining (parts->loop)) {
        filter_release (&query.filter);
        return route_come_back (connection);
    }
    return open_stream (parts, connection, &query, request);
}
