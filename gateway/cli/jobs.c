// jobs.c - `cmlwatch jobs`: open and recent jobs, a row each.
//
// A gateway without GET /api/jobs still tells the open ones in its state.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/plain.h"
#include "../../common/text_table.h"
#include "output.h"
#include "pages.h"
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PRIORITY_MOST 1000000

typedef struct settings {
    access_t access;
    char status [CONFIG_TEXT_SIZE], job_types [CONFIG_TEXT_SIZE], worker_ids [CONFIG_TEXT_SIZE];
    int64_t min_priority, max_priority;
    bool json;
} settings_t;

// clang-format off
static const config_key_t KEYS [] = {
    COMMAND_KEYS (settings_t),
    {"status",       CONFIG_TEXT,    offsetof (settings_t, status),       "",         0, 0, NULL, "only in these, apart by commas: pending, assigned, in_progress, completed, failed, cancelled"},
    {"job_types",    CONFIG_TEXT,    offsetof (settings_t, job_types),    "",         0, 0, NULL, "only these, apart by commas"},
    {"worker_ids",   CONFIG_TEXT,    offsetof (settings_t, worker_ids),   "",         0, 0, NULL, "only of these, apart by commas"},
    {"min_priority", CONFIG_INTEGER, offsetof (settings_t, min_priority), "-1000000", -PRIORITY_MOST, PRIORITY_MOST, NULL, "only from this priority on"},
    {"max_priority", CONFIG_INTEGER, offsetof (settings_t, max_priority), "1000000",  -PRIORITY_MOST, PRIORITY_MOST, NULL, "only up to this priority"},
    {"json",         CONFIG_FLAG,    offsetof (settings_t, json),         "no",       0, 0, NULL, "the jobs, as {\"jobs\": [...]}"},
    {0},
};
// clang-format on

static const text_column_t COLUMNS [] = {
    {"ID", false},   {"TYPE", false}, {"STATUS", false}, {"PRIO", true}, {"WORKER", false},
    {"DONE%", true}, {"TRIES", true}, {"AGE", true},     {"BY", false},  {"ERROR", false}};
#define COLUMNS_COUNT (sizeof COLUMNS / sizeof *COLUMNS)

typedef struct list {
    const settings_t *own;
    struct json_object *jobs;
} list_t;

static void
take (void *argument, struct json_object *job)
{
    list_t *self = argument;
    const settings_t *own = self->own;
    const char *status = json_get_text (job, "status"), *type = json_get_text (job, "job_type");
    const char *worker = json_get_text (job, "worker_id");
    int64_t priority = 0;

    (void) json_get_integer (job, "priority", &priority);
    if (words_have (own->status, status ? status : "") &&
        words_have (own->job_types, type ? type : "") &&
        words_have (own->worker_ids, worker ? worker : "") && priority >= own->min_priority &&
        priority <= own->max_priority) {
        json_object_array_add (self->jobs, json_object_get (job));
    }
}

static int
take_of_state (session_t *session, list_t *list, reason_t *why)
{
    static const char *const STATES [] = {"pending", "active", "completed", "failed"};
    _cleanup_ (json_destroy) struct json_object *state = NULL;
    int rc = session_get_json (session, "/api/state", &state, why);
    struct json_object *jobs = json_get_object (state, "jobs");

    for (size_t i = 0; rc == 0 && i < sizeof STATES / sizeof *STATES; i++) {
        struct json_object *some = json_get_array (jobs, STATES [i]);
        for (size_t j = 0; some && j < json_object_array_length (some); j++) {
            take (list, json_object_array_get_idx (some, j));
        }
    }
    if (rc == 0) {
        fputs ("cmlwatch: this gateway has no /api/jobs; these are the jobs of its state\n",
               stderr);
    }
    return rc;
}

static void
add_number (text_table_t *table, struct json_object *job, const char *key)
{
    char text [32] = "";
    int64_t number;

    if (json_get_integer (job, key, &number)) {
        snprintf (text, sizeof text, "%lld", (long long) number);
    }
    text_table_add (table, text);
}

static void
add_age (text_table_t *table, struct json_object *job, time_us_t now)
{
    char span [PLAIN_SPAN_SIZE] = "";
    time_us_t created;

    if (json_get_time (job, "created_at", &created)) {
        plain_span (span, now - created);
    }
    text_table_add (table, span);
}

//  A text, or an object with a sentence in it.
static const char *
error_of (struct json_object *job)
{
    struct json_object *error = json_get_object (job, "error");

    return error ? json_get_text (error, "message") : json_get_text (job, "error");
}

static bool
write_table (struct json_object *jobs, buffer_t *out)
{
    _cleanup_ (text_table_destroy) text_table_t *table = text_table_new (COLUMNS, COLUMNS_COUNT);
    time_us_t now = clock_now ().wall;

    for (size_t i = 0; table && i < json_object_array_length (jobs); i++) {
        struct json_object *job = json_object_array_get_idx (jobs, i);
        text_table_add (table, json_get_text (job, "id"));
        text_table_add (table, json_get_text (job, "job_type"));
        text_table_add (table, json_get_text (job, "status"));
        add_number (table, job, "priority");
        text_table_add (table, json_get_text (job, "worker_id"));
        add_number (table, job, "progress");
        add_number (table, job, "attempts");
        add_age (table, job, now);
        text_table_add (table, json_get_text (job, "submitted_by"));
        text_table_add (table, error_of (job));
    }
    return table && text_table_write (table, out);
}

static bool
write_json (struct json_object *jobs, buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_key (&json, "jobs");
    json_put_tree (&json, jobs);
    json_close_object (&json);
    buffer_text (out, "\n");
    return !buffer_failed (out);
}

static int
run (const void *settings, reason_t *why)
{
    const settings_t *own = settings;
    _cleanup_ (session_close) session_t session = {0};
    _cleanup_ (json_destroy) struct json_object *jobs = json_object_new_array ();
    _cleanup_ (buffer_clear) buffer_t out = {0};
    list_t list = {.own = own, .jobs = jobs};

    if (session_open (&session, &own->access, why) < 0) {
        return EXIT_FAILURE;
    }
    int rc = pages_each (&session, "/api/jobs", "jobs", take, &list, why);
    if (rc == -ENOENT) {
        why->text [0] = '\0';
        rc = take_of_state (&session, &list, why);
    }
    if (rc < 0) {
        return EXIT_FAILURE;
    }
    return output_print (&out, own->json ? write_json (jobs, &out) : write_table (jobs, &out), why);
}

const command_t JOBS = {
    .name = "jobs",
    .summary = "the jobs, open and recent",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
    .run = run,
};
