// json.c - reading, see json.h.
//
// SPDX-License-Identifier: MIT

#include "json.h"

#include "cleanup.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

DEFINE_CLEANUP (tokener_destroy, struct json_tokener *, json_tokener_free)

static bool
is_blank (const char *bytes, size_t size)
{
    while (size > 0 && strchr (" \t\r\n", bytes [size - 1]) && bytes [size - 1] != '\0') {
        size--;
    }
    return size == 0;
}

int
json_parse (struct json_object **value_p, const void *bytes, size_t size, size_t size_max,
            reason_t *why)
{
    if (size > size_max || size > INT_MAX) {
        return reason_set (why, -E2BIG, "%zu bytes of JSON, at most %zu are taken", size, size_max);
    }
    if (size == 0) {
        return reason_set (why, -EINVAL, "not JSON: empty");
    }
    _cleanup_ (tokener_destroy) struct json_tokener *parser = json_tokener_new_ex (JSON_DEPTH_MAX);
    if (!parser) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    json_tokener_set_flags (parser, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
    struct json_object *value = json_tokener_parse_ex (parser, bytes, (int) size);
    enum json_tokener_error error = json_tokener_get_error (parser);
    size_t end = json_tokener_get_parse_end (parser);

    //  A bare number has no end of its own: json-c waits for one more byte.
    if (error == json_tokener_continue) {
        value = json_tokener_parse_ex (parser, "", -1);
        error = json_tokener_get_error (parser);
        end = size;
    }
    if (error != json_tokener_success) {
        return reason_set (why, -EINVAL, "not JSON: %s at byte %zu of %zu",
                           error == json_tokener_continue ? "cut off"
                                                          : json_tokener_error_desc (error),
                           end, size);
    }
    if (end < size && !is_blank ((const char *) bytes + end, size - end)) {
        json_object_put (value);
        return reason_set (why, -EINVAL, "not JSON: more than one value, the second at byte %zu",
                           end);
    }
    *value_p = value;
    return 0;
}

struct json_object *
json_get (struct json_object *self, const char *key)
{
    struct json_object *member = NULL;

    if (json_object_is_type (self, json_type_object)) {
        json_object_object_get_ex (self, key, &member);
    }
    return member;
}

static struct json_object *
get_of_type (struct json_object *self, const char *key, enum json_type type)
{
    struct json_object *member = json_get (self, key);
    return member && json_object_is_type (member, type) ? member : NULL;
}

const char *
json_get_text (struct json_object *self, const char *key)
{
    struct json_object *member = get_of_type (self, key, json_type_string);
    const char *text = member ? json_object_get_string (member) : NULL;

    //  With a NUL within it would be cut there, and two that differ would be the same.
    return text && strlen (text) == (size_t) json_object_get_string_len (member) ? text : NULL;
}

struct json_object *
json_get_object (struct json_object *self, const char *key)
{
    return get_of_type (self, key, json_type_object);
}

struct json_object *
json_get_array (struct json_object *self, const char *key)
{
    return get_of_type (self, key, json_type_array);
}

bool
json_get_number (struct json_object *self, const char *key, double *value)
{
    struct json_object *member = json_get (self, key);

    if (!json_object_is_type (member, json_type_double) &&
        !json_object_is_type (member, json_type_int)) {
        return false;
    }
    *value = json_object_get_double (member);
    return true;
}

bool
json_get_integer (struct json_object *self, const char *key, int64_t *value)
{
    struct json_object *member = json_get (self, key);

    if (json_object_is_type (member, json_type_int)) {
        int64_t whole = json_object_get_int64 (member);  //  json-c clamps what is beyond 64 bits
        if (whole == INTEGER_UNKNOWN || json_object_get_uint64 (member) > INT64_MAX) {
            return false;
        }
        *value = whole;
        return true;
    }
    double number =
        json_object_is_type (member, json_type_double) ? json_object_get_double (member) : UNKNOWN;
    if (isnan (number) || number != trunc (number) || fabs (number) > 9e15) {
        return false;
    }
    *value = (int64_t) number;
    return true;
}

bool
json_get_bool (struct json_object *self, const char *key, bool *value)
{
    struct json_object *member = get_of_type (self, key, json_type_boolean);

    if (!member) {
        return false;
    }
    *value = json_object_get_boolean (member);
    return true;
}

bool
json_get_time (struct json_object *self, const char *key, time_us_t *wall)
{
    const char *text = json_get_text (self, key);
    return text && clock_parse (text, wall) == 0;
}
