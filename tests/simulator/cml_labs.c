// cml_labs.c - what a simulated CML says of its labs and of what was done to them.
//
// SPDX-License-Identifier: MIT

#include "cml_call.h"

#include "labs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define INTERFACES_OF_LINK 2

static const struct {
    const char *username, *fullname;
} OWNERS [] = {{"student01", "Ada Lovelace"},
               {"student02", "Paul Baran"},
               {"instructor", "Radia Perlman"},
               {"exam", "Exam \"proctor\" <1>"}};

void
cml_put_time (cml_call_t *call, const char *key, time_us_t wall)
{
    char text [40];
    time_t seconds = (time_t) (wall / SECOND_US);
    struct tm parts;

    json_key (&call->json, key);
    if (wall == TIME_UNKNOWN) {
        json_put_null (&call->json);
        return;
    }
    gmtime_r (&seconds, &parts);
    strftime (text, sizeof text, "%Y-%m-%dT%H:%M:%S+00:00", &parts);
    json_put_text (&call->json, text);
}

//  show_all adds the labs of others; ours is an admin's account, which sees all, and here
//  all belong to others.
void
cml_labs (cml_call_t *call)
{
    const cml_t *cml = &call->instance->cml;
    bool all = strstr (call->request->http.query, "show_all=true") != NULL;

    json_open_array (&call->json);
    for (size_t i = 0; all && i < cml->lab_count; i++) {
        char id [NOISE_UUID_SIZE];
        noise_uuid (id, cml->labs [i].key);
        json_put_text (&call->json, id);
    }
    json_close_array (&call->json);
}

void
cml_lab (cml_call_t *call)
{
    json_writer_t *json = &call->json;
    const lab_t *lab = call->lab;
    size_t owner = (lab->key >> 40) % (sizeof OWNERS / sizeof OWNERS [0]);
    char owner_id [NOISE_UUID_SIZE];

    noise_uuid (owner_id, noise_key (call->instance->key, owner));
    json_open_object (json);
    json_member_text (json, "id", call->lab_id);
    cml_put_time (call, "created", lab->created_wall);
    cml_put_time (call, "modified", lab->modified_wall);
    json_member_text (json, "lab_title", lab->title);
    json_member_text (json, "lab_description", "");
    json_member_text (json, "lab_notes", "");
    json_member_text (json, "owner", owner_id);
    json_member_text (json, "owner_username", OWNERS [owner].username);
    json_member_text (json, "owner_fullname", OWNERS [owner].fullname);
    json_member_text (json, "state", lab_state_name (lab->state));
    json_member_integer (json, "node_count", lab->nodes);
    json_member_integer (json, "link_count", lab->links);
    json_key (json, "groups");
    json_open_array (json);
    json_close_array (json);
    json_key (json, "effective_permissions");
    json_open_array (json);
    json_put_text (json, "lab_admin");
    json_put_text (json, "lab_edit");
    json_put_text (json, "lab_exec");
    json_put_text (json, "lab_view");
    json_close_array (json);
    json_close_object (json);
}

void
cml_lab_state (cml_call_t *call)
{
    json_put_text (&call->json, lab_state_name (call->lab->state));
}

//  What kind of element a key is for, so that no two of a lab share an id.
typedef enum element { ELEMENT_NODE = 1, ELEMENT_LINK, ELEMENT_INTERFACE } element_t;

static void
element_id (const lab_t *lab, element_t element, int64_t number, char id [NOISE_UUID_SIZE])
{
    noise_uuid (id, noise_key (lab->key, (uint64_t) element << 32 | (uint64_t) number));
}

void
cml_node_id (const lab_t *lab, int64_t node, char id [NOISE_UUID_SIZE])
{
    element_id (lab, ELEMENT_NODE, node, id);
}

static void
write_elements (cml_call_t *call, const char *key, element_t element, int64_t count)
{
    time_us_t elapsed = world_elapsed (call->parts->world);
    const lab_t *lab = call->lab;

    json_key (&call->json, key);
    json_open_object (&call->json);
    for (int64_t i = 0; i < count; i++) {
        char id [NOISE_UUID_SIZE];
        element_id (lab, element, i, id);
        json_member_text (&call->json, id,
                          element == ELEMENT_NODE ? labs_node_state (lab, i, elapsed)
                                                  : lab_state_name (lab->state));
    }
    json_close_object (&call->json);
}

void
cml_lab_element_state (cml_call_t *call)
{
    json_open_object (&call->json);
    write_elements (call, "nodes", ELEMENT_NODE, call->lab->nodes);
    write_elements (call, "links", ELEMENT_LINK, call->lab->links);
    write_elements (call, "interfaces", ELEMENT_INTERFACE, call->lab->links * INTERFACES_OF_LINK);
    json_close_object (&call->json);
}

static void
write_activity (cml_call_t *call, const activity_t *activity)
{
    json_writer_t *json = &call->json;

    json_open_object (json);
    json_member_text (json, "category", activity->category);
    cml_put_time (call, "timestamp", activity->wall);
    json_key (json, "data");
    json_open_object (json);
    if (activity->lab_key) {
        char id [NOISE_UUID_SIZE];
        noise_uuid (id, activity->lab_key);
        json_member_text (json, "lab_id", id);
    } else {
        json_member_text (json, "user_id", CML_USER_ID);
    }
    json_close_object (json);
    json_close_object (json);
}

void
cml_telemetry_events (cml_call_t *call)
{
    const cml_t *cml = &call->instance->cml;
    uint64_t first =
        cml->activity_count > ACTIVITIES_MAX ? cml->activity_count - ACTIVITIES_MAX : 0;

    json_open_array (&call->json);
    for (uint64_t number = first; number < cml->activity_count; number++) {
        write_activity (call, &cml->activities [number % ACTIVITIES_MAX]);
    }
    json_close_array (&call->json);
}
