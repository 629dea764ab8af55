// SPDX-License-Identifier: MIT

#include "cml_ui.h"

#include "../../common/cleanup.h"
#include "cml_call.h"
#include "cml_changes.h"
#include "websocket.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOGIN_US    (10 * SECOND_US)
#define CLOSE_LOGIN 3000
#define BODY_MAX    65536
#define HUGE_BYTES  ((size_t) 8 << 20)
#define SPOILT                                                                    \
    (1u << FAULT_PUSH_REFUSE | 1u << FAULT_PUSH_GARBAGE | 1u << FAULT_PUSH_TEXT | \
     1u << FAULT_PUSH_FRAGMENT | 1u << FAULT_PUSH_HUGE | 1u << FAULT_PUSH_CUT)

typedef struct client client_t;

struct client {
    cml_ui_t *ui;
    websocket_t *socket;
    size_t slot;                  //  of its instance
    uint64_t serial;              //  the same
    char *token;                  //  null: not logged in
    bool refused;                 //  its token is not good
    uint64_t epoch;               //  of tokens, when it was looked at last
    time_us_t opened, stats_due;  //  steady
    cml_told_labs_t told;
    client_t *next;
};

struct cml_ui {
    loop_t *loop;
    cml_parts_t parts;
    client_t *clients;
};

static moment_t
now_of (const cml_ui_t *self)
{
    return world_now (self->parts.world);
}

//  Null when it is gone.
static instance_t *
instance_of (const client_t *client)
{
    instance_t *instance = world_at (client->ui->parts.world, client->slot);
    return instance && instance->serial == client->serial ? instance : NULL;
}

//  --- what is sent, or spoilt

static void
spoil (client_t *client, fault_kind_t kind, const char *text, size_t size)
{
    static const char NO_FRAME [] = "\xf3\x7f no frame has all of these bits";
    static const char NO_JSON [] = "not json at all {{{";
    static const char BEGUN [] = "\x81\x7e\x10\x00 a frame of 4096 bytes";

    switch (kind) {
    case FAULT_PUSH_REFUSE: websocket_close (client->socket, CLOSE_LOGIN); break;
    case FAULT_PUSH_GARBAGE:
        websocket_send_bytes (client->socket, NO_FRAME, sizeof NO_FRAME);
        break;
    case FAULT_PUSH_TEXT: websocket_send (client->socket, NO_JSON, strlen (NO_JSON)); break;
    case FAULT_PUSH_FRAGMENT: websocket_send_fragments (client->socket, text, size); break;
    case FAULT_PUSH_HUGE: {
        _cleanup_ (string_destroy) char *huge = malloc (HUGE_BYTES);
        if (huge) {
            memset (huge, 'A', HUGE_BYTES);
            websocket_send (client->socket, huge, HUGE_BYTES);
        }
        break;
    }
    case FAULT_PUSH_CUT:
        websocket_send_bytes (client->socket, BEGUN, sizeof BEGUN);
        websocket_destroy (&client->socket);
        break;
    default: break;
    }
}

static void
say (client_t *client, const instance_t *instance, const char *text, size_t size)
{
    const cml_parts_t *parts = &client->ui->parts;
    time_us_t steady = now_of (client->ui).steady;
    fault_t fault;

    if (!client->socket) {
        return;
    }
    if (faults_take (parts->faults, CML_UI_PATH, instance->id, SPOILT, steady, &fault)) {
        calls_count (parts->calls, "faults", fault_kind_name (fault.kind));
        spoil (client, fault.kind, text, size);
    } else {
        websocket_send (client->socket, text, size);
    }
}

//  --- stats

static void
say_system_stats (client_t *client, instance_t *instance)
{
    web_answer_t answer = {0};
    cml_call_t call = {.parts = &client->ui->parts,
                       .instance = instance,
                       .answer = &answer,
                       .json = json_writer (&answer.body)};

    json_open_object (&call.json);
    json_member_text (&call.json, "event_type", "system_stats");
    json_key (&call.json, "data");
    cml_system_stats (&call);
    json_close_object (&call.json);
    say (client, instance, answer.body.data, answer.body.size);
    buffer_clear (&answer.body);
}

static void
say_lab_stats (client_t *client, const instance_t *instance, const lab_t *lab)
{
    _cleanup_ (buffer_clear) buffer_t message = {0};
    json_writer_t json = json_writer (&message);
    char id [NOISE_UUID_SIZE];

    noise_uuid (id, lab->key);
    json_open_object (&json);
    json_member_text (&json, "event_type", "lab_stats");
    json_member_text (&json, "lab_id", id);
    json_key (&json, "data");
    json_open_object (&json);
    json_key (&json, "nodes");
    json_open_object (&json);
    json_close_object (&json);
    json_key (&json, "links");
    json_open_object (&json);
    json_close_object (&json);
    json_close_object (&json);
    json_close_object (&json);
    say (client, instance, message.data, message.size);
}

static void
say_stats (client_t *client, instance_t *instance)
{
    const cml_t *cml = &instance->cml;

    client->stats_due = now_of (client->ui).steady + client->ui->parts.stats_ms * MS_US;
    say_system_stats (client, instance);
    for (size_t i = 0; i < cml->lab_count; i++) {
        if (cml->labs [i].state == LAB_STARTED) {
            say_lab_stats (client, instance, &cml->labs [i]);
        }
    }
}

//  --- one client

static void
client_destroy (client_t **self_p)
{
    client_t *self = take_ptr (*self_p);

    if (self) {
        websocket_destroy (&self->socket);
        free (self->token);
        free (self);
    }
}

static void
check_token (client_t *client, const instance_t *instance)
{
    const cml_ui_t *ui = client->ui;

    client->epoch = instance->cml.token_epoch;
    client->refused = !token_holds (ui->parts.tokens, instance, client->token, now_of (ui).wall);
}

static void
on_text (void *argument, const char *text, size_t size)
{
    client_t *client = argument;
    const cml_ui_t *ui = client->ui;
    const instance_t *instance = instance_of (client);
    _cleanup_ (json_destroy) struct json_object *body = NULL;

    if (client->token || !instance) {
        return;
    }
    bool is_json = json_parse (&body, text, size, BODY_MAX, NULL) == 0;
    const char *token = is_json ? json_get_text (body, "token") : NULL;
    client->refused = !token;
    if (token) {
        client->token = strdup (token);
        check_token (client, instance);
        cml_changes_tell (&client->told, &instance->cml, world_elapsed (ui->parts.world), NULL,
                          NULL);
    }
}

static void
on_change (void *argument, const buffer_t *message)
{
    client_t *client = argument;
    say (client, instance_of (client), message->data, message->size);
}

//  False: it is to be forgotten.
static bool
attend (client_t *client)
{
    const cml_ui_t *ui = client->ui;
    instance_t *instance = instance_of (client);
    moment_t now = now_of (ui);

    if (!client->socket || websocket_is_over (client->socket) || !instance ||
        !world_cml_answers (ui->parts.world, instance)) {
        return false;
    }
    if (faults_hold (ui->parts.faults, CML_UI_PATH, instance->id, FAULT_PUSH_SILENT, now.steady)) {
        websocket_mute (client->socket);
        return true;
    }
    if (client->token &&
        (client->epoch != instance->cml.token_epoch || now.steady >= client->stats_due)) {
        check_token (client, instance);
    }
    if (client->refused || (!client->token && now.steady - client->opened >= LOGIN_US)) {
        websocket_close (client->socket, CLOSE_LOGIN);
        return true;
    }
    if (client->token) {
        cml_changes_tell (&client->told, &instance->cml, world_elapsed (ui->parts.world), on_change,
                          client);
    }
    if (client->token && client->socket && now.steady >= client->stats_due) {
        say_stats (client, instance);
    }
    return true;
}

void
cml_ui_tell (cml_ui_t *self)
{
    for (client_t **at = &self->clients; *at;) {
        client_t *client = *at;
        if (attend (client)) {
            at = &client->next;
        } else {
            *at = client->next;
            client_destroy (&client);
        }
    }
}

size_t
cml_ui_push (cml_ui_t *self, const instance_t *instance, const char *text, size_t size)
{
    size_t count = 0;

    for (client_t *client = self->clients; client; client = client->next) {
        if (client->serial == instance->serial && client->token && !client->refused &&
            client->socket) {
            say (client, instance, text, size);
            count++;
        }
    }
    return count;
}

//  --- a new one

static void
on_upgraded (void *argument, const web_tunnel_t *tunnel)
{
    cml_ui_t *self = argument;
    const instance_t *instance = world_find_address (self->parts.world, tunnel->local);
    client_t *client = instance ? calloc (1, sizeof *client) : NULL;
    web_tunnel_t own = *tunnel;

    if (!client) {
        web_tunnel_close (&own);
        return;
    }
    client->ui = self;
    client->slot = instance->slot;
    client->serial = instance->serial;
    client->opened = now_of (self).steady;
    client->next = self->clients;
    self->clients = client;
    client->socket = websocket_new (self->loop, &own, on_text, client);
}

static bool
is_new_enough (const instance_t *instance)
{
    return strverscmp (instance->image->cml_version, "2.9") >= 0;
}

void
cml_ui_handle (cml_ui_t *self, instance_t *instance, const web_request_t *request,
               web_answer_t *answer)
{
    time_us_t steady = now_of (self).steady;
    fault_t fault;

    calls_count (self->parts.calls, "cml", CML_UI_PATH);
    if (!is_new_enough (instance) || faults_take (self->parts.faults, CML_UI_PATH, instance->id,
                                                  1u << FAULT_PUSH_ABSENT, steady, &fault)) {
        answer->status = 404;
        buffer_text (&answer->body, "<html><h1>404 Not Found</h1></html>");
        return;
    }
    websocket_answer (request, answer);
    if (answer->status == 101) {
        answer->upgraded = on_upgraded;
        answer->upgraded_argument = self;
    }
}

//  --- life

cml_ui_t *
cml_ui_new (loop_t *loop, const cml_parts_t *parts)
{
    cml_ui_t *self = calloc (1, sizeof *self);

    if (self) {
        self->loop = loop;
        self->parts = *parts;
    }
    return self;
}

void
cml_ui_destroy (cml_ui_t **self_p)
{
    assert (self_p);

    cml_ui_t *self = *self_p;
    if (self) {
        for (client_t *client = self->clients, *next; client; client = next) {
            next = client->next;
            client_destroy (&client);
        }
        free (self);
        *self_p = NULL;
    }
}
