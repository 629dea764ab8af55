// SPDX-License-Identifier: MIT

#include "cml_api.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"
#include "cml_call.h"
#include "form.h"
#include "labs.h"
#include "noise.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define BASE     "/api/v0"
#define BEARER   "Bearer "
#define BODY_MAX 65536
#define CML_FAULTS                                                                      \
    (1u << FAULT_THROTTLE | 1u << FAULT_ERROR500 | 1u << FAULT_CUT | 1u << FAULT_HUGE | \
     1u << FAULT_HTML | 1u << FAULT_SLOW)

//  --- errors

void
cml_refuse (cml_call_t *call, int status, const char *description)
{
    buffer_reset (&call->answer->body);
    json_writer_t json = json_writer (&call->answer->body);

    call->answer->status = status;
    json_open_object (&json);
    json_member_integer (&json, "code", status);
    json_member_text (&json, "description", description);
    json_close_object (&json);
}

//  --- login

static bool
says_right_password (const cml_call_t *call)
{
    const sigv4_request_t *http = &call->request->http;
    _cleanup_ (json_destroy) struct json_object *body = NULL;

    if (json_parse (&body, http->body, http->body_size, BODY_MAX, NULL) < 0) {
        return false;
    }
    const char *username = json_get_text (body, "username");
    const char *password = json_get_text (body, "password");
    return username && password && strcmp (username, call->parts->username) == 0 &&
           strcmp (password, call->parts->password) == 0;
}

//  A token, or null after a refusal; the caller clears the buffer.
static bool
log_in (cml_call_t *call, buffer_t *token)
{
    moment_t now = world_now (call->parts->world);
    fault_t fault;

    if (!says_right_password (call) ||
        faults_take (call->parts->faults, FAULT_API_CML, call->instance->id, 1u << FAULT_DENY_LOGIN,
                     now.steady, &fault)) {
        cml_refuse (call, 403, "Authentication failed!");
        return false;
    }
    token_make (call->parts->tokens, call->instance, CML_USER_ID, now.wall, token);
    //  Each login of ours leaves such a record, as at a real CML.
    labs_record (&call->instance->cml, "user_activity", 0, now.wall);
    return true;
}

static void
authenticate (cml_call_t *call)
{
    _cleanup_ (buffer_clear) buffer_t token = {0};

    if (log_in (call, &token)) {
        json_put_text (&call->json, token.data);
    }
}

static void
auth_extended (cml_call_t *call)
{
    _cleanup_ (buffer_clear) buffer_t token = {0};

    if (log_in (call, &token)) {
        json_open_object (&call->json);
        json_member_text (&call->json, "username", call->parts->username);
        json_member_text (&call->json, "id", CML_USER_ID);
        json_member_text (&call->json, "token", token.data);
        json_member_bool (&call->json, "admin", true);
        json_key (&call->json, "error");
        json_put_null (&call->json);
        json_close_object (&call->json);
    }
}

static void
authok (cml_call_t *call)
{
    json_put_text (&call->json, "OK");
}

static const char *
bearer (const cml_call_t *call)
{
    const char *header = sigv4_header (&call->request->http, "Authorization");

    return header && strncmp (header, BEARER, strlen (BEARER)) == 0 ? header + strlen (BEARER)
                                                                    : NULL;
}

static void
logout (cml_call_t *call)
{
    const char *query = call->request->http.query;
    _cleanup_ (form_destroy) form_t *form = form_new (query, strlen (query), NULL);

    if (form && form_is_true (form, "clear_all_sessions")) {
        call->instance->cml.token_epoch++;
    } else {
        token_revoke (call->parts->tokens, bearer (call));
    }
    json_put_bool (&call->json, true);
}

//  --- routes

typedef struct route {
    const char *method, *path;  //  {} stands for a lab's id
    cml_handler_fn *handler;
    bool open;  //  needs no login
} route_t;

// clang-format off
static const route_t ROUTES [] = {
    {"POST",   "/authenticate",               authenticate,            true},
    {"POST",   "/auth_extended",              auth_extended,           true},
    {"GET",    "/authok",                     authok,                  false},
    {"DELETE", "/logout",                     logout,                  false},
    {"GET",    "/system_information",         cml_system_information,  true},
    {"GET",    "/system_stats",               cml_system_stats,        false},
    {"GET",    "/system_health",              cml_system_health,       false},
    {"GET",    "/licensing",                  cml_licensing,           false},
    {"GET",    "/labs",                       cml_labs,                false},
    {"GET",    "/labs/{}",                    cml_lab,                 false},
    {"GET",    "/labs/{}/state",              cml_lab_state,           false},
    {"GET",    "/labs/{}/lab_element_state",  cml_lab_element_state,   false},
    {"GET",    "/telemetry/events",           cml_telemetry_events,    false},
};
// clang-format on

//  True when path fits the pattern; what stands for {} is copied.
static bool
path_fits (const char *pattern, const char *path, char id [NOISE_UUID_SIZE])
{
    const char *hole = strstr (pattern, "{}");

    if (!hole) {
        return strcmp (pattern, path) == 0;
    }
    size_t before = (size_t) (hole - pattern);
    if (strncmp (pattern, path, before) != 0) {
        return false;
    }
    size_t length = strcspn (path + before, "/");
    if (length == 0 || length >= NOISE_UUID_SIZE ||
        strcmp (hole + 2, path + before + length) != 0) {
        return false;
    }
    memcpy (id, path + before, length);
    id [length] = '\0';
    return true;
}

//  Null after a refusal.
static const route_t *
find_route (cml_call_t *call, const char *path)
{
    bool other_method = false;

    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES [0]; i++) {
        if (path_fits (ROUTES [i].path, path, call->lab_id)) {
            if (strcmp (ROUTES [i].method, call->request->http.method) == 0) {
                return &ROUTES [i];
            }
            other_method = true;
        }
    }
    if (other_method) {
        cml_refuse (call, 405, "Method Not Allowed");
    } else {
        cml_refuse (call, 404, "Not Found");
    }
    return NULL;
}

static void
run_route (cml_call_t *call, const route_t *route)
{
    moment_t now = world_now (call->parts->world);
    const char *token = bearer (call);

    if (!route->open) {
        if (!token) {
            cml_refuse (call, 401, "No authorization token provided.");
            return;
        }
        if (!token_holds (call->parts->tokens, call->instance, token, now.wall)) {
            cml_refuse (call, 401, "Token is invalid or has expired.");
            return;
        }
    }
    if (strstr (route->path, "{}")) {
        call->lab = labs_find (&call->instance->cml, call->lab_id);
        if (!call->lab) {
            cml_refuse (call, 404, "Lab not found");
            return;
        }
    }
    route->handler (call);
}

//  --- one request

static void
apply_fault (cml_call_t *call, const fault_t *fault)
{
    web_answer_t *answer = call->answer;

    calls_count (call->parts->calls, "faults", fault_kind_name (fault->kind));
    switch (fault->kind) {
    case FAULT_THROTTLE: cml_refuse (call, 429, "Too Many Requests"); break;
    case FAULT_ERROR500: cml_refuse (call, 500, "Internal Server Error"); break;
    case FAULT_CUT: answer->trick = WEB_CUT; break;
    case FAULT_HUGE: answer->trick = WEB_HUGE; break;
    case FAULT_SLOW: answer->delay_ms = fault->delay_ms ? fault->delay_ms : FAULT_DELAY_MS; break;
    case FAULT_HTML:  //  what CML's nginx says while its controller starts
        answer->status = 502;
        answer->content_type = "text/html";
        buffer_reset (&answer->body);
        buffer_text (&answer->body,
                     "<html><head><title>502 Bad Gateway</title></head>"
                     "<body><center><h1>502 Bad Gateway</h1></center></body></html>");
        break;
    default: break;
    }
}

void
cml_api_handle (const cml_parts_t *parts, instance_t *instance, const web_request_t *request,
                web_answer_t *answer)
{
    cml_call_t call = {.parts = parts,
                       .instance = instance,
                       .request = request,
                       .answer = answer,
                       .json = json_writer (&answer->body)};
    const char *path = request->http.path;
    time_us_t steady = world_now (parts->world).steady;
    fault_t fault;

    answer->content_type = "application/json";
    if (strncmp (path, BASE, strlen (BASE)) != 0) {
        cml_refuse (&call, 404, "Not Found");
        return;
    }
    const route_t *route = find_route (&call, path + strlen (BASE));
    calls_count (parts->calls, "cml", route ? route->path : "other");
    if (route) {
        run_route (&call, route);
    }
    if (faults_take (parts->faults, FAULT_API_CML, instance->id, CML_FAULTS, steady, &fault) ||
        (route &&
         faults_take (parts->faults, route->path, instance->id, CML_FAULTS, steady, &fault))) {
        apply_fault (&call, &fault);
    }
}
