// routes_clients.c - /api/clients: who listens, and another filter for one of them.
//
// A change is a merge patch (RFC 7386) of the filter, whose members are the stream's parameters:
// a text as in the query, a list of such, or a number; null takes one back.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "reply.h"
#include "route.h"

#include <errno.h>
#include <string.h>

enum MHD_Result
route_clients (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
               request_t *request)
{
    static const char *const KNOWN [] = {NULL};
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    reason_t why = {0};

    (void) rest;
    if (route_check_parameters (connection, KNOWN, &why) < 0) {
        return reply_refuse (connection, MHD_HTTP_BAD_REQUEST, why.text);
    }
    json_open_object (&json);
    json_key (&json, "clients");
    //  Filters name workers and regions: who may not see all of these sees its own streams.
    bool all = request->identity->role >= ROLE_ADMIN || !view_is_limited (request_view (request));
    hub_write_clients (parts->hub, all ? NULL : request->identity->name, &json);
    json_close_object (&json);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

static int
write_list (const char *name, struct json_object *list, buffer_t *out, reason_t *why)
{
    for (size_t i = 0; i < json_object_array_length (list); i++) {
        struct json_object *item = json_object_array_get_idx (list, i);
        if (!json_object_is_type (item, json_type_string)) {
            return reason_set (why, -EINVAL, "%.60s: a list is of texts", name);
        }
        buffer_text (out, i > 0 ? "," : "");
        buffer_text (out, json_object_get_string (item));
    }
    return 0;
}

//  One member of the patch.
static int
change (filter_t *filter, const char *name, struct json_object *value, reason_t *why)
{
    buffer_t text = {0};
    int rc = filter_unset (filter, name, why);

    if (rc == 0 && value) {
        switch (json_object_get_type (value)) {
        case json_type_array: rc = write_list (name, value, &text, why); break;
        case json_type_string:
        case json_type_int:
        case json_type_double: buffer_text (&text, json_object_get_string (value)); break;
        default:
            rc = reason_set (why, -EINVAL,
                             "%.60s: a value is a text, a list of texts, a number or null", name);
        }
        rc = rc < 0                  ? rc
             : buffer_failed (&text) ? reason_set (why, -ENOMEM, "out of memory")
                                     : filter_set (filter, name, text.data ? text.data : "", why);
    }
    buffer_clear (&text);
    return rc;
}

static int
read_patch (const request_t *request, filter_t *filter, reason_t *why)
{
    struct json_object *tree = NULL;
    int rc = request->body_too_large
                 ? reason_set (why, -E2BIG, "the body is larger than body_max_bytes")
                 : json_parse (&tree, request->body.data ? request->body.data : "",
                               request->body.size, request->body.size, why);

    if (rc == 0 && !json_object_is_type (tree, json_type_object)) {
        rc = reason_set (why, -EINVAL, "the body is an object: {\"regions\": [\"us-east-1\"]}");
    }
    if (rc == 0) {
        json_object_object_foreach (tree, name, value)
        {
            rc = rc < 0 ? rc : change (filter, name, value, why);
        }
    }
    json_destroy (&tree);
    return rc;
}

static enum MHD_Result
answer_change (const http_parts_t *parts, struct MHD_Connection *connection, const char *id,
               filter_t *filter)
{
    buffer_t out = {0}, key = {0};
    json_writer_t json = json_writer (&out);

    filter_write_key (filter, &key);
    switch (hub_change (parts->hub, id, filter)) {
    case 0: break;
    case -ENOENT:
        buffer_clear (&key);
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND, "no open stream has this client id");
    case -EBUSY:
        buffer_clear (&key);
        return reply_refuse (connection, MHD_HTTP_CONFLICT,
                             "the stream is behind, or its state is on the way; try again");
    default:
        buffer_clear (&key);
        return reply_refuse (connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                             "too many states are asked for at once; try again");
    }
    json_open_object (&json);
    json_member_text (&json, "id", id);
    json_member_text (&json, "filter", key.size > 0 ? key.data + 1 : "");
    json_close_object (&json);
    buffer_clear (&key);
    return reply_send (connection, MHD_HTTP_OK, "application/json", &out, NULL);
}

//  One's own streams; an admin's also those of others.
static bool
may_change (const http_parts_t *parts, const char *id, const identity_t *identity)
{
    const identity_t *owner = hub_identity (parts->hub, id);

    return identity->role >= ROLE_ADMIN || (owner && strcmp (owner->name, identity->name) == 0);
}

enum MHD_Result
route_client_change (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
                     request_t *request)
{
    const char *type =
        MHD_lookup_connection_value (connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    reason_t why = {0};

    //  Also what keeps other sites' forms out: they cannot say this without being asked first.
    if (!type || (strncmp (type, "application/json", strlen ("application/json")) != 0 &&
                  strncmp (type, "application/merge-patch+json",
                           strlen ("application/merge-patch+json")) != 0)) {
        return reply_refuse (
            connection, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
            "Content-Type must be application/json or application/merge-patch+json");
    }
    const filter_t *old = hub_filter (parts->hub, rest);
    if (!old || !may_change (parts, rest, request->identity)) {
        return reply_refuse (connection, MHD_HTTP_NOT_FOUND, "no open stream has this client id");
    }
    filter_t *filter = filter_copy (old);
    if (!filter) {
        return MHD_NO;
    }
    int rc = read_patch (request, filter, &why);
    if (rc < 0) {
        filter_release (&filter);
        return reply_refuse (
            connection, rc == -E2BIG ? MHD_HTTP_CONTENT_TOO_LARGE : MHD_HTTP_BAD_REQUEST, why.text);
    }
    return answer_change (parts, connection, rest, filter);
}
