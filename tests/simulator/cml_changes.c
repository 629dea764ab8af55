// SPDX-License-Identifier: MIT

#include "cml_changes.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"
#include "cml_call.h"

#include <string.h>

typedef struct telling {
    cml_change_fn *fn;
    void *argument;
} telling_t;

static void
put_id (json_writer_t *json, const char *key, uint64_t lab_key)
{
    char id [NOISE_UUID_SIZE];

    noise_uuid (id, lab_key);
    json_member_text (json, key, id);
}

//  lab null: it is gone, and its id all that is known.
static void
tell_lab (const telling_t *to, const char *event, uint64_t key, const lab_t *lab)
{
    _cleanup_ (buffer_clear) buffer_t message = {0};
    json_writer_t json = json_writer (&message);

    if (!to->fn) {
        return;
    }
    json_open_object (&json);
    json_member_text (&json, "event_type", "lab_event");
    json_member_text (&json, "event", event);
    put_id (&json, "lab_id", key);
    json_key (&json, "data");
    json_open_object (&json);
    if (lab) {
        json_member_text (&json, "state", lab_state_name (lab->state));
        json_member_text (&json, "lab_title", lab->title);
    }
    json_close_object (&json);
    json_close_object (&json);
    to->fn (to->argument, &message);
}

static void
tell_node (const telling_t *to, const lab_t *lab, int64_t node, const char *state)
{
    _cleanup_ (buffer_clear) buffer_t message = {0};
    json_writer_t json = json_writer (&message);
    char id [NOISE_UUID_SIZE];

    if (!to->fn) {
        return;
    }
    cml_node_id (lab, node, id);
    json_open_object (&json);
    json_member_text (&json, "event_type", "state_change");
    json_member_text (&json, "element_type", "node");
    json_member_text (&json, "element_id", id);
    json_member_text (&json, "event", state);
    put_id (&json, "lab_id", lab->key);
    json_close_object (&json);
    to->fn (to->argument, &message);
}

//  Null for a lab that is new.
static const cml_told_lab_t *
find_told (const cml_told_labs_t *told, uint64_t key)
{
    for (size_t i = 0; i < told->count; i++) {
        if (told->labs [i].key == key) {
            return &told->labs [i];
        }
    }
    return NULL;
}

static bool
is_there (const cml_t *cml, uint64_t key)
{
    for (size_t i = 0; i < cml->lab_count; i++) {
        if (cml->labs [i].key == key) {
            return true;
        }
    }
    return false;
}

//  What a lab looks like now, told as far as it differs.
static cml_told_lab_t
tell_changes (const telling_t *to, const lab_t *lab, const cml_told_lab_t *before,
              time_us_t elapsed)
{
    cml_told_lab_t now = {
        .key = lab->key, .state = lab->state, .modified_wall = lab->modified_wall};

    if (!before) {
        tell_lab (to, "created", lab->key, lab);
    }
    if (before ? before->state != lab->state : lab->state != LAB_DEFINED) {
        tell_lab (to, "state", lab->key, lab);
    } else if (before && before->modified_wall != lab->modified_wall) {
        tell_lab (to, "modified", lab->key, lab);
    }
    for (int64_t i = 0; i < lab->nodes && i < CML_NODES_MAX; i++) {
        now.nodes [i] = labs_node_state (lab, i, elapsed);
        if (before && strcmp (now.nodes [i], before->nodes [i]) != 0) {
            tell_node (to, lab, i, now.nodes [i]);
        }
    }
    return now;
}

void
cml_changes_tell (cml_told_labs_t *told, const cml_t *cml, time_us_t elapsed, cml_change_fn *fn,
                  void *argument)
{
    const telling_t to = {fn, argument};
    cml_told_labs_t now = {.count = cml->lab_count};

    for (size_t i = 0; i < told->count; i++) {
        if (!is_there (cml, told->labs [i].key)) {
            tell_lab (&to, "deleted", told->labs [i].key, NULL);
        }
    }
    for (size_t i = 0; i < cml->lab_count; i++) {
        const lab_t *lab = &cml->labs [i];
        now.labs [i] = tell_changes (&to, lab, find_told (told, lab->key), elapsed);
    }
    *told = now;
}
