// pretty.c - see pretty.h.
//
// SPDX-License-Identifier: MIT

#include "pretty.h"

#include "../../common/plain.h"

#include <czmq.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define NAMES_MAX  100000  //  learnt; the others are shown by the beginning of their id
#define VALUE_SIZE 200
#define ID_SHOWN   8
#define TYPE_WIDTH 29
#define WHO_WIDTH  16

#define PLAIN  ""
#define RED    "\033[31m"
#define GREEN  "\033[32m"
#define YELLOW "\033[33m"
#define CYAN   "\033[36m"
#define FAINT  "\033[2m"
#define RESET  "\033[0m"

struct pretty {
    bool colour;
    zhashx_t *names;  //  by worker id
};

//  {member} is a value, {*} all that there are but ids and times.
static const struct {
    const char *type, *colour, *form;
} ROWS [] = {
    {"worker.created", GREEN, "{instance_type} {status} in {region}"},
    {"worker.status.updated", YELLOW, "{old_status} -> {new_status}"},
    {"worker.service_status.updated", YELLOW,
     "service {old_service_status} -> {new_service_status}"},
    {"worker.labs.updated", CYAN, "{labs_count} labs"},
    {"worker.lab.state_changed", CYAN, "{element_type} {element_id} of lab {lab_id}: {state}"},
    {"worker.license.updated", YELLOW, "licence {license_status}"},
    {"worker.freshness.changed", YELLOW, "{metric_source} {old} -> {new}: {reason}"},
    {"worker.snapshot", FAINT,
     "{_reason}: {status}, cpu {cpu_utilization} memory {memory_utilization} disk "
     "{disk_utilization}, {cml_labs_count} labs"},
    {"worker.activity.updated", PLAIN, "last used {last_activity_at}"},
    {"worker.idle_detection.toggled", CYAN, "enabled {is_enabled} by {toggled_by}"},
    {"worker.paused", YELLOW, "{pause_reason} by {paused_by}"},
    {"worker.resumed", GREEN, "{resume_reason} by {resumed_by}"},
    {"worker.terminated", RED, "at {terminated_at}"},
    {"worker.connected", GREEN, "its CML answers {reason}"},
    {"worker.disconnected", RED, "its CML does not answer: {reason}"},
    {"job.submitted", CYAN, "{job_type} priority {priority} by {submitted_by}"},
    {"job.assigned", PLAIN, "{job_type} to {runner_id}, try {attempts}"},
    {"job.status.updated", PLAIN, "{job_type} {old_status} -> {new_status}"},
    {"job.progress", FAINT, "{job_type} {progress} % {step}"},
    {"job.completed", GREEN, "{job_type} by {runner_id}"},
    {"job.failed", RED, "{job_type} {error_code}: {error}"},
    {"job.cancelled", YELLOW, "{job_type} by {cancelled_by}"},
    {"alert.raised", RED, "{severity} {rule}: {message}"},
    {"alert.acknowledged", CYAN, "{severity} {rule} by {acknowledged_by}"},
    {"alert.cleared", GREEN, "{severity} {rule}: {reason}"},
    {"collector.joined", GREEN, "{collector_id}"},
    {"collector.left", RED, "{collector_id}: {reason}"},
    {"system.stats", FAINT,
     "{total_workers} workers, {active_workers} active, {pending_jobs} jobs"},
    {"worker.metrics.updated", PLAIN, "{*}"},
    {"worker.metrics.batch", PLAIN, "{count} of metrics"}};
#define ROWS_COUNT (sizeof ROWS / sizeof *ROWS)

static void
name_destroy (void **name_p)
{
    free (*name_p);
    *name_p = NULL;
}

static void *
name_copy (const void *name)
{
    return strdup (name);
}

pretty_t *
pretty_new (bool colour)
{
    pretty_t *self = calloc (1, sizeof *self);

    if (self) {
        self->colour = colour;
        self->names = zhashx_new ();
        zhashx_set_duplicator (self->names, name_copy);
        zhashx_set_destructor (self->names, name_destroy);
    }
    return self;
}

void
pretty_destroy (pretty_t **self_p)
{
    if (*self_p) {
        zhashx_destroy (&(*self_p)->names);
        free (*self_p);
        *self_p = NULL;
    }
}

bool
pretty_wants_colour (int fd)
{
    const char *no = getenv ("NO_COLOR"), *term = getenv ("TERM");

    return (!no || !*no) && term && strcmp (term, "dumb") != 0 && isatty (fd);
}

void
pretty_learn (pretty_t *self, struct json_object *data)
{
    const char *id = json_get_text (data, "worker_id"), *name = json_get_text (data, "name");
    char plain [VALUE_SIZE];

    if (id && name && *name &&
        (zhashx_size (self->names) < NAMES_MAX || zhashx_lookup (self->names, id))) {
        zhashx_update (self->names, id,
                       (void *) (uintptr_t) plain_text (plain, sizeof plain, name));
    }
}

//  --- values

static void
write_value (struct json_object *value, buffer_t *out)
{
    char plain [VALUE_SIZE];
    buffer_t text = {0};

    if (json_object_is_type (value, json_type_string)) {
        buffer_text (out, plain_text (plain, sizeof plain, json_object_get_string (value)));
    } else if (!value) {
        buffer_text (out, "-");
    } else {
        json_writer_t json = json_writer (&text);
        json_put_tree (&json, value);
        buffer_text (out, plain_text (plain, sizeof plain, text.size > 0 ? text.data : ""));
    }
    buffer_clear (&text);
}

//  Not ids and times, which say what the line's beginning says, nor what another member says too.
static bool
is_worth_reading (const char *key, struct json_object *value)
{
    static const char *const PASSED [] = {"worker_id", "id", "job_id", "storage_utilization",
                                          "active_labs_count"};
    size_t size = strlen (key);
    bool worth = !json_object_is_type (value, json_type_object) &&
                 (size < 3 || strcmp (key + size - 3, "_at") != 0);

    for (size_t i = 0; i < sizeof PASSED / sizeof *PASSED; i++) {
        worth = worth && strcmp (key, PASSED [i]) != 0;
    }
    return worth;
}

static void
write_members (struct json_object *data, buffer_t *out)
{
    char plain [VALUE_SIZE];
    const char *before = "";

    if (!json_object_is_type (data, json_type_object)) {
        return;
    }
    json_object_object_foreach (data, key, value)
    {
        if (is_worth_reading (key, value)) {
            buffer_format (out, "%s%s=", before, plain_text (plain, sizeof plain, key));
            write_value (value, out);
            before = " ";
        }
    }
}

static void
write_form (const char *form, struct json_object *data, buffer_t *out)
{
    char key [48];

    while (*form) {
        size_t text = strcspn (form, "{");
        buffer_append (out, form, text);
        form += text;
        if (*form) {
            size_t size = strcspn (form, "}");
            snprintf (key, sizeof key, "%.*s", (int) size - 1, form + 1);
            if (strcmp (key, "*") == 0) {
                write_members (data, out);
            } else {
                write_value (json_get (data, key), out);
            }
            form += size + 1;
        }
    }
}

//  --- the line

//  `10:30:00.123` of the event's own time.
static void
write_time (struct json_object *event, buffer_t *out)
{
    char text [CLOCK_TEXT_SIZE];
    time_us_t time;

    if (json_get_time (event, "time", &time)) {
        buffer_format (out, "%.12s", clock_format (text, time) + 11);
    } else {
        buffer_format (out, "%12s", "-");
    }
}

static void
write_who (const pretty_t *self, struct json_object *data, buffer_t *out)
{
    char plain [VALUE_SIZE];
    const char *id = json_get_text (data, "worker_id"), *job = json_get_text (data, "job_id");
    const char *name = id ? zhashx_lookup (self->names, id) : NULL;
    size_t width;

    if (!name) {
        id = id ? id : job ? job : "-";
        name = plain_text (plain, strlen (id) < ID_SHOWN ? sizeof plain : ID_SHOWN + 1, id);
    }
    width = plain_width (name);
    buffer_format (out, "%s%*s", name, width < WHO_WIDTH ? (int) (WHO_WIDTH - width) : 0, "");
}

void
pretty_write (pretty_t *self, struct json_object *event, buffer_t *out)
{
    const char *type = json_get_text (event, "type"), *colour = "", *form = "{*}";
    struct json_object *data = json_get_object (event, "data");
    char plain [VALUE_SIZE];

    pretty_learn (self, data);
    type = type ? type : "?";
    for (size_t i = 0; i < ROWS_COUNT; i++) {
        if (strcmp (ROWS [i].type, type) == 0) {
            colour = ROWS [i].colour;
            form = ROWS [i].form;
        }
    }
    write_time (event, out);
    buffer_format (out, "  %s%-*s%s  ", self->colour ? colour : "", TYPE_WIDTH,
                   plain_text (plain, sizeof plain, type), self->colour && *colour ? RESET : "");
    write_who (self, data, out);
    buffer_text (out, "  ");
    write_form (form, data, out);
}
