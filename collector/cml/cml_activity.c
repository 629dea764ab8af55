// SPDX-License-Identifier: MIT

#include "cml_activity.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <string.h>

#define USER_ACTIVITY "user_activity"

static const char *const CATEGORIES [] = {
    "start_lab", "stop_lab",   "create_lab", "import_lab", "export_lab", "delete_lab",
    "wipe_node", "start_node", "stop_node",  "queue_node", "boot_node",  USER_ACTIVITY,
};

static const char *
category_of (struct json_object *event)
{
    const char *name = json_get_text (event, "category");

    for (size_t i = 0; name && i < sizeof CATEGORIES / sizeof *CATEGORIES; i++) {
        if (strcmp (name, CATEGORIES [i]) == 0) {
            return CATEGORIES [i];
        }
    }
    return NULL;
}

//  Of an account that nobody has named nothing can be said: it counts.
static bool
is_somebodys (struct json_object *event, const char *account_id)
{
    const char *user = json_get_text (json_get_object (event, "data"), "user_id");

    if (!user) {
        user = json_get_text (event, "user_id");
    }
    if (!user) {
        return true;
    }
    return strncmp (user, CML_ACTIVITY_BUILT_IN, strlen (CML_ACTIVITY_BUILT_IN)) != 0 &&
           !(*account_id && strcmp (user, account_id) == 0);
}

static void
insert (cml_activity_t *self, const cml_event_t *event)
{
    size_t place = self->count;

    while (place > 0 && self->newest [place - 1].time < event->time) {
        place--;
    }
    if (place == CML_ACTIVITY_NEWEST) {
        return;
    }
    self->count += self->count < CML_ACTIVITY_NEWEST;
    memmove (&self->newest [place + 1], &self->newest [place],
             (self->count - place - 1) * sizeof *event);
    self->newest [place] = *event;
}

cml_activity_t
cml_activity_of (struct json_object *events, const char *account_id)
{
    cml_activity_t self = {0};
    size_t count =
        json_object_is_type (events, json_type_array) ? json_object_array_length (events) : 0;

    for (size_t i = 0; i < count; i++) {
        struct json_object *item = json_object_array_get_idx (events, i);
        cml_event_t event = {.category = category_of (item)};
        if (!event.category || !json_get_time (item, "timestamp", &event.time)) {
            continue;
        }
        if (strcmp (event.category, USER_ACTIVITY) == 0 && !is_somebodys (item, account_id)) {
            continue;
        }
        insert (&self, &event);
    }
    return self;
}

time_us_t
cml_activity_last (const cml_activity_t *self)
{
    return self->count > 0 ? self->newest [0].time : TIME_UNKNOWN;
}

static struct json_object *
event_row (const cml_event_t *event)
{
    _cleanup_ (json_destroy) struct json_object *row = json_object_new_object ();
    char time [CLOCK_TEXT_SIZE];

    if (!row ||
        json_object_object_add (row, "category", json_object_new_string (event->category)) != 0 ||
        json_object_object_add (row, "timestamp",
                                json_object_new_string (clock_format (time, event->time))) != 0) {
        return NULL;
    }
    return take_ptr (row);
}

struct json_object *
cml_activity_array (const cml_activity_t *self)
{
    _cleanup_ (json_destroy) struct json_object *array = json_object_new_array ();

    for (size_t i = 0; array && i < self->count; i++) {
        struct json_object *row = event_row (&self->newest [i]);
        if (!row || json_object_array_add (array, row) != 0) {
            json_destroy (&row);
            return NULL;
        }
    }
    return take_ptr (array);
}
