// routes_session.c - /api/session: who I am, a browser's login, and its end.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "../common/json.h"
#include "../common/log.h"
#include "connections.h"
#include "reply.h"
#include "route.h"
#include "session.h"

#include <errno.h>
#include <string.h>

static void
write_identity (const http_parts_t *parts, const identity_t *identity, time_us_t expires,
                buffer_t *out)
{
    json_writer_t json = json_writer (out);
    const view_t *view = identity->view;

    json_open_object (&json);
    json_member_text (&json, "auth", AUTH_METHODS [auth_method (parts->auth)]);
    json_member_text (&json, "user", *identity->name ? identity->name : NULL);
    json_member_text (&json, "role", role_text (identity->role));
    json_member_time (&json, "expires_at", expires > 0 ? expires : TIME_UNKNOWN);
    json_member_bool (&json, "limited", view_is_limited (view));
    json_member_bool (&json, "masked", view->mask != NULL);
    json_close_object (&json);
}

enum MHD_Result
route_session (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
               request_t *request)
{
    buffer_t out = {0};

    (void) rest;
    write_identity (parts, request->identity, request->identity->expires_at, &out);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

//  The token of the body, {"token":"…"}; null and why.
static const char *
token_of (struct json_object **tree_p, struct MHD_Connection *connection, const request_t *request,
          reason_t *why)
{
    const char *type =
        MHD_lookup_connection_value (connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    const char *token = NULL;

    //  Other sites' forms cannot say this without being asked first.
    if (type && strncmp (type, "application/json", strlen ("application/json")) == 0 &&
        !request->body_too_large &&
        json_parse (tree_p, request->body.data ? request->body.data : "", request->body.size,
                    request->body.size, why) == 0) {
        token = json_get_text (*tree_p, "token");
    }
    if (!token) {
        reason_set (why, -EINVAL,
                    "the body must be {\"token\": \"…\"}, of at most body_max_bytes, with "
                    "Content-Type: application/json");
    }
    return token;
}

static enum MHD_Result
begin_session (const http_parts_t *parts, struct MHD_Connection *connection,
               const identity_t *identity)
{
    buffer_t sealed = {0}, cookie = {0}, out = {0};
    time_us_t expires = 0, now = loop_now (parts->loop).wall;
    int rc = auth_seal (parts->auth, identity, &sealed, &expires);

    if (rc < 0) {
        buffer_clear (&sealed);
        return reply_problem (connection, MHD_HTTP_CONTENT_TOO_LARGE, "Too large",
                              "what the token is limited to does not fit into a cookie; send it "
                              "with each request instead",
                              NULL);
    }
    buffer_format (&cookie, SESSION_COOKIE "=%s; Path=/; Max-Age=%lld; HttpOnly; SameSite=Strict%s",
                   sealed.data, (long long) ((expires - now) / SECOND_US),
                   connections_are_secure (connection) ? "; Secure" : "");
    write_identity (parts, identity, expires, &out);
    log_info ("session begun", LOG_TEXT ("user", identity->name),
              LOG_TEXT ("role", role_text (identity->role)));
    enum MHD_Result result = reply_send_header (connection, MHD_HTTP_CREATED, "application/json",
                                                &out, MHD_HTTP_HEADER_SET_COOKIE, cookie.data);
    buffer_clear (&sealed);
    buffer_clear (&cookie);
    return result;
}

enum MHD_Result
route_session_begin (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
                     request_t *request)
{
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    _cleanup_ (identity_release) identity_t *identity = NULL;
    reason_t why = {0};

    (void) rest;
    if (auth_method (parts->auth) == AUTH_NONE) {
        return reply_problem (connection, MHD_HTTP_CONFLICT, "Conflict",
                              "nobody has to log in here (auth = none)", NULL);
    }
    const char *token = token_of (&tree, connection, request, &why);
    if (!token) {
        return reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad request", why.text, NULL);
    }
    int rc = auth_identify_token (parts->auth, token, strlen (token), &identity, &why);
    if (rc < 0) {
        return reply_unknown (connection, rc, why.text);
    }
    request->identity = identity_hold (identity);
    return begin_session (parts, connection, identity);
}

enum MHD_Result
route_session_end (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
                   request_t *request)
{
    buffer_t out = {0};

    (void) rest;
    auth_end_session (parts->auth, request->identity);
    return reply_send_header (connection, MHD_HTTP_NO_CONTENT, NULL, &out,
                              MHD_HTTP_HEADER_SET_COOKIE,
                              SESSION_COOKIE "=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
}
