// routes_events.c - GET /api/events: what the stream said, as JSON, for resync and debugging.
//
// The same log, ids and filters as the stream's. An id that is too old, or of another epoch, is
// 410: what followed it is not held any more, and the detail names the oldest that is.
//
// SPDX-License-Identifier: MIT

#include "../common/json.h"
#include "event_page.h"
#include "reply.h"
#include "route.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    10000
#define LOOKS_MOST    32768    //  a few ms, in which nobody else is served
#define BYTES_MOST    4194304  //  about
#define ID_SIZE       40

typedef struct query {
    filter_t *filter;
    const char *after;
    int64_t limit;
    reason_t why;
    int rc;
} query_t;

static int
take_limit (query_t *query, const char *value)
{
    char *end = NULL;

    query->limit = strtoll (value, &end, 10);
    if (end == value || *end || query->limit < 1 || query->limit > LIMIT_MOST) {
        return reason_set (&query->why, -EINVAL,
                           "limit: '%.40s' is not a whole number within 1 to %d", value,
                           LIMIT_MOST);
    }
    return 0;
}

static enum MHD_Result
take_parameter (void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    static const char *const FILTERS [] = {"topics",    "event_types",  "worker_ids",   "regions",
                                           "job_types", "min_priority", "max_priority", NULL};
    query_t *query = argument;

    (void) kind;
    value = value ? value : "";
    if (strcmp (name, "after") == 0) {
        query->after = value;
        return MHD_YES;
    }
    if (strcmp (name, "limit") == 0) {
        query->rc = take_limit (query, value);
        return query->rc < 0 ? MHD_NO : MHD_YES;
    }
    for (const char *const *filter = FILTERS; *filter; filter++) {
        if (strcmp (*filter, name) == 0) {
            query->rc = filter_set (query->filter, name, value, &query->why);
            return query->rc < 0 ? MHD_NO : MHD_YES;
        }
    }
    query->rc = reason_set (&query->why, -EINVAL, "unknown parameter '%.60s'", name);
    return MHD_NO;
}

static void
put_id (json_writer_t *json, const char *key, const event_log_t *log, uint64_t seq)
{
    char id [ID_SIZE];

    snprintf (id, sizeof id, "%s-%" PRIu64, event_log_epoch (log), seq);
    json_member_text (json, key, id);
}

//  next is the id to go on after; more says whether there is anything then. A page may hold less than
//  limit, or nothing, and there are others.
static void
write_events (const event_log_t *log, const query_t *query, uint64_t seq, json_writer_t *json)
{
    const event_page_t page = {.filter = query->filter,
                               .seq = seq,
                               .events_max = (size_t) query->limit,
                               .bytes_max = BYTES_MOST,
                               .looks_max = LOOKS_MOST};

    json_open_object (json);
    json_key (json, "events");
    seq = event_page_write (&page, log, json);
    put_id (json, "next", log, seq);
    json_member_bool (json, "more", seq < event_log_last (log));
    put_id (json, "last_event_id", log, event_log_last (log));
    json_close_object (json);
}

static enum MHD_Result
refuse (struct MHD_Connection *connection, const event_log_t *log, const query_t *query,
        const char *reason)
{
    char detail [300];
    bool malformed = strcmp (reason, "malformed") == 0;

    snprintf (detail, sizeof detail, "after: '%.60s' is %s; the oldest id held is %s-%" PRIu64,
              query->after, reason, event_log_epoch (log), event_log_first (log));
    return reply_problem (connection, malformed ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_GONE,
                          malformed ? "Bad parameter" : "Gone", detail, NULL);
}

static enum MHD_Result
answer (const http_parts_t *parts, struct MHD_Connection *connection, query_t *query)
{
    const event_log_t *log = parts->log;
    uint64_t seq = event_log_first (log) - 1;
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    MHD_get_connection_values (connection, MHD_GET_ARGUMENT_KIND, take_parameter, query);
    if (query->rc < 0) {
        return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad parameter", query->why.text,
                              NULL);
    }
    const char *reason = query->after ? event_log_check (log, query->after, &seq) : NULL;
    if (reason) {
        return refuse (connection, log, query, reason);
    }
    write_events (log, query, seq, &json);
    return reply_send_large (connection, "application/json", &out, parts->compression);
}

enum MHD_Result
route_events (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
              request_t *request)
{
    query_t query = {.filter = filter_new ((size_t) parts->filter_names_max),
                     .limit = LIMIT_DEFAULT};

    (void) rest;
    if (!query.filter) {
        return MHD_NO;
    }
    filter_see (query.filter, request->identity->view);
    enum MHD_Result result = answer (parts, connection, &query);
    filter_release (&query.filter);
    return result;
}
