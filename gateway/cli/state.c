// state.c - `cmlwatch state`: the fleet in numbers, and where in the stream they stand.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/plain.h"
#include "output.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>

static const config_key_t KEYS [] = {
    COMMAND_JSON_KEYS ("all of GET /api/state, workers and jobs too"), {0}};

#define LABEL_WIDTH 16

static void
write_line (buffer_t *out, const char *label, struct json_object *value)
{
    char plain [200];

    plain_text (plain, sizeof plain, value ? json_object_get_string (value) : "-");
    buffer_format (out, "%-*s %s\n", LABEL_WIDTH, label, plain);
}

static void
write_counts (buffer_t *out, const char *label, struct json_object *counts)
{
    char plain [100];

    buffer_format (out, "%-*s", LABEL_WIDTH, label);
    if (json_object_is_type (counts, json_type_object)) {
        json_object_object_foreach (counts, name, number)
        {
            buffer_format (out, " %s %lld", plain_text (plain, sizeof plain, name),
                           (long long) json_object_get_int64 (number));
        }
    }
    buffer_text (out, "\n");
}

static void
write_state (struct json_object *state, buffer_t *out)
{
    static const struct {
        const char *label, *key;
    } NUMBERS [] = {{"workers", "total_workers"},   {"active workers", "active_workers"},
                    {"jobs", "total_jobs"},         {"pending jobs", "pending_jobs"},
                    {"active jobs", "active_jobs"}, {"completed jobs", "completed_jobs"},
                    {"failed jobs", "failed_jobs"}};
    struct json_object *stats = json_get_object (state, "system_stats");

    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++) {
        write_line (out, NUMBERS [i].label, json_get (stats, NUMBERS [i].key));
    }
    write_counts (out, "by status", json_get (stats, "by_status"));
    write_counts (out, "by region", json_get (stats, "by_region"));
    write_line (out, "last event", json_get (state, "last_event_id"));
    write_line (out, "digest", json_get (state, "digest"));
}

static int
run (const void *settings, reason_t *why)
{
    const json_settings_t *own = settings;
    _cleanup_ (session_close) session_t session = {0};
    _cleanup_ (json_destroy) struct json_object *state = NULL;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    if (session_open (&session, &own->access, why) < 0 ||
        session_get_json (&session, "/api/state", &state, why) < 0) {
        return EXIT_FAILURE;
    }
    if (own->json) {
        json_writer_t json = json_writer (&out);
        json_put_tree (&json, state);
        buffer_text (&out, "\n");
    } else {
        write_state (state, &out);
    }
    return output_print (&out, !buffer_failed (&out), why);
}

const command_t STATE = {
    .name = "state",
    .summary = "the fleet in numbers, and the id of the last event they cover",
    .keys = KEYS,
    .settings_size = sizeof (json_settings_t),
    .run = run,
};
