// routes_commands.c - POST /api/workers/{id}/…: a command is a job, and answered when it is kept.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "api.h"
#include "body.h"
#include "command.h"
#include "reply.h"

#include <string.h>

static const struct {
    const char *path, *job_type;
} COMMANDS [] = {{"refresh", "metrics.refresh"},
                 {"labs/refresh", "labs.refresh"},
                 {"pause", "worker.pause"},
                 {"resume", "worker.resume"},
                 {"detailed-monitoring", "monitoring.enable"}};

static const body_member_t BODY [] = {
    {"reason", BODY_TEXT, false, 1, 128}, {"priority", BODY_INTEGER, false, -1000, 1000}, {0}};

//  Null: there is no such command.
static const char *
type_of (const char *path)
{
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        if (strcmp (COMMANDS [i].path, path) == 0) {
            return COMMANDS [i].job_type;
        }
    }
    return NULL;
}

static void
write_question (const request_t *request, const char *job_type, const char *worker_id,
                const char *key, struct json_object *body, buffer_t *out)
{
    json_writer_t json = json_writer (out);
    const char *reason = json_get_text (body, "reason");
    int64_t priority;

    json_open_object (&json);
    json_member_text (&json, "job_type", job_type);
    json_member_text (&json, "worker", worker_id);
    json_member_text (&json, "by", command_by (request));
    if (json_get_integer (body, "priority", &priority)) {
        json_member_integer (&json, "priority", priority);
    }
    if (key) {
        json_member_text (&json, "client_key", key);
    }
    if (reason) {
        json_key (&json, "payload");
        json_open_object (&json);
        json_member_text (&json, "reason", reason);
        json_close_object (&json);
    }
    json_close_object (&json);
}

enum MHD_Result
route_worker_command (const http_parts_t *parts, struct MHD_Connection *connection,
                      const char *rest, request_t *request)
{
    static const char *const KNOWN [] = {NULL};
    _cleanup_ (json_destroy) struct json_object *body = NULL;
    char id [ROUTE_WORKER_BYTES_MOST + 1];
    const char *tail = "", *job_type = NULL, *key;
    reason_t why = {0};
    buffer_t question = {0};

    if (request->ask) {
        return command_answer (parts, connection, request, "/api/jobs/");
    }
    if (!route_split_worker (rest, id, &tail) || !(job_type = type_of (tail))) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND,
                             "a worker takes refresh, labs/refresh, pause, resume and "
                             "detailed-monitoring");
    }
    unsigned status = route_check_parameters (connection, KNOWN, &why) < 0 ||
                              !command_key (connection, &key, &why)
                          ? MHD_HTTP_BAD_REQUEST
                          : body_read (connection, request, BODY, &body, &why);
    if (status != MHD_HTTP_OK) {
        return reply_refuse (connection, status, why.text);
    }
    const replica_worker_t *worker = api_find (parts->replica, request_view (request), id);
    if (!worker) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND,
                             "no worker has this id or EC2 instance id");
    }
    write_question (request, job_type, worker->worker_id, key, body, &question);
    return command_ask (parts, connection, request, "submit", &question);
}
