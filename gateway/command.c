// command.c - see command.h.
//
// SPDX-License-Identifier: MIT

#include "command.h"

#include "reply.h"
#include "scan.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define KEY_HEADER     "Idempotency-Key"
#define KEY_BYTES_MOST 128
#define AWAY_SECONDS   1  //  when to try again while the aggregator does not answer

const char *
command_by (const request_t *request)
{
    return *request->identity->name ? request->identity->name : "anonymous";
}

bool
command_key (struct MHD_Connection *connection, const char **key, reason_t *why)
{
    *key = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, KEY_HEADER);
    size_t size = *key ? strlen (*key) : 1;
    bool fits = size > 0 && size <= KEY_BYTES_MOST;

    for (size_t i = 0; *key && fits && i < size; i++) {
        fits = isprint ((unsigned char) (*key) [i]);
    }
    if (!fits) {
        reason_set (why, -EINVAL, KEY_HEADER ": it must be 1 to %d printable ASCII characters",
                    KEY_BYTES_MOST);
    }
    return fits;
}

const char *
command_id (const char *text)
{
    size_t size = FEED_WORKER_ID_SIZE - 1;

    return strlen (text) == size && strspn (text, "0123456789abcdef-") == size ? text : NULL;
}

enum MHD_Result
command_ask (const http_parts_t *parts, struct MHD_Connection *connection, request_t *request,
             const char *operation, buffer_t *json)
{
    ask_destroy (&request->ask);
    request->ask =
        buffer_failed (json) ? NULL : asks_begin (parts->asks, connection, operation, json);
    buffer_clear (json);
    return request->ask
               ? MHD_YES
               : reply_refuse_command (connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                                       "too many requests wait for the aggregator; try again", NULL,
                                       AWAY_SECONDS);
}

bool
command_shows (const http_parts_t *parts, const request_t *request, const char *record, size_t size)
{
    const view_t *view = request_view (request);
    char worker_id [FEED_WORKER_ID_SIZE] = "";
    scan_member_t member;

    if (!view_is_limited (view)) {
        return true;
    }
    if (scan_find (record, size, "worker_id", &member)) {
        scan_copy (&member, worker_id, sizeof worker_id);
    }
    const replica_worker_t *worker = *worker_id ? replica_find (parts->replica, worker_id) : NULL;
    return view_shows (view, worker ? worker->region : "", worker_id);
}

enum MHD_Result
command_refuse (struct MHD_Connection *connection, const request_t *request)
{
    struct json_object *answer = ask_answer (request->ask);
    int64_t retry_after = 0;
    int status = ask_status (request->ask);

    (void) json_get_integer (answer, "retry_after_seconds", &retry_after);
    if (retry_after <= 0 && status == MHD_HTTP_SERVICE_UNAVAILABLE) {
        retry_after = AWAY_SECONDS;
    }
    return reply_refuse_command (connection, (unsigned) status, ask_detail (request->ask),
                                 json_get_text (answer, "job_id"), retry_after);
}

static void
note_subject (request_t *request, const buffer_t *record)
{
    scan_member_t member;

    if (scan_find (record->data, record->size, "id", &member)) {
        scan_copy (&member, request->subject, sizeof request->subject);
    }
}

enum MHD_Result
command_answer (const http_parts_t *parts, struct MHD_Connection *connection, request_t *request,
                const char *location)
{
    const buffer_t *record = ask_payload (request->ask);
    int status = ask_status (request->ask);
    char place [80];
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    if (status == MHD_HTTP_NOT_FOUND && !location) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND, COMMAND_NONE);
    }
    if (status < 200 || status > 299 || record->size == 0) {
        return status > 299 ? command_refuse (connection, request)
                            : reply_refuse (connection, MHD_HTTP_BAD_GATEWAY,
                                            "the aggregator's answer has no record");
    }
    if (!command_shows (parts, request, record->data, record->size)) {
        return location ? reply_refuse (connection, MHD_HTTP_CONFLICT,
                                        KEY_HEADER ": it is taken; choose another")
                        : reply_refuse (connection, MHD_HTTP_NOT_FOUND, COMMAND_NONE);
    }
    note_subject (request, record);
    snprintf (place, sizeof place, "%s%s", location ? location : "", request->subject);
    mask_put (request_view (request)->mask, record->data, record->size, &json);
    return reply_send_header (connection, (unsigned) status, "application/json", &out,
                              MHD_HTTP_HEADER_LOCATION, location ? place : NULL);
}
