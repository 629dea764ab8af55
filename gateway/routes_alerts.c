// routes_alerts.c - GET /api/alerts, and that somebody has seen one.
//
// SPDX-License-Identifier: MIT

#include "api.h"
#include "command.h"
#include "reply.h"
#include "scan.h"

#include <string.h>

#define ID_AND_COMMAND "/acknowledge"

static enum MHD_Result
ask_alerts (const http_parts_t *parts, struct MHD_Connection *connection, request_t *request)
{
    buffer_t question = {0};

    buffer_text (&question, "{}");
    return command_ask (parts, connection, request, "alerts", &question);
}

//  They count over the whole fleet: who sees a part of it is not told.
static void
write_rules (json_writer_t *json, struct json_object *answer, const view_t *view)
{
    json_key (json, "rules");
    if (view_is_limited (view) || !json_get_array (answer, "rules")) {
        json_open_array (json);
        json_close_array (json);
    } else {
        json_put_tree (json, json_get_array (answer, "rules"));
    }
}

static enum MHD_Result
show_alerts (const http_parts_t *parts, struct MHD_Connection *connection, const request_t *request)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    zmsg_t *frames = ask_frames (request->ask);

    json_open_object (&json);
    json_key (&json, "alerts");
    json_open_array (&json);
    for (zframe_t *frame = zmsg_first (frames); frame; frame = zmsg_next (frames)) {
        const char *alert = (const char *) zframe_data (frame);
        if (command_shows (parts, request, alert, zframe_size (frame))) {
            mask_put (request_view (request)->mask, alert, zframe_size (frame), &json);
        }
    }
    json_close_array (&json);
    write_rules (&json, ask_answer (request->ask), request_view (request));
    api_member_last_id (&json, parts->log);
    json_close_object (&json);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

enum MHD_Result
route_alerts (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
              request_t *request)
{
    static const char *const KNOWN [] = {NULL};
    reason_t why = {0};

    (void) rest;
    if (!request->ask) {
        return route_check_parameters (connection, KNOWN, &why) < 0
                   ? reply_refuse (connection, MHD_HTTP_BAD_REQUEST, why.text)
                   : ask_alerts (parts, connection, request);
    }
    return ask_status (request->ask) == MHD_HTTP_OK ? show_alerts (parts, connection, request)
                                                    : command_refuse (connection, request);
}

//  Of those that were told, who asks may see the one with this id.
static bool
is_shown (const http_parts_t *parts, const request_t *request, const char *id)
{
    zmsg_t *frames = ask_frames (request->ask);
    scan_member_t member;

    for (zframe_t *frame = zmsg_first (frames); frame; frame = zmsg_next (frames)) {
        const char *alert = (const char *) zframe_data (frame);
        if (scan_find (alert, zframe_size (frame), "id", &member) &&
            member.value_size == strlen (id) + 2 &&
            memcmp (member.value + 1, id, strlen (id)) == 0) {
            return command_shows (parts, request, alert, zframe_size (frame));
        }
    }
    return false;
}

//  Of a fleet that one sees a part of, an alert is looked at before it is touched.
enum MHD_Result
route_alert_acknowledge (const http_parts_t *parts, struct MHD_Connection *connection,
                         const char *rest, request_t *request)
{
    static const char *const KNOWN [] = {NULL};
    char id [FEED_WORKER_ID_SIZE] = "";
    size_t size = strcspn (rest, "/");
    bool has_seen = !view_is_limited (request_view (request));
    reason_t why = {0};
    buffer_t question = {0};
    json_writer_t json = json_writer (&question);

    if (size < sizeof id) {
        memcpy (id, rest, size);
        id [size] = '\0';
    }
    if (strcmp (rest + size, ID_AND_COMMAND) != 0 || !command_id (id)) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND, COMMAND_NONE);
    }
    if (route_check_parameters (connection, KNOWN, &why) < 0) {
        return reply_refuse (connection, MHD_HTTP_BAD_REQUEST, why.text);
    }
    if (request->ask && !has_seen && !request->has_looked) {
        if (ask_status (request->ask) != MHD_HTTP_OK) {
            return command_refuse (connection, request);
        }
        if (!is_shown (parts, request, id)) {
            return reply_refuse (connection, MHD_HTTP_NOT_FOUND, COMMAND_NONE);
        }
        request->has_looked = has_seen = true;
    } else if (request->ask) {
        return command_answer (parts, connection, request, NULL);
    }
    if (!has_seen) {
        return ask_alerts (parts, connection, request);
    }
    json_open_object (&json);
    json_member_text (&json, "id", id);
    json_member_text (&json, "by", command_by (request));
    json_close_object (&json);
    return command_ask (parts, connection, request, "acknowledge", &question);
}
