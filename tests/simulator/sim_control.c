// SPDX-License-Identifier: MIT

#include "sim_control.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"
#include "labs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BODY_MAX   65536
#define PINS_AHEAD 1000

typedef struct control_call {
    const sim_control_t *control;
    struct json_object *body;  //  of a POST, else null
    const char *id;            //  what stands for {} in the path
    web_answer_t *answer;
    json_writer_t json;
} control_call_t;

//  0, or a negative errno and why, which becomes a 400 (or 404 for -ENOENT).
typedef int control_fn (control_call_t *call, reason_t *why);

//  --- seeing

static void
write_instance (control_call_t *call, const instance_t *instance)
{
    json_writer_t *json = &call->json;
    const world_t *world = call->control->world;

    json_open_object (json);
    json_member_text (json, "instance_id", instance->id);
    json_member_text (json, "region", instance->region);
    json_member_text (json, "account", instance->account);
    json_member_text (json, "name", instance->name);
    json_member_text (json, "state", instance_state_name (instance->state));
    json_member_text (json, "system_status",
                      world_check (world, instance, &instance->system_check));
    json_member_text (json, "instance_status",
                      world_check (world, instance, &instance->instance_check));
    json_member_text (json, "public_ip",
                      instance_has_address (instance) ? instance->public_ip : NULL);
    json_member_text (json, "private_ip", instance->private_ip);
    json_member_text (json, "image_id", instance->image->id);
    json_member_text (json, "instance_type", instance->type->name);
    json_member_text (json, "monitoring", world_monitoring (world, instance));
    json_member_bool (json, "agent", instance->agent != AGENT_NONE);
    json_member_integer (json, "cml_port", cml_server_port (call->control->cml));
    json_member_bool (json, "cml_answers", world_cml_answers (world, instance));
    json_member_text (json, "pin", cml_server_pin (call->control->cml, instance->serial));
    json_member_integer (json, "labs_running", (int64_t) labs_running (&instance->cml));
    json_close_object (json);
}

static int
get_instances (control_call_t *call, reason_t *why)
{
    (void) why;
    json_open_array (&call->json);
    for (size_t slot = 0; slot < world_slots (call->control->world); slot++) {
        const instance_t *instance = world_at (call->control->world, slot);
        if (instance) {
            write_instance (call, instance);
        }
    }
    json_close_array (&call->json);
    return 0;
}

//  Those that are to appear are there too: a collector reads its pins once.
static int
get_pins (control_call_t *call, reason_t *why)
{
    const world_t *world = call->control->world;
    buffer_t *out = &call->answer->body;

    (void) why;
    call->answer->content_type = "text/plain";
    for (size_t slot = 0; slot < world_slots (world); slot++) {
        const instance_t *instance = world_at (world, slot);
        if (instance) {
            buffer_format (out, "%s %s\n", instance->id,
                           cml_server_pin (call->control->cml, instance->serial));
        }
    }
    for (uint64_t next = 0; next < PINS_AHEAD; next++) {
        char id [INSTANCE_ID_SIZE];
        uint64_t serial = world_coming (world, next, id);
        buffer_format (out, "%s %s\n", id, cml_server_pin (call->control->cml, serial));
    }
    return 0;
}

static int
get_calls (control_call_t *call, reason_t *why)
{
    (void) why;
    calls_write (call->control->calls, &call->json);
    return 0;
}

//  --- moving

//  Null and why when there is none.
static instance_t *
find_instance (const control_call_t *call, const char *id, reason_t *why)
{
    instance_t *instance = id ? world_find (call->control->world, id) : NULL;

    if (!instance) {
        reason_set (why, -ENOENT, "there is no instance '%s'; GET /_sim/instances lists them",
                    id ? id : "");
    }
    return instance;
}

static int
set_state (control_call_t *call, instance_t *instance, const char *word, reason_t *why)
{
    instance_state_t state = instance_state_parse (word);

    if (strcmp (word, "vanished") == 0) {
        world_vanish (call->control->world, instance);
        return 0;
    }
    if (state == INSTANCE_STATE_COUNT) {
        return reason_set (why, -EINVAL,
                           "state '%s' is not pending, running, stopping, stopped, shutting-down, "
                           "terminated or vanished",
                           word);
    }
    world_set_state (call->control->world, instance, state);
    return 0;
}

static int
set_check (control_call_t *call, check_t *check, const char *word, reason_t *why)
{
    if (!word) {
        return 0;
    }
    if (strcmp (word, "impaired") == 0) {
        world_impair (call->control->world, check, WORLD_FOR_EVER);
        return 0;
    }
    if (strcmp (word, "ok") == 0) {
        check->impaired = false;
        return 0;
    }
    return reason_set (why, -EINVAL, "status '%s' is not impaired or ok", word);
}

static int
set_monitoring (control_call_t *call, instance_t *instance, const char *word, reason_t *why)
{
    bool enabled = word && strcmp (word, "enabled") == 0;

    if (!word) {
        return 0;
    }
    if (!enabled && strcmp (word, "disabled") != 0) {
        return reason_set (why, -EINVAL, "monitoring '%s' is not enabled or disabled", word);
    }
    world_monitor (call->control->world, instance, enabled);
    return 0;
}

static int
post_instance (control_call_t *call, reason_t *why)
{
    instance_t *instance = find_instance (call, call->id, why);
    const char *state = json_get_text (call->body, "state");
    double load;

    if (!instance) {
        return -ENOENT;
    }
    int rc =
        set_check (call, &instance->system_check, json_get_text (call->body, "system_status"), why);
    rc = rc < 0 ? rc
                : set_check (call, &instance->instance_check,
                             json_get_text (call->body, "instance_status"), why);
    rc = rc < 0 ? rc
                : set_monitoring (call, instance, json_get_text (call->body, "monitoring"), why);
    if (rc == 0 && json_get_number (call->body, "load", &load)) {
        world_load (call->control->world, instance, load, WORLD_FOR_EVER);
    }
    rc = rc < 0 || !state ? rc : set_state (call, instance, state, why);
    json_put_bool (&call->json, true);
    return rc;
}

static int
post_appear (control_call_t *call, reason_t *why)
{
    const instance_t *instance = world_appear (call->control->world);

    if (!instance) {
        return reason_set (why, -ENOSPC, "no slot is left for another instance");
    }
    write_instance (call, instance);
    return 0;
}

static int
post_fault (control_call_t *call, reason_t *why)
{
    const char *api = json_get_text (call->body, "api"), *kind = json_get_text (call->body, "kind");
    const char *id = json_get_text (call->body, "instance");
    fault_t fault = {.count = FAULTS_ALWAYS, .until_steady = FAULTS_ALWAYS};
    int64_t for_ms;

    fault.kind = kind ? fault_kind_parse (kind) : FAULT_NONE;
    if (!api || strlen (api) >= sizeof fault.api || fault.kind == FAULT_NONE) {
        return reason_set (why, -EINVAL, "a fault has an api (an action, cml or *) and a kind: %s",
                           fault_kind_words ());
    }
    if (id && strlen (id) >= sizeof fault.instance) {
        return reason_set (why, -EINVAL, "instance is too long");
    }
    snprintf (fault.api, sizeof fault.api, "%s", api);
    snprintf (fault.instance, sizeof fault.instance, "%s", id ? id : "");
    json_get_integer (call->body, "count", &fault.count);
    json_get_integer (call->body, "delay_ms", &fault.delay_ms);
    if (json_get_integer (call->body, "for_ms", &for_ms)) {
        fault.until_steady = world_now (call->control->world).steady + for_ms * MS_US;
    }
    json_put_bool (&call->json, true);
    return faults_add (call->control->faults, &fault, why);
}

static int
post_lab (control_call_t *call, reason_t *why)
{
    const world_t *world = call->control->world;
    const char *title = json_get_text (call->body, "lab");
    const char *word = json_get_text (call->body, "state");
    lab_state_t state = word ? lab_state_parse (word) : LAB_STATE_COUNT;
    bool remove = word && strcmp (word, "REMOVED") == 0;
    time_us_t wall = world_now (world).wall;
    instance_t *instance = find_instance (call, json_get_text (call->body, "instance"), why);

    if (!instance) {
        return -ENOENT;
    }
    if (!title || strlen (title) >= LAB_TITLE_SIZE || (state == LAB_STATE_COUNT && !remove)) {
        return reason_set (why, -EINVAL,
                           "a lab has a title (1 to 64 characters) as lab, and as "
                           "state DEFINED_ON_CORE, STOPPED, STARTED or REMOVED");
    }
    lab_t *lab = labs_find (&instance->cml, title);
    if (!lab && !remove) {
        lab = labs_import (&instance->cml, instance->key, title, wall);
    }
    if (!lab) {
        return reason_set (why, -ENOENT, "no such lab, or %d labs already", LABS_MAX);
    }
    if (remove) {
        labs_remove (&instance->cml, lab);
    } else {
        labs_set (&instance->cml, lab, state, world_elapsed (world), wall);
    }
    json_put_bool (&call->json, true);
    return 0;
}

//  Temporary keys: how long those live that are given from now on, and the end of those before.
static int
post_keys (control_call_t *call, reason_t *why)
{
    int64_t seconds;
    bool expire = false;

    (void) why;
    if (json_get_integer (call->body, "seconds", &seconds)) {
        keys_set_seconds (call->control->keys, seconds);
    }
    if (json_get_bool (call->body, "expire", &expire) && expire) {
        keys_expire (call->control->keys, world_now (call->control->world).wall);
    }
    json_put_bool (&call->json, true);
    return 0;
}

//  The moment is real time, of just before it is sent.
static int
post_push (control_call_t *call, reason_t *why)
{
    const instance_t *instance = find_instance (call, json_get_text (call->body, "instance"), why);
    struct json_object *message = json_get_object (call->body, "message");
    size_t size = 0;

    if (!instance) {
        return -ENOENT;
    }
    if (!message) {
        return reason_set (why, -EINVAL, "message is to be the object that is sent");
    }
    const char *text = json_object_to_json_string_length (message, JSON_C_TO_STRING_PLAIN, &size);
    time_us_t at = clock_now ().wall;
    json_open_object (&call->json);
    json_member_integer (&call->json, "at_us", at);
    json_member_integer (&call->json, "listeners",
                         (int64_t) cml_server_push (call->control->cml, instance, text, size));
    json_close_object (&call->json);
    return 0;
}

static int
post_reset (control_call_t *call, reason_t *why)
{
    (void) why;
    faults_clear (call->control->faults);
    calls_clear (call->control->calls);
    json_put_bool (&call->json, true);
    return 0;
}

// clang-format off
static const struct {
    const char *method, *path;  //  a path that ends in '/' is followed by an id
    control_fn *handler;
} ROUTES [] = {
    {"GET",  "instances",  get_instances},
    {"GET",  "pins",       get_pins},
    {"GET",  "calls",      get_calls},
    {"POST", "instances/", post_instance},
    {"POST", "instances",  post_appear},
    {"POST", "faults",     post_fault},
    {"POST", "labs",       post_lab},
    {"POST", "keys",       post_keys},
    {"POST", "push",       post_push},
    {"POST", "reset",      post_reset},
};
// clang-format on

//  --- one request

static control_fn *
find_handler (control_call_t *call, const char *method, const char *path)
{
    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES [0]; i++) {
        size_t length = strlen (ROUTES [i].path);
        bool has_id = ROUTES [i].path [length - 1] == '/';
        if (strcmp (ROUTES [i].method, method) == 0 &&
            strncmp (ROUTES [i].path, path, length) == 0 &&
            (has_id ? path [length] != '\0' : path [length] == '\0')) {
            call->id = path + length;
            return ROUTES [i].handler;
        }
    }
    return NULL;
}

static void
refuse (control_call_t *call, int status, const char *text)
{
    buffer_reset (&call->answer->body);
    json_writer_t json = json_writer (&call->answer->body);

    call->answer->status = status;
    json_open_object (&json);
    json_member_text (&json, "error", text);
    json_close_object (&json);
}

void
sim_control_handle (const sim_control_t *self, const web_request_t *request, web_answer_t *answer)
{
    const sigv4_request_t *http = &request->http;
    control_call_t call = {.control = self, .answer = answer, .json = json_writer (&answer->body)};
    _cleanup_ (json_destroy) struct json_object *body = NULL;
    reason_t why = {0};

    answer->content_type = "application/json";
    if (!web_is_loopback (request->peer)) {
        refuse (&call, 403, "the control of the simulator is for this machine only");
        return;
    }
    control_fn *handler =
        find_handler (&call, http->method, http->path + strlen (SIM_CONTROL_PATH));
    if (!handler) {
        refuse (&call, 404, "no such request; tests/simulator/README.md lists them");
        return;
    }
    if (http->body_size > 0 &&
        json_parse (&body, http->body, http->body_size, BODY_MAX, &why) < 0) {
        refuse (&call, 400, why.text);
        return;
    }
    call.body = body;
    int rc = handler (&call, &why);
    if (rc < 0) {
        refuse (&call, rc == -ENOENT ? 404 : 400, why.text);
    }
    cml_server_refresh (self->cml);
}
