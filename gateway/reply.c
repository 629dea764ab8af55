// reply.c - see reply.h.
//
// SPDX-License-Identifier: MIT

#include "reply.h"

#include "../common/json.h"
#include "connections.h"
#include "cors.h"
#include "deflated.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_AFTER  "1"  //  seconds
#define PROBLEM_TYPE "application/problem+json"

void
reply_add_rules (struct MHD_Connection *connection, struct MHD_Response *response,
                 const char *methods)
{
    MHD_add_response_header (response, "X-Content-Type-Options", "nosniff");
    MHD_add_response_header (response, "Referrer-Policy", "no-referrer");
    MHD_add_response_header (response, "X-Frame-Options", "DENY");
    cors_add (connections_origins (connection), connection, response, methods);
}

enum MHD_Result
reply_queue (struct MHD_Connection *connection, unsigned status, struct MHD_Response *response,
             size_t bytes)
{
    enum MHD_Result result = MHD_queue_response (connection, status, response);

    connections_note (connection, status, bytes);
    MHD_destroy_response (response);
    return result;
}

static void
add_heads (struct MHD_Connection *connection, struct MHD_Response *response, const char *type)
{
    if (type) {
        MHD_add_response_header (response, "Content-Type", type);
    }
    MHD_add_response_header (response, "Cache-Control", "no-store");
    MHD_add_response_header (response, "Content-Security-Policy",
                             "default-src 'none'; frame-ancestors 'none'");
    reply_add_rules (connection, response, NULL);
}

//  The body's bytes are taken, and it is cleared.
static struct MHD_Response *
make_response (struct MHD_Connection *connection, const char *type, buffer_t *body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer (body->size, body->data, MHD_RESPMEM_MUST_COPY);

    buffer_clear (body);
    if (response) {
        add_heads (connection, response, type);
    }
    return response;
}

enum MHD_Result
reply_send_header (struct MHD_Connection *connection, unsigned status, const char *type,
                   buffer_t *body, const char *name, const char *value)
{
    size_t size = body->size;
    struct MHD_Response *response = make_response (connection, type, body);

    if (!response) {
        return MHD_NO;
    }
    if (value) {
        MHD_add_response_header (response, name, value);
    }
    return reply_queue (connection, status, response, size);
}

enum MHD_Result
reply_send (struct MHD_Connection *connection, unsigned status, const char *type, buffer_t *body,
            const char *allow)
{
    return reply_send_header (connection, status, type, body, "Allow", allow);
}

enum MHD_Result
reply_send_large (struct MHD_Connection *connection, const char *type, buffer_t *body,
                  bool compression)
{
    size_t size = body->size;

    if (!connections_hold (connection, size)) {
        buffer_clear (body);
        return reply_unknown (connection, -EAGAIN, "too many large answers are on their way");
    }
    bool gzip = compression && size >= DEFLATED_LEAST && reply_accepts (connection, "gzip");
    struct MHD_Response *response = gzip ? deflated_response (body) : NULL;

    if (response) {
        add_heads (connection, response, type);
        MHD_add_response_header (response, "Content-Encoding", "gzip");
    } else {
        response = make_response (connection, type, body);
    }
    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header (response, "Vary", "Accept-Encoding");
    return reply_queue (connection, MHD_HTTP_OK, response, size);
}

static void
write_problem (buffer_t *out, unsigned status, const char *title, const char *detail,
               const char *job_id)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_member_text (&json, "type", "about:blank");
    json_member_text (&json, "title", title);
    json_member_integer (&json, "status", status);
    json_member_text (&json, "detail", detail);
    if (job_id) {
        json_member_text (&json, "job_id", job_id);
    }
    json_close_object (&json);
}

static enum MHD_Result
send_problem_of (struct MHD_Connection *connection, unsigned status, const char *title,
                 const char *detail, const char *job_id, const char *name, const char *value)
{
    buffer_t out = {0};

    write_problem (&out, status, title, detail, job_id);
    return reply_send_header (connection, status, PROBLEM_TYPE, &out, name, value);
}

static enum MHD_Result
send_problem (struct MHD_Connection *connection, unsigned status, const char *title,
              const char *detail, const char *name, const char *value)
{
    return send_problem_of (connection, status, title, detail, NULL, name, value);
}

static const char *
title_of (unsigned status)
{
    static const struct {
        unsigned status;
        const char *title;
    } TITLES [] = {{MHD_HTTP_FORBIDDEN, "Forbidden"},
                   {MHD_HTTP_NOT_FOUND, "Not found"},
                   {MHD_HTTP_CONFLICT, "Conflict"},
                   {MHD_HTTP_CONTENT_TOO_LARGE, "Too large"},
                   {MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "Unsupported media type"},
                   {MHD_HTTP_TOO_MANY_REQUESTS, "Too many requests"},
                   {MHD_HTTP_SERVICE_UNAVAILABLE, "Unavailable"}};

    for (size_t i = 0; i < sizeof TITLES / sizeof *TITLES; i++) {
        if (TITLES [i].status == status) {
            return TITLES [i].title;
        }
    }
    return status >= 500 ? "Server error" : "Bad request";
}

enum MHD_Result
reply_refuse (struct MHD_Connection *connection, unsigned status, const char *detail)
{
    return send_problem (connection, status, title_of (status), detail, NULL, NULL);
}

enum MHD_Result
reply_refuse_command (struct MHD_Connection *connection, unsigned status, const char *detail,
                      const char *job_id, int64_t retry_after)
{
    char seconds [24];

    snprintf (seconds, sizeof seconds, "%lld", (long long) retry_after);
    return send_problem_of (connection, status, title_of (status), detail, job_id,
                            MHD_HTTP_HEADER_RETRY_AFTER, retry_after > 0 ? seconds : NULL);
}

enum MHD_Result
reply_problem (struct MHD_Connection *connection, unsigned status, const char *title,
               const char *detail, const char *allow)
{
    return send_problem (connection, status, title, detail, "Allow", allow);
}

enum MHD_Result
reply_unknown (struct MHD_Connection *connection, int rc, const char *detail)
{
    switch (rc) {
    case -EAGAIN:
        return send_problem (connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Unavailable", detail,
                             MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER);
    case -EPERM:
        return send_problem (connection, MHD_HTTP_FORBIDDEN, "Forbidden", detail, NULL, NULL);
    default:
        return send_problem (connection, MHD_HTTP_UNAUTHORIZED, "Unauthorized", detail,
                             MHD_HTTP_HEADER_WWW_AUTHENTICATE, "Bearer realm=\"cmlwatch\"");
    }
}

enum MHD_Result
reply_upgrade (struct MHD_Connection *connection, const char *protocol, const char *version,
               const char *detail)
{
    buffer_t out = {0};

    write_problem (&out, MHD_HTTP_UPGRADE_REQUIRED, "Upgrade required", detail, NULL);
    size_t size = out.size;
    struct MHD_Response *response = make_response (connection, PROBLEM_TYPE, &out);
    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header (response, MHD_HTTP_HEADER_UPGRADE, protocol);
    MHD_add_response_header (response, MHD_HTTP_HEADER_SEC_WEBSOCKET_VERSION, version);
    return reply_queue (connection, MHD_HTTP_UPGRADE_REQUIRED, response, size);
}

enum MHD_Result
reply_too_many (struct MHD_Connection *connection, const char *detail)
{
    return send_problem (connection, MHD_HTTP_TOO_MANY_REQUESTS, "Too many requests", detail,
                         MHD_HTTP_HEADER_RETRY_AFTER, RETRY_AFTER);
}

enum MHD_Result
reply_methods (struct MHD_Connection *connection, const char *methods)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer (0, NULL, MHD_RESPMEM_PERSISTENT);

    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header (response, "Allow", methods);
    reply_add_rules (connection, response, methods);
    return reply_queue (connection, MHD_HTTP_NO_CONTENT, response, 0);
}

bool
reply_accepts (struct MHD_Connection *connection, const char *coding)
{
    const char *list =
        MHD_lookup_connection_value (connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT_ENCODING);

    while (list && *list) {
        size_t size = strcspn (list, ","), skip = strspn (list, " \t");
        const char *word = list + skip;
        size_t length = strcspn (word, " \t;,");
        if (length > 2 &&
            strncasecmp (word, "x-", 2) == 0) {  //  x-gzip is gzip (RFC 9110, 8.4.1.3)
            word += 2, length -= 2;
        }
        if (length == strlen (coding) && strncasecmp (word, coding, length) == 0) {
            const char *weight = memmem (list, size, "q=", 2);
            return !weight || strtod (weight + 2, NULL) > 0;
        }
        list += size + (list [size] == ',');
    }
    return false;
}
