// routes_jobs.c - /api/jobs: to list and to look at, to submit and to cancel.
//
// Jobs are the aggregator's; its records are passed on as they are, masked if they have to be. Who
// sees a part of the fleet sees the jobs of that part: pages are asked for until there is enough of
// those, and a job is looked at before it is cancelled.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "../common/job.h"
#include "api.h"
#include "body.h"
#include "command.h"
#include "reply.h"
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    1000
#define TEXT_MOST     128
#define PAYLOAD_MOST  16384
#define PRIORITY_MOST 1000
#define TYPE_MOST     (FEED_JOB_TYPE_SIZE - 1)
#define TYPE_SIGNS    "abcdefghijklmnopqrstuvwxyz0123456789._-"

static const body_member_t BODY [] = {
    {"job_type", BODY_TEXT, true, 1, TYPE_MOST},
    {"worker_id", BODY_TEXT, false, 1, ROUTE_WORKER_BYTES_MOST},
    {"priority", BODY_INTEGER, false, -PRIORITY_MOST, PRIORITY_MOST},
    {"workflow_id", BODY_TEXT, false, 1, TEXT_MOST},
    {"payload", BODY_OBJECT, false, 0, PAYLOAD_MOST},
    {"client_key", BODY_TEXT, false, 1, TEXT_MOST},
    {"timeout_seconds", BODY_INTEGER, false, 1, JOB_TIMEOUT_MOST},
    {0}};

static bool
is_type (const char *text)
{
    size_t size = strlen (text);

    return size > 0 && size <= TYPE_MOST && strspn (text, TYPE_SIGNS) == size;
}

//  --- to submit

static void
write_submission (const request_t *request, struct json_object *body, const char *worker_id,
                  const char *key, buffer_t *out)
{
    json_writer_t json = json_writer (out);
    struct json_object *payload = json_get_object (body, "payload");
    const char *workflow = json_get_text (body, "workflow_id"),
               *text = payload ? body_text_of (payload) : NULL;
    int64_t number;

    json_open_object (&json);
    json_member_text (&json, "job_type", json_get_text (body, "job_type"));
    json_member_text (&json, "by", command_by (request));
    if (worker_id) {
        json_member_text (&json, "worker", worker_id);
    }
    if (json_get_integer (body, "priority", &number)) {
        json_member_integer (&json, "priority", number);
    }
    if (workflow) {
        json_member_text (&json, "workflow_id", workflow);
    }
    if (text) {
        json_member_raw (&json, "payload", text, strlen (text));
    }
    if (key) {
        json_member_text (&json, "client_key", key);
    }
    if (json_get_integer (body, "timeout_seconds", &number)) {
        json_member_integer (&json, "timeout_seconds", number);
    }
    json_close_object (&json);
}

//  The key of the header or of the body, which are the same if there are both.
static unsigned
check_submission (struct MHD_Connection *connection, struct json_object *body, const char **key,
                  reason_t *why)
{
    const char *own = json_get_text (body, "client_key");

    if (!command_key (connection, key, why)) {
        return MHD_HTTP_BAD_REQUEST;
    }
    if (own && *key && strcmp (own, *key) != 0) {
        reason_set (why, -EINVAL, "client_key: it is not what Idempotency-Key says");
        return MHD_HTTP_BAD_REQUEST;
    }
    *key = own ? own : *key;
    if (!is_type (json_get_text (body, "job_type"))) {
        reason_set (why, -EINVAL, "job_type: it is of 1 to %d of a-z 0-9 . _ -", TYPE_MOST);
        return MHD_HTTP_BAD_REQUEST;
    }
    return MHD_HTTP_OK;
}

enum MHD_Result
route_job_submit (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
                  request_t *request)
{
    static const char *const KNOWN [] = {NULL};
    _cleanup_ (json_destroy) struct json_object *body = NULL;
    const char *key = NULL;
    reason_t why = {0};
    buffer_t question = {0};

    (void) rest;
    if (request->ask) {
        return command_answer (parts, connection, request, "/api/jobs/");
    }
    unsigned status = route_check_parameters (connection, KNOWN, &why) < 0
                          ? MHD_HTTP_BAD_REQUEST
                          : body_read (connection, request, BODY, &body, &why);
    if (status == MHD_HTTP_OK) {
        status = check_submission (connection, body, &key, &why);
    }
    if (status != MHD_HTTP_OK) {
        return reply_refuse (connection, status, why.text);
    }
    const char *asked = json_get_text (body, "worker_id");
    const replica_worker_t *worker =
        asked ? api_find (parts->replica, request_view (request), asked) : NULL;
    if (asked && !worker) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND,
                             "worker_id: no worker has this id or EC2 instance id");
    }
    if (!asked && view_is_limited (request_view (request))) {
        return reply_refuse (connection, MHD_HTTP_FORBIDDEN,
                             "worker_id: who sees a part of the fleet gives jobs to its workers");
    }
    write_submission (request, body, worker ? worker->worker_id : NULL, key, &question);
    return command_ask (parts, connection, request, "submit", &question);
}

//  --- to look at one, and to cancel it

static enum MHD_Result
ask_job (const http_parts_t *parts, struct MHD_Connection *connection, request_t *request,
         const char *operation, const char *id)
{
    buffer_t question = {0};
    json_writer_t json = json_writer (&question);

    json_open_object (&json);
    json_member_text (&json, "id", id);
    if (strcmp (operation, "cancel") == 0) {
        json_member_text (&json, "by", command_by (request));
    }
    json_close_object (&json);
    return command_ask (parts, connection, request, operation, &question);
}

static enum MHD_Result
refuse_path (struct MHD_Connection *connection, const char *rest)
{
    static const char *const KNOWN [] = {NULL};
    reason_t why = {0};

    return !command_id (rest) ? reply_refuse (connection, MHD_HTTP_NOT_FOUND, COMMAND_NONE)
           : route_check_parameters (connection, KNOWN, &why) < 0
               ? reply_refuse (connection, MHD_HTTP_BAD_REQUEST, why.text)
               : MHD_NO;
}

enum MHD_Result
route_job (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
           request_t *request)
{
    if (request->ask) {
        return command_answer (parts, connection, request, NULL);
    }
    enum MHD_Result refused = refuse_path (connection, rest);
    return refused == MHD_NO ? ask_job (parts, connection, request, "job", rest) : refused;
}

enum MHD_Result
route_job_cancel (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
                  request_t *request)
{
    bool looks = view_is_limited (request_view (request)) && !request->has_looked;

    if (!request->ask) {
        enum MHD_Result refused = refuse_path (connection, rest);
        return refused == MHD_NO
                   ? ask_job (parts, connection, request, looks ? "job" : "cancel", rest)
                   : refused;
    }
    const buffer_t *record = ask_payload (request->ask);
    if (looks && ask_status (request->ask) == MHD_HTTP_OK && record->size > 0 &&
        command_shows (parts, request, record->data, record->size)) {
        request->has_looked = true;
        return ask_job (parts, connection, request, "cancel", rest);
    }
    return command_answer (parts, connection, request, NULL);
}

//  --- the list

typedef struct query {
    const char *status, *job_type, *worker_id, *workflow_id, *cursor;
    int64_t limit;
} query_t;

static bool
is_status (const char *list)
{
    static const char *const STATUSES [] = {"pending",   "assigned", "in_progress",
                                            "completed", "failed",   "cancelled"};
    bool known = true;

    while (known) {
        size_t size = strcspn (list, ","), i = 0;
        while (i < sizeof STATUSES / sizeof *STATUSES &&
               (strlen (STATUSES [i]) != size || strncmp (STATUSES [i], list, size) != 0)) {
            i++;
        }
        known = i < sizeof STATUSES / sizeof *STATUSES;
        if (!list [size]) {
            return known;
        }
        list += size + 1;
    }
    return false;
}

static int
read_limit (const char *text, int64_t *limit, reason_t *why)
{
    char *end = NULL;

    *limit = text ? strtoll (text, &end, 10) : LIMIT_DEFAULT;
    return !text || (end != text && !*end && *limit >= 1 && *limit <= LIMIT_MOST)
               ? 0
               : reason_set (why, -EINVAL, "limit: '%.40s' is not a whole number within 1 to %d",
                             text, LIMIT_MOST);
}

static const char *
parameter (struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value (connection, MHD_GET_ARGUMENT_KIND, name);
}

static int
read_query (struct MHD_Connection *connection, query_t *query, reason_t *why)
{
    static const char *const KNOWN [] = {"status", "job_type", "worker_id", "workflow_id",
                                         "limit",  "cursor",   NULL};

    *query = (query_t){.status = parameter (connection, "status"),
                       .job_type = parameter (connection, "job_type"),
                       .worker_id = parameter (connection, "worker_id"),
                       .workflow_id = parameter (connection, "workflow_id"),
                       .cursor = parameter (connection, "cursor")};
    if (route_check_parameters (connection, KNOWN, why) < 0 ||
        read_limit (parameter (connection, "limit"), &query->limit, why) < 0) {
        return -EINVAL;
    }
    if (query->status && !is_status (query->status)) {
        return reason_set (why, -EINVAL, "status: '%.60s' is no list of statuses of a job",
                           query->status);
    }
    if (query->job_type && !is_type (query->job_type)) {
        return reason_set (why, -EINVAL, "job_type: '%.64s' is no type of a job", query->job_type);
    }
    if (query->worker_id &&
        (!*query->worker_id || strlen (query->worker_id) > ROUTE_WORKER_BYTES_MOST)) {
        return reason_set (why, -EINVAL, "worker_id: '%.60s' is no id of a worker",
                           query->worker_id);
    }
    if (query->workflow_id && (!*query->workflow_id || strlen (query->workflow_id) > TEXT_MOST)) {
        return reason_set (why, -EINVAL, "workflow_id: it is of 1 to %d bytes", TEXT_MOST);
    }
    //  What it says is the aggregator's, which looks at it.
    return query->cursor && strlen (query->cursor) >= ROUTE_CURSOR_SIZE
               ? reason_set (why, -EINVAL, "cursor: it is no next_cursor of a page before")
               : 0;
}

static void
put_if (json_writer_t *json, const char *name, const char *value)
{
    if (value) {
        json_member_text (json, name, value);
    }
}

static enum MHD_Result
ask_page (const http_parts_t *parts, struct MHD_Connection *connection, request_t *request,
          const query_t *query, const char *cursor)
{
    const replica_worker_t *worker =
        query->worker_id ? replica_find (parts->replica, query->worker_id) : NULL;
    buffer_t question = {0};
    json_writer_t json = json_writer (&question);

    json_open_object (&json);
    put_if (&json, "status", query->status);
    put_if (&json, "job_type", query->job_type);
    put_if (&json, "worker", worker ? worker->worker_id : query->worker_id);
    put_if (&json, "workflow_id", query->workflow_id);
    put_if (&json, "cursor", cursor);
    json_member_integer (&json, "limit",
                         view_is_limited (request_view (request)) ? LIMIT_MOST : query->limit);
    json_close_object (&json);
    return command_ask (parts, connection, request, "jobs", &question);
}

//  As the aggregator's own: where the list goes on behind this record.
static void
note_last (request_t *request, const char *record, size_t size)
{
    char id [FEED_WORKER_ID_SIZE] = "", created [CLOCK_TEXT_SIZE] = "";
    scan_member_t member;

    if (scan_find (record, size, "id", &member)) {
        scan_copy (&member, id, sizeof id);
    }
    if (scan_find (record, size, "created_at", &member)) {
        scan_copy (&member, created, sizeof created);
    }
    snprintf (request->found_last, sizeof request->found_last, "%s@%s", id, created);
}

//  Those of the page that may be seen join what was found before. True: there are more of them than
//  were asked for.
static bool
take_page (const http_parts_t *parts, request_t *request, int64_t limit)
{
    zmsg_t *frames = ask_frames (request->ask);
    const mask_t *mask = request_view (request)->mask;

    for (zframe_t *frame = zmsg_first (frames); frame; frame = zmsg_next (frames)) {
        const char *record = (const char *) zframe_data (frame);
        size_t size = zframe_size (frame);
        if (!command_shows (parts, request, record, size)) {
            continue;
        }
        if (request->found_count == limit) {
            return true;
        }
        buffer_text (&request->found, request->found_count++ > 0 ? "," : "");
        if (mask) {
            mask_write (mask, record, size, &request->found);
        } else {
            buffer_append (&request->found, record, size);
        }
        note_last (request, record, size);
    }
    return false;
}

static enum MHD_Result
show_jobs (const http_parts_t *parts, struct MHD_Connection *connection, request_t *request,
           const char *cursor)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_key (&json, "jobs");
    json_open_array (&json);
    if (request->found_count > 0) {
        json_put_raw (&json, request->found.data, request->found.size);
    }
    json_close_array (&json);
    json_member_text (&json, "next_cursor", cursor);
    api_member_last_id (&json, parts->log);
    json_close_object (&json);
    out.failed |= buffer_failed (&request->found);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

enum MHD_Result
route_jobs (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
            request_t *request)
{
    query_t query;
    reason_t why = {0};

    (void) rest;
    if (read_query (connection, &query, &why) < 0) {
        return reply_refuse (connection, MHD_HTTP_BAD_REQUEST, why.text);
    }
    if (!request->ask) {
        return ask_page (parts, connection, request, &query, query.cursor);
    }
    if (ask_status (request->ask) != MHD_HTTP_OK) {
        return command_refuse (connection, request);
    }
    char next [ROUTE_CURSOR_SIZE] = "";
    const char *given = json_get_text (ask_answer (request->ask), "next_cursor");
    snprintf (next, sizeof next, "%s", given ? given : "");
    bool limited = view_is_limited (request_view (request)),
         more = take_page (parts, request, query.limit);
    if (limited && !more && *next) {
        return ask_page (parts, connection, request, &query, next);
    }
    return show_jobs (parts, connection, request,
                      limited ? (more ? request->found_last : NULL)
                      : *next ? next
                              : NULL);
}
