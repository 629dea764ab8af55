// monitor_message.c - see monitor_message.h.
//
// SPDX-License-Identifier: MIT

#include "monitor_message.h"

#include "../common/cleanup.h"
#include "../common/json.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    monitor_type_t type;
} TYPES [] = {{"monitor_connect", MONITOR_CONNECT},
              {"monitor_subscribe", MONITOR_SUBSCRIBE},
              {"subscribe", MONITOR_SUBSCRIBE},
              {"heartbeat", MONITOR_HEARTBEAT},
              {"resync_request", MONITOR_RESYNC}};

//  Or null, which says as much.
static bool
is_absent (struct json_object *tree, const char *name)
{
    return !json_get (tree, name);
}

static int
read_text (struct json_object *tree, const char *name, char *out, size_t size, reason_t *why)
{
    const char *text = json_get_text (tree, name);
    bool fits = text && *text && strlen (text) < size;

    if (is_absent (tree, name)) {
        return 0;
    }
    for (size_t i = 0; fits && text [i]; i++) {
        fits = isprint ((unsigned char) text [i]) != 0;
    }
    if (!fits) {
        return reason_set (why, -EINVAL, "%s is a text of 1 to %zu printable ASCII characters",
                           name, size - 1);
    }
    snprintf (out, size, "%s", text);
    return 0;
}

static int
read_list (struct json_object *tree, const char *name, struct json_object **list, reason_t *why)
{
    struct json_object *found = json_get_array (tree, name);

    if (is_absent (tree, name)) {
        return 0;
    }
    *list = found;
    return found ? 0 : reason_set (why, -EINVAL, "%s is a list of texts", name);
}

static int
read_filters (monitor_message_t *self, reason_t *why)
{
    self->filters = json_get_object (self->tree, "filters");
    return self->filters || is_absent (self->tree, "filters")
               ? 0
               : reason_set (why, -EINVAL, "filters is an object");
}

static int
read_connect (monitor_message_t *self, reason_t *why)
{
    if (!json_get_bool (self->tree, "request_full_state", &self->full_state) &&
        !is_absent (self->tree, "request_full_state")) {
        return reason_set (why, -EINVAL, "request_full_state is true or false");
    }
    return read_text (self->tree, "last_event_id", self->event_id, sizeof self->event_id, why);
}

static int
read_subscribe (monitor_message_t *self, reason_t *why)
{
    int rc = read_list (self->tree, "subscriptions", &self->topics, why);

    rc = rc < 0 ? rc : read_list (self->tree, "topics", &self->topics, why);
    if (rc == 0 && !self->topics) {
        return reason_set (why, -EINVAL, "topics is missing");
    }
    return rc < 0 ? rc : read_filters (self, why);
}

static int
read_resync (monitor_message_t *self, reason_t *why)
{
    double ms = 0;
    bool timed = json_get_number (self->tree, "last_event_timestamp", &ms);
    int rc = read_text (self->tree, "last_event_id", self->event_id, sizeof self->event_id, why);

    if (rc == 0 && !*self->event_id && (!timed || !(ms >= 0) || ms > (double) INT64_MAX / MS_US)) {
        return reason_set (why, -EINVAL,
                           "last_event_id or last_event_timestamp, in milliseconds since 1970, "
                           "says from where");
    }
    self->timestamp_ms = *self->event_id ? -1 : (int64_t) ms;
    rc = rc < 0 ? rc : read_list (self->tree, "topics", &self->topics, why);
    return rc < 0 ? rc : read_filters (self, why);
}

static int
read_members (monitor_message_t *self, reason_t *why)
{
    int rc = read_text (self->tree, "monitor_id", self->monitor_id, sizeof self->monitor_id, why);

    if (rc < 0) {
        return rc;
    }
    switch (self->type) {
    case MONITOR_CONNECT: return read_connect (self, why);
    case MONITOR_SUBSCRIBE: return read_subscribe (self, why);
    case MONITOR_RESYNC: return read_resync (self, why);
    default: return 0;
    }
}

const char *
monitor_message_read (monitor_message_t *self, const char *text, size_t size, reason_t *why)
{
    *self = (monitor_message_t){.type = MONITOR_TYPE_UNKNOWN, .timestamp_ms = -1};
    if (json_parse (&self->tree, text, size, size, why) < 0) {
        return MONITOR_MALFORMED;
    }
    self->type_name = json_get_text (self->tree, "type");
    if (!self->type_name) {
        (void) reason_set (why, -EINVAL, "a message is an object with a type");
        return MONITOR_MALFORMED;
    }
    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        if (strcmp (TYPES [i].name, self->type_name) == 0) {
            self->type = TYPES [i].type;
        }
    }
    if (self->type == MONITOR_TYPE_UNKNOWN) {
        (void) reason_set (why, -EINVAL,
                           "type: '%.60s' is none of monitor_connect, monitor_subscribe, "
                           "subscribe, heartbeat, resync_request",
                           self->type_name);
        return MONITOR_UNKNOWN_TYPE;
    }
    return read_members (self, why) < 0 ? MONITOR_INVALID : NULL;
}

void
monitor_message_clear (monitor_message_t *self)
{
    json_destroy (&self->tree);
}

//  --- a filter

//  Each text by itself: a comma parts names in a query, not here.
static int
set_list (filter_t *filter, const char *name, struct json_object *list, reason_t *why)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < json_object_array_length (list); i++) {
        struct json_object *item = json_object_array_get_idx (list, i);
        const char *word =
            json_object_is_type (item, json_type_string) ? json_object_get_string (item) : NULL;
        rc = word && !strchr (word, ',') &&
                     strlen (word) == (size_t) json_object_get_string_len (item)
                 ? filter_set (filter, name, word, why)
                 : reason_set (why, -EINVAL, "%s is a list of texts, each one name", name);
    }
    return rc;
}

static int
set_priority (filter_t *filter, struct json_object *range, reason_t *why)
{
    static const char *const BOUNDS [] = {"min_priority", "max_priority"};
    int64_t bounds [2] = {0};
    char text [24];

    for (size_t i = 0; i < 2; i++) {
        struct json_object *item =
            json_object_array_length (range) == 2 ? json_object_array_get_idx (range, i) : NULL;
        if (!json_object_is_type (item, json_type_int)) {
            return reason_set (why, -EINVAL, "priority_range is [least, most], two whole numbers");
        }
        bounds [i] = json_object_get_int64 (item);
        snprintf (text, sizeof text, "%" PRId64, bounds [i]);
        int rc = filter_set (filter, BOUNDS [i], text, why);
        if (rc < 0) {
            return rc;
        }
    }
    return bounds [0] <= bounds [1]
               ? 0
               : reason_set (why, -EINVAL, "priority_range: its least is more than its most");
}

static int
set_filter (filter_t *filter, const char *name, struct json_object *value, reason_t *why)
{
    bool is_range = strcmp (name, "priority_range") == 0;

    if (!is_range && strcmp (name, "job_types") != 0 && strcmp (name, "worker_ids") != 0) {
        return reason_set (why, -EINVAL,
                           "filters: '%.60s' is none of job_types, worker_ids, priority_range",
                           name);
    }
    if (!value) {
        return 0;
    }
    if (!json_object_is_type (value, json_type_array)) {
        return reason_set (why, -EINVAL, "%s is a list", name);
    }
    return is_range ? set_priority (filter, value, why) : set_list (filter, name, value, why);
}

const char *
monitor_message_filter (const monitor_message_t *self, filter_t *filter, reason_t *why)
{
    static const char *const OLD [] = {"job_types", "worker_ids", "min_priority", "max_priority"};
    int rc = 0;

    if (self->topics) {
        filter_want_nothing (filter);
        rc = set_list (filter, "topics", self->topics, why);
    }
    if (self->type == MONITOR_SUBSCRIBE || self->filters) {
        for (size_t i = 0; i < sizeof OLD / sizeof *OLD; i++) {
            (void) filter_unset (filter, OLD [i], why);
        }
    }
    if (rc == 0 && self->filters) {
        json_object_object_foreach (self->filters, name, value)
        {
            rc = rc < 0 ? rc : set_filter (filter, name, value, why);
        }
    }
    return rc < 0 ? MONITOR_INVALID : NULL;
}
