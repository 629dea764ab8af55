// SPDX-License-Identifier: MIT

#include "cml_observe.h"

#include "../../common/cleanup.h"
#include "cml_activity.h"

#include <stdio.h>
#include <string.h>

#define VERSION_MAX 63  //  bytes of an observation's version

void
cml_found_clear (cml_found_t *self)
{
    json_destroy (&self->information);
    json_destroy (&self->stats);
    json_destroy (&self->health);
    json_destroy (&self->licensing);
    json_destroy (&self->events);
}

void
cml_found_note (cml_found_t *self, cml_fault_t fault, const char *message)
{
    if (self->fault == CML_OK) {
        self->fault = fault;
        reason_set (&self->why, CML_REASON, "%s", message);
    }
}

static bool
says_ready (const cml_found_t *self)
{
    bool ready = false;
    return json_get_bool (self->information, "ready", &ready) && ready;
}

void
cml_found_excuse (cml_found_t *self)
{
    bool is_boot_page = self->fault == CML_PAGE && !self->information;
    bool is_not_up = self->fault == CML_STARTING && !says_ready (self);

    if (is_boot_page || is_not_up) {
        self->is_starting = true;
        self->fault = CML_OK;
    }
}

static size_t
size_of (struct json_object *json)
{
    size_t size = 0;

    if (json) {
        (void) json_object_to_json_string_length (json, JSON_C_TO_STRING_PLAIN, &size);
    }
    return size;
}

//  The tree when there is room for it, else null; *room shrinks.
static struct json_object *
fitting (struct json_object *json, size_t *room)
{
    size_t size = size_of (json);

    if (size > *room) {
        return NULL;
    }
    *room -= size;
    return json;
}

static struct json_object *
due (cml_told_t *told, struct json_object *json, size_t *room, time_us_t now_steady)
{
    struct json_object *fits = fitting (json, room);
    return fits && cml_told_is_due (told, fits, now_steady) ? fits : NULL;
}

void
cml_observe_system (system_observed_t *out, cml_found_t *found, cml_told_t *health,
                    cml_told_t *licensing, time_us_t now_steady)
{
    size_t room = CML_CONTENT_MAX;
    bool ready;
    const char *version = json_get_text (found->information, "version");
    bool answered = found->information || found->stats || found->health;

    out->reachable = answered || found->is_starting ? FLAG_YES : FLAG_NO;
    if (found->is_starting) {
        out->ready = FLAG_NO;
    } else if (json_get_bool (found->information, "ready", &ready)) {
        out->ready = ready ? FLAG_YES : FLAG_NO;
    }
    out->version = version && strlen (version) <= VERSION_MAX ? version : NULL;
    out->system_stats.tree = fitting (found->stats, &room);
    if (found->stats && !out->system_stats.tree) {
        char message [128];
        snprintf (message, sizeof message, "system_stats: %zu bytes are more than a message holds",
                  size_of (found->stats));
        cml_found_note (found, CML_TOO_LARGE, message);
    }
    out->system_health.tree = due (health, found->health, &room, now_steady);
    out->licensing.tree = due (licensing, found->licensing, &room, now_steady);
    if (found->fault != CML_OK) {
        out->error_code = cml_fault_code (found->fault);
        out->error_message = found->why.text;
    }
}

bool
cml_observe_labs (labs_observed_t *out, cml_found_t *found, cml_labs_t *labs,
                  struct json_object **owned_p)
{
    _cleanup_ (json_destroy) struct json_object *array = NULL;

    if (found->fault == CML_OK) {
        array = found->is_starting ? NULL : cml_labs_array (labs);
        if (!array) {
            return false;
        }
        if (size_of (array) > CML_CONTENT_MAX) {
            char message [128];
            snprintf (message, sizeof message, "%zu labs are more than a message holds",
                      cml_labs_count (labs));
            cml_found_note (found, CML_TOO_LARGE, message);
        }
    }
    if (found->fault != CML_OK) {
        out->error_code = cml_fault_code (found->fault);
        out->error_message = found->why.text;
        return true;
    }
    out->labs.tree = *owned_p = take_ptr (array);
    return true;
}

bool
cml_observe_activity (activity_observed_t *out, const cml_found_t *found, const char *account_id,
                      struct json_object **owned_p)
{
    if (found->fault != CML_OK) {
        out->error_code = cml_fault_code (found->fault);
        out->error_message = found->why.text;
        return true;
    }
    if (!found->events) {
        return false;
    }
    cml_activity_t activity = cml_activity_of (found->events, account_id);
    out->last_activity_at = cml_activity_last (&activity);
    out->events.tree = *owned_p = cml_activity_array (&activity);
    return true;
}
