// monitor_form.c - see monitor_form.h.
//
// SPDX-License-Identifier: MIT

#include "monitor_form.h"

#include "scan.h"
#include "websocket.h"

#include <stdio.h>
#include <string.h>

#define TIME_SUFFIX   "_at"
#define JOB_PREFIX    "job."
#define NAME_OF_JOB   "job_id"
#define WORKER_MEMBER "worker_data"

//  What is not by the rule, which is: the type's name with underscores, the data's members as they
//  are, but times of jobs in milliseconds.
static const struct {
    event_type_t type;
    const char *name;   //  null: by the rule
    const char *under;  //  the data stands under this name; null: beside the others
} FORMS [] = {
    {EVENT_WORKER_STATUS_UPDATED, "worker_status_changed", NULL},
    {EVENT_WORKER_SNAPSHOT, NULL, WORKER_MEMBER},
    {EVENT_JOB_STATUS_UPDATED, "job_status_changed", NULL},
    {EVENT_JOB_SUBMITTED, NULL, "job_data"},
    {EVENT_SYSTEM_STATS, NULL, "stats"},
};
#define FORMS_COUNT (sizeof FORMS / sizeof *FORMS)

void
monitor_form_name (event_type_t type, const char *own, char name [MONITOR_NAME_SIZE])
{
    for (size_t row = 0; row < FORMS_COUNT; row++) {
        own = FORMS [row].type == type && FORMS [row].name ? FORMS [row].name : own;
    }
    snprintf (name, MONITOR_NAME_SIZE, "%s", own);
    for (char *dot = name; (dot = strchr (dot, '.'));) {
        *dot = '_';
    }
}

static const char *
place_of (event_type_t type)
{
    for (size_t row = 0; row < FORMS_COUNT; row++) {
        if (FORMS [row].type == type) {
            return FORMS [row].under;
        }
    }
    return NULL;
}

//  --- members

static void
put_as_it_is (json_writer_t *out, const scan_member_t *member)
{
    json_put_raw (out, member->name - 1,
                  (size_t) (member->value + member->value_size - member->name) + 1);
}

static bool
is_time (const scan_member_t *member)
{
    size_t suffix = strlen (TIME_SUFFIX);

    return member->name_size > suffix &&
           memcmp (member->name + member->name_size - suffix, TIME_SUFFIX, suffix) == 0;
}

static int64_t
ms_of (const scan_member_t *member)
{
    char text [CLOCK_TEXT_SIZE + 8];
    time_us_t wall;

    scan_copy (member, text, sizeof text);
    return clock_parse (text, &wall) == 0 ? wall / MS_US : 0;
}

static void
put_of_job (json_writer_t *out, const scan_member_t *member)
{
    int64_t ms = is_time (member) ? ms_of (member) : 0;

    if (ms > 0) {
        char name [MONITOR_NAME_SIZE];
        snprintf (name, sizeof name, "%.*s", (int) member->name_size, member->name);
        json_member_integer (out, name, ms);
    } else {
        put_as_it_is (out, member);
    }
}

static void
put_members (json_writer_t *out, const char *json, size_t size, bool of_job, const char *without)
{
    const char *at = json, *end = json + size;
    scan_member_t member;

    while (scan_next (&at, end, &member)) {
        if (without && scan_is_named (&member, without)) {
            continue;
        }
        if (of_job) {
            put_of_job (out, &member);
        } else {
            put_as_it_is (out, &member);
        }
    }
}

//  --- an event

//  The worker as it was last told, for one that has come; connected_at stands in it.
static void
put_worker (json_writer_t *out, const frame_t *frame, replica_t *replica, const mask_t *mask,
            const scan_member_t *since)
{
    const replica_worker_t *worker = replica ? replica_find (replica, frame->worker_id) : NULL;
    buffer_t snapshot = {0};
    json_writer_t whole = json_writer (&snapshot);

    json_key (out, WORKER_MEMBER);
    json_open_object (out);
    if (worker) {
        replica_write_worker (worker, mask, &whole);
        put_members (out, snapshot.data, snapshot.size, false, NULL);
    } else {
        json_member_text (out, "id", frame->worker_id);
    }
    json_member_raw (out, "connected_at", since->value, since->value_size);
    json_close_object (out);
    out->out->failed |= buffer_failed (&snapshot);
    buffer_clear (&snapshot);
}

static void
put_data (json_writer_t *out, const frame_t *frame, bool of_job, replica_t *replica,
          const mask_t *mask)
{
    size_t size;
    const char *data = frame_data (frame, &size), *under = place_of (frame->type);
    scan_member_t member = {0};

    if (!under) {
        put_members (out, data, size, of_job, NULL);
    } else {
        if (frame->type == EVENT_WORKER_SNAPSHOT) {
            json_member_text (out, "worker_id", frame->worker_id);
        } else if (scan_find (data, size, NAME_OF_JOB, &member)) {
            put_as_it_is (out, &member);
        }
        json_key (out, under);
        json_open_object (out);
        put_members (out, data, size, of_job, NAME_OF_JOB);
        json_close_object (out);
    }
    if (frame->type == EVENT_WORKER_CONNECTED) {
        bool told = scan_find (data, size, "at", &member);
        put_worker (out, frame, replica, mask, told ? &member : &(scan_member_t){0});
    }
}

static bool
find_in_envelope (const frame_t *frame, const char *name, scan_member_t *member)
{
    return scan_find (frame->bytes + frame->json_offset, frame->size - frame->json_offset - 2, name,
                      member);
}

int64_t
monitor_form_time_ms (const frame_t *frame)
{
    scan_member_t member;

    return find_in_envelope (frame, "time", &member) ? ms_of (&member) : 0;
}

static void
write_event (const frame_t *frame, replica_t *replica, const mask_t *mask, buffer_t *out)
{
    static const char ID [] = "id: ";
    json_writer_t json = json_writer (out);
    char own [MONITOR_NAME_SIZE] = "", name [MONITOR_NAME_SIZE];
    scan_member_t member;

    if (find_in_envelope (frame, "type", &member)) {
        scan_copy (&member, own, sizeof own);
    }
    monitor_form_name (frame->type, own, name);
    json_open_object (&json);
    json_member_text (&json, "type", name);
    put_data (&json, frame, strncmp (own, JOB_PREFIX, strlen (JOB_PREFIX)) == 0, replica, mask);
    json_member_integer (&json, "timestamp", monitor_form_time_ms (frame));
    if (frame->id_size > sizeof ID) {
        json_key (&json, "event_id");
        json_put_text_n (&json, frame->bytes + sizeof ID - 1, frame->id_size - sizeof ID);
    }
    json_member_integer (&json, "seq", (int64_t) frame->seq);
    if (find_in_envelope (frame, "source", &member)) {
        put_as_it_is (&json, &member);
    }
    json_close_object (&json);
}

frame_t *
monitor_form (frame_t *frame, replica_t *replica, const mask_t *mask)
{
    char head [WEBSOCKET_HEAD_SIZE];
    //  A frame with nothing to mask is the same for all, but not the snapshot that is put into it.
    frame_t **slot = &frame->monitor [mask && frame->type == EVENT_WORKER_CONNECTED];
    buffer_t json = {0};

    if (!*slot) {
        write_event (frame, replica, mask, &json);
        if (!buffer_failed (&json)) {
            //  Any frame ends with two line ends; behind JSON they mean nothing.
            size_t size = websocket_write_head (head, json.size + 2);
            *slot = frame_sibling (frame, head, size, json.data, json.size);
            frame_keep_form (frame, *slot);
        }
        buffer_clear (&json);
    }
    return *slot;
}

//  --- a full state's jobs

static void
put_records (json_writer_t *out, const scan_member_t *list)
{
    const char *at = list->value, *end = list->value + list->value_size;

    json_open_array (out);
    while (at < end && (*at == '[' || *at == ',') && at + 1 < end && at [1] == '{') {
        const char *record = at + 1;
        at = scan_value (record, end);
        json_open_object (out);
        put_members (out, record, (size_t) (at - record), true, NAME_OF_JOB);
        json_close_object (out);
    }
    json_close_array (out);
}

void
monitor_form_jobs (const char *json, size_t size, json_writer_t *out)
{
    const char *at = json, *end = json + size;
    scan_member_t list;
    char name [MONITOR_NAME_SIZE];

    json_open_object (out);
    while (scan_next (&at, end, &list)) {
        snprintf (name, sizeof name, "%.*s", (int) list.name_size, list.name);
        json_key (out, name);
        put_records (out, &list);
    }
    json_close_object (out);
}
