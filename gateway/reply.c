// reply.c - see reply.h.
//
// SPDX-License-Identifier: MIT

#include "reply.h"

#include "../common/json.h"
#include "connections.h"
#include "cors.h"

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
reply_send (struct MHD_Connection *connection, unsigned status, const char *type, buffer_t *body,
            const char *allow)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer (body->size, body->data, MHD_RESPMEM_MUST_COPY);

    buffer_clear (body);
    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header (response, "Content-Type", type);
    MHD_add_response_header (response, "Cache-Control", "no-store");
    MHD_add_response_header (response, "Content-Security-Policy",
                             "default-src 'none'; frame-ancestors 'none'");
    reply_add_rules (connection, response, NULL);
    if (allow) {
        MHD_add_response_header (response, "Allow", allow);
    }
    enum MHD_Result result = MHD_queue_response (connection, status, response);
    MHD_destroy_response (response);
    return result;
}

enum MHD_Result
reply_problem (struct MHD_Connection *connection, unsigned status, const char *title,
               const char *detail, const char *allow)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_member_text (&json, "type", "about:blank");
    json_member_text (&json, "title", title);
    json_member_integer (&json, "status", status);
    json_member_text (&json, "detail", detail);
    json_close_object (&json);
    return reply_send (connection, status, "application/problem+json", &out, allow);
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
    enum MHD_Result result = MHD_queue_response (connection, MHD_HTTP_NO_CONTENT, response);
    MHD_destroy_response (response);
    return result;
}
