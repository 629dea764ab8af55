// body.c - see body.h.
//
// SPDX-License-Identifier: MIT

#include "body.h"

#include "../common/cleanup.h"
#include "../common/json.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#define JSON_TYPE "application/json"

const char *
body_text_of (struct json_object *tree)
{
    return json_object_to_json_string_ext (tree,
                                           JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
}

static bool
is_json (struct MHD_Connection *connection)
{
    const char *type =
        MHD_lookup_connection_value (connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);
    size_t size = strlen (JSON_TYPE);

    return type && strncasecmp (type, JSON_TYPE, size) == 0 && strchr ("; \t", type [size]);
}

//  json-c takes NaN and Infinity, which are no JSON.
static bool
is_finite (struct json_object *tree)
{
    if (json_object_is_type (tree, json_type_double)) {
        return isfinite (json_object_get_double (tree));
    }
    for (size_t i = 0;
         json_object_is_type (tree, json_type_array) && i < json_object_array_length (tree); i++) {
        if (!is_finite (json_object_array_get_idx (tree, i))) {
            return false;
        }
    }
    if (json_object_is_type (tree, json_type_object)) {
        json_object_object_foreach (tree, name, value)
        {
            (void) name;
            if (!is_finite (value)) {
                return false;
            }
        }
    }
    return true;
}

static int
check_text (struct json_object *value, const body_member_t *member, reason_t *why)
{
    size_t size = json_object_is_type (value, json_type_string)
                      ? (size_t) json_object_get_string_len (value)
                      : 0;

    if (!json_object_is_type (value, json_type_string) || (int64_t) size < member->least ||
        (int64_t) size > member->most || strlen (json_object_get_string (value)) != size) {
        return reason_set (why, -EINVAL, "%s: it must be a text of %lld to %lld bytes",
                           member->name, (long long) member->least, (long long) member->most);
    }
    return 0;
}

static int
check_integer (struct json_object *value, const body_member_t *member, reason_t *why)
{
    int64_t number =
        json_object_is_type (value, json_type_int) ? json_object_get_int64 (value) : INT64_MIN;

    return number >= member->least && number <= member->most
               ? 0
               : reason_set (why, -EINVAL, "%s: it must be a whole number within %lld to %lld",
                             member->name, (long long) member->least, (long long) member->most);
}

static int
check_object (struct json_object *value, const body_member_t *member, reason_t *why)
{
    if (!json_object_is_type (value, json_type_object) || !is_finite (value)) {
        return reason_set (why, -EINVAL, "%s: it must be an object, its numbers finite",
                           member->name);
    }
    size_t size = strlen (body_text_of (value));
    return (int64_t) size <= member->most
               ? 0
               : reason_set (why, -EINVAL, "%s: it has %zu bytes, at most %lld are taken",
                             member->name, size, (long long) member->most);
}

//  A null is as if it were not there.
static int
check_member (const char *name, struct json_object *value, const body_member_t members [],
              reason_t *why)
{
    const body_member_t *member = members;

    while (member->name && strcmp (member->name, name) != 0) {
        member++;
    }
    if (!member->name) {
        return reason_set (why, -EINVAL, "unknown member '%.60s'", name);
    }
    if (!value) {
        return 0;
    }
    switch (member->kind) {
    case BODY_TEXT: return check_text (value, member, why);
    case BODY_INTEGER: return check_integer (value, member, why);
    case BODY_OBJECT: return check_object (value, member, why);
    }
    return 0;
}

static int
check (struct json_object *tree, const body_member_t members [], reason_t *why)
{
    if (!json_object_is_type (tree, json_type_object)) {
        return reason_set (why, -EINVAL, "the body must be a JSON object");
    }
    json_object_object_foreach (tree, name, value)
    {
        if (check_member (name, value, members, why) < 0) {
            return -EINVAL;
        }
    }
    for (const body_member_t *member = members; member->name; member++) {
        if (member->is_required && !json_get (tree, member->name)) {
            return reason_set (why, -EINVAL, "%s: it must be given", member->name);
        }
    }
    return 0;
}

unsigned
body_read (struct MHD_Connection *connection, const request_t *request,
           const body_member_t members [], struct json_object **tree, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *read = NULL;
    bool is_wanted = false;

    for (const body_member_t *member = members; member->name; member++) {
        is_wanted |= member->is_required;
    }
    if (request->body_too_large) {
        reason_set (why, -E2BIG, "the body is larger than body_max_bytes");
        return MHD_HTTP_CONTENT_TOO_LARGE;
    }
    if (request->body.size == 0 && !is_wanted) {
        *tree = NULL;
        return MHD_HTTP_OK;
    }
    //  Also what keeps other sites' forms out: they cannot say this without being asked first.
    if (!is_json (connection)) {
        reason_set (why, -EINVAL, "Content-Type must be " JSON_TYPE);
        return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }
    if (json_parse (&read, request->body.data ? request->body.data : "", request->body.size,
                    request->body.size, why) < 0 ||
        check (read, members, why) < 0) {
        return MHD_HTTP_BAD_REQUEST;
    }
    *tree = take_ptr (read);
    return MHD_HTTP_OK;
}
