// routes_worker.c - /api/workers/{id} and what lies below it; see route.h.
//
// The worker's snapshot is the replica's; all else is asked of the aggregator (ask.h), whose JSON
// is passed on as it is. When it does not answer, the worker is shown without what others said
// of it, and its parts are 503.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "../common/json.h"
#include "api.h"
#include "reply.h"
#include "route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLES_MOST     10000
#define BODY_EXPECTATION "the body must be {\"enabled\": true} or {\"enabled\": false}"

typedef struct part {
    const char *name;
    const char *parameters [4];
} part_t;

static const part_t PARTS [] = {{"others", {NULL}},
                                {"labs", {NULL}},
                                {"activity", {NULL}},
                                {"history", {"metric", "since", "limit", NULL}}};

static enum MHD_Result
pass_on (struct MHD_Connection *connection, const request_t *request)
{
    buffer_t out = {0};
    const ask_t *ask = request->ask;
    const mask_t *mask = request_view (request)->mask;
    int status = ask_status (ask);

    if (status < 200 || status > 299) {
        return reply_refuse (connection, (unsigned) status, ask_detail (ask));
    }
    if (mask) {
        mask_write (mask, ask_payload (ask)->data, ask_payload (ask)->size, &out);
    } else {
        buffer_append (&out, ask_payload (ask)->data, ask_payload (ask)->size);
    }
    return reply_send (connection, (unsigned) status, "application/json", &out, NULL);
}

static enum MHD_Result
show_worker (const http_parts_t *parts, struct MHD_Connection *connection, const char *id,
             const request_t *request)
{
    buffer_t out = {0};
    reason_t why = {0};
    const ask_t *ask = request->ask;
    const buffer_t *others = ask && ask_status (ask) == 200 ? ask_payload (ask) : NULL;

    if (api_worker (parts->replica, request_view (request), id, others, &out, &why) < 0) {
        buffer_clear (&out);
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND, why.text);
    }
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

//  Whole numbers and times are read here, so that what is wrong is named with its parameter.
static int
put_parameters (struct MHD_Connection *connection, json_writer_t *json, reason_t *why)
{
    const char *metric = MHD_lookup_connection_value (connection, MHD_GET_ARGUMENT_KIND, "metric");
    const char *since = MHD_lookup_connection_value (connection, MHD_GET_ARGUMENT_KIND, "since");
    const char *limit = MHD_lookup_connection_value (connection, MHD_GET_ARGUMENT_KIND, "limit");
    char *end = NULL;
    long long most = limit ? strtoll (limit, &end, 10) : SAMPLES_MOST;
    time_us_t at;

    if (limit && (end == limit || *end || most < 1 || most > SAMPLES_MOST)) {
        return reason_set (why, -EINVAL, "limit: '%.40s' is not a whole number within 1 to %d",
                           limit, SAMPLES_MOST);
    }
    if (since && clock_parse (since, &at) < 0) {
        return reason_set (
            why, -EINVAL, "since: '%.40s' is no RFC 3339 time such as 2026-11-20T10:30:00Z", since);
    }
    json_member_integer (json, "limit", most);
    if (metric) {
        json_member_text (json, "metric", metric);
    }
    if (since) {
        json_member_text (json, "since", since);
    }
    return 0;
}

static enum MHD_Result
ask_part (const http_parts_t *parts, struct MHD_Connection *connection, const char *id,
          const part_t *part, request_t *request)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    reason_t why = {0};

    json_open_object (&json);
    json_member_text (&json, "id", id);
    json_member_text (&json, "part", part->name);
    if (route_check_parameters (connection, part->parameters, &why) < 0 ||
        put_parameters (connection, &json, &why) < 0) {
        buffer_clear (&out);
        return reply_refuse (connection, MHD_HTTP_BAD_REQUEST, why.text);
    }
    json_close_object (&json);
    request->ask = asks_begin (parts->asks, connection, "worker", &out);
    buffer_clear (&out);
    return request->ask ? MHD_YES
                        : reply_refuse (connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                                        "too many requests wait for the aggregator; try again");
}

bool
route_split_worker (const char *rest, char id [ROUTE_WORKER_BYTES_MOST + 1], const char **tail)
{
    size_t size = strcspn (rest, "/");

    if (size == 0 || size > ROUTE_WORKER_BYTES_MOST) {
        return false;
    }
    memcpy (id, rest, size);
    id [size] = '\0';
    *tail = rest [size] ? rest + size + 1 : "";
    return true;
}

enum MHD_Result
route_worker (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
              request_t *request)
{
    char id [ROUTE_WORKER_BYTES_MOST + 1];
    const char *tail;
    size_t at = 0;

    if (!route_split_worker (rest, id, &tail)) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND, "no worker has such an id");
    }
    if (request->ask) {
        return *tail ? pass_on (connection, request) : show_worker (parts, connection, id, request);
    }
    if (!api_find (parts->replica, request_view (request), id)) {
        return show_worker (parts, connection, id, request);
    }
    while (*tail && at < sizeof PARTS / sizeof *PARTS && strcmp (PARTS [at].name, tail) != 0) {
        at++;
    }
    if (at == sizeof PARTS / sizeof *PARTS || strcmp (tail, "others") == 0) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND,
                             "a worker has labs, activity and history, nothing else");
    }
    return ask_part (parts, connection, id, &PARTS [at], request);
}

static int
read_switch (struct MHD_Connection *connection, const request_t *request, bool *enabled,
             reason_t *why)
{
    const char *type =
        MHD_lookup_connection_value (connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    struct json_object *tree = NULL;

    //  Also what keeps other sites' forms out: they cannot say this without being asked first.
    if (!type || strncmp (type, "application/json", strlen ("application/json")) != 0) {
        reason_set (why, -EINVAL, "Content-Type must be application/json");
        return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }
    if (request->body_too_large) {
        reason_set (why, -E2BIG, "%s", BODY_EXPECTATION);
        return MHD_HTTP_CONTENT_TOO_LARGE;
    }
    int rc = json_parse (&tree, request->body.data ? request->body.data : "", request->body.size,
                         request->body.size, why);
    if (rc == 0 && !json_get_bool (tree, "enabled", enabled)) {
        rc = reason_set (why, -EINVAL, "%s", BODY_EXPECTATION);
    }
    json_destroy (&tree);
    return rc < 0 ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_OK;
}

enum MHD_Result
route_worker_put (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
                  request_t *request)
{
    char id [ROUTE_WORKER_BYTES_MOST + 1];
    const char *tail;
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    reason_t why = {0};
    bool enabled = false;

    if (request->ask) {
        return pass_on (connection, request);
    }
    if (!route_split_worker (rest, id, &tail) || strcmp (tail, "idle-detection") != 0) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND,
                             "of a worker only idle-detection can be put");
    }
    int status = read_switch (connection, request, &enabled, &why);
    if (status != MHD_HTTP_OK) {
        return reply_refuse (connection, (unsigned) status, why.text);
    }
    if (!api_find (parts->replica, request_view (request), id)) {
        return show_worker (parts, connection, id, request);
    }
    json_open_object (&json);
    json_member_text (&json, "command", "idle_detection");
    json_member_text (&json, "id", id);
    json_member_bool (&json, "enabled", enabled);
    if (*request->identity->name) {
        json_member_text (&json, "by", request->identity->name);
    }
    json_close_object (&json);
    request->ask = asks_begin (parts->asks, connection, "command", &out);
    buffer_clear (&out);
    return request->ask ? MHD_YES
                        : reply_refuse (connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                                        "too many requests wait for the aggregator; try again");
}
