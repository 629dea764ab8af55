// health.c - `cmlwatch health`: is the gateway alive, does it hear the aggregator, who am I to it.
//
// For a script: code 0 when it is alive and ready. Why something is wrong, and what to do about it,
// `cmlwatch doctor` looks for.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/plain.h"
#include "output.h"
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const config_key_t KEYS [] = {COMMAND_JSON_KEYS ("status and body of each answer, by name"),
                                     {0}};

typedef struct finding {
    const char *name, *path;
    bool must;  //  else it may be refused
    int status;
    reply_t reply;
} finding_t;

//  A line: name, status, and the members of the answer.
static void
write_line (const finding_t *finding, buffer_t *out)
{
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    char key_plain [64], plain [200];

    buffer_format (out, "%-8s %d ", finding->name, finding->status);
    if (finding->reply.body.size > 0 &&
        json_parse (&tree, finding->reply.body.data, finding->reply.body.size,
                    finding->reply.body.size, NULL) == 0 &&
        json_object_is_type (tree, json_type_object)) {
        json_object_object_foreach (tree, key, value)
        {
            plain_text (plain, sizeof plain, value ? json_object_get_string (value) : "-");
            buffer_format (out, " %s=%s", plain_text (key_plain, sizeof key_plain, key), plain);
        }
    }
    buffer_text (out, "\n");
}

static void
write_json (const finding_t *findings, size_t count, buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    for (size_t i = 0; i < count; i++) {
        _cleanup_ (json_destroy) struct json_object *tree = NULL;
        const buffer_t *body = &findings [i].reply.body;
        (void) json_parse (&tree, body->size > 0 ? body->data : "", body->size, body->size, NULL);
        json_key (&json, findings [i].name);
        json_open_object (&json);
        json_member_integer (&json, "status", findings [i].status);
        json_key (&json, "body");
        json_put_tree (&json, tree);
        json_close_object (&json);
    }
    json_close_object (&json);
    buffer_text (out, "\n");
}

static int
run (const void *settings, reason_t *why)
{
    const json_settings_t *own = settings;
    _cleanup_ (session_close) session_t session = {0};
    _cleanup_ (buffer_clear) buffer_t out = {0};
    finding_t findings [] = {{.name = "healthz", .path = "/healthz", .must = true},
                             {.name = "readyz", .path = "/readyz", .must = true},
                             {.name = "session", .path = "/api/session"}};
    size_t count = sizeof findings / sizeof *findings;
    bool good = session_open (&session, &own->access, why) == 0;

    for (size_t i = 0; good && i < count; i++) {
        good = session_get (&session, findings [i].path, &findings [i].reply, why) == 0;
        findings [i].status = findings [i].reply.status;
        if (good && !own->json) {
            write_line (&findings [i], &out);
        }
    }
    if (good && own->json) {
        write_json (findings, count, &out);
    }
    good = good && output_print (&out, !buffer_failed (&out), why) == EXIT_SUCCESS;
    for (size_t i = 0; i < count; i++) {
        good = good && (!findings [i].must || findings [i].status == 200);
        reply_clear (&findings [i].reply);
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

const command_t HEALTH = {
    .name = "health",
    .summary = "alive, ready, and who I am to it; code 0 when it is well",
    .keys = KEYS,
    .settings_size = sizeof (json_settings_t),
    .run = run,
};
