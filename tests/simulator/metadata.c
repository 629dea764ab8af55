// SPDX-License-Identifier: MIT

#include "metadata.h"

#include "../../common/json.h"
#include "noise.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKENS_MAX    16  //  then the oldest is forgotten
#define TOKEN_SECONDS 21600
#define KEY_SECONDS   21600
#define LATEST        "/latest/"
#define ROLES         "/latest/meta-data/iam/security-credentials/"
#define CONTAINER     "/container/credentials"
#define METADATA_FAULTS                                                                 \
    (1u << FAULT_THROTTLE | 1u << FAULT_ERROR500 | 1u << FAULT_CUT | 1u << FAULT_HUGE | \
     1u << FAULT_HTML | 1u << FAULT_SLOW | 1u << FAULT_UNREACHABLE)

typedef struct session {
    char token [32];
    time_us_t until;  //  steady
} session_t;

struct metadata {
    metadata_parts_t parts;
    session_t sessions [TOKENS_MAX];
    size_t next;
    uint64_t chance;
};

metadata_t *
metadata_new (const metadata_parts_t *parts)
{
    metadata_t *self = calloc (1, sizeof *self);

    if (self) {
        self->parts = *parts;
        self->chance = noise_key (0x1d5, (uint64_t) world_now (parts->world).wall);
    }
    return self;
}

void
metadata_destroy (metadata_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

bool
metadata_has (const char *path)
{
    return strncmp (path, LATEST, strlen (LATEST)) == 0 ||
           strncmp (path, CONTAINER, strlen (CONTAINER)) == 0;
}

//  As both services write it.
static void
write_keys (metadata_t *self, const char *session, web_answer_t *answer)
{
    char now [CLOCK_TEXT_SIZE], end [CLOCK_TEXT_SIZE];
    time_us_t wall = world_now (self->parts.world).wall;
    int64_t seconds = keys_seconds (self->parts.keys, KEY_SECONDS);
    const aws_key_t *key = keys_issue (self->parts.keys, KEY_ACCOUNT, self->parts.role, session,
                                       wall + seconds * SECOND_US);
    json_writer_t json = json_writer (&answer->body);

    answer->content_type = "application/json";
    clock_format (now, wall);
    clock_format (end, key->expires_wall);
    snprintf (now + 19, sizeof now - 19, "Z");
    snprintf (end + 19, sizeof end - 19, "Z");
    json_open_object (&json);
    json_member_text (&json, "Code", "Success");
    json_member_text (&json, "LastUpdated", now);
    json_member_text (&json, "Type", "AWS-HMAC");
    json_member_text (&json, "AccessKeyId", key->access_key_id);
    json_member_text (&json, "SecretAccessKey", key->secret);
    json_member_text (&json, "Token", key->session_token);
    json_member_text (&json, "Expiration", end);
    json_close_object (&json);
}

static void
refuse (web_answer_t *answer, int status, const char *text)
{
    answer->status = status;
    buffer_reset (&answer->body);
    buffer_text (&answer->body, text);
}

//  --- the instance's

static void
give_token (metadata_t *self, const web_request_t *request, web_answer_t *answer)
{
    const char *text = sigv4_header (&request->http, "X-aws-ec2-metadata-token-ttl-seconds");
    long seconds = text ? strtol (text, NULL, 10) : 0;

    if (seconds < 1 || seconds > TOKEN_SECONDS) {
        refuse (answer, 400, "400 - Bad Request");
        return;
    }
    session_t *session = &self->sessions [self->next++ % TOKENS_MAX];
    snprintf (session->token, sizeof session->token,
              "AQAE%016" PRIx64 "==", noise_next (&self->chance));
    session->until = world_now (self->parts.world).steady + seconds * SECOND_US;
    buffer_text (&answer->body, session->token);
}

static bool
has_session (const metadata_t *self, const web_request_t *request)
{
    const char *token = sigv4_header (&request->http, "X-aws-ec2-metadata-token");

    for (size_t i = 0; token && i < TOKENS_MAX; i++) {
        if (*token && strcmp (self->sessions [i].token, token) == 0) {
            return self->sessions [i].until > world_now (self->parts.world).steady;
        }
    }
    return false;
}

static void
tell_instance (metadata_t *self, const web_request_t *request, web_answer_t *answer)
{
    const char *path = request->http.path;
    const char *const *regions;

    if (strcmp (request->http.method, "PUT") == 0 && strcmp (path, "/latest/api/token") == 0) {
        give_token (self, request, answer);
    } else if (strcmp (request->http.method, "GET") != 0) {
        refuse (answer, 405, "405 - Method Not Allowed");
    } else if (!has_session (self, request)) {
        refuse (answer, 401, "401 - Unauthorized");
    } else if (strcmp (path, "/latest/meta-data/placement/region") == 0) {
        (void) world_regions (self->parts.world, &regions);
        buffer_text (&answer->body, regions [0]);
    } else if (*self->parts.role && strcmp (path, ROLES) == 0) {
        buffer_text (&answer->body, self->parts.role);
    } else if (*self->parts.role && strncmp (path, ROLES, strlen (ROLES)) == 0 &&
               strcmp (path + strlen (ROLES), self->parts.role) == 0) {
        write_keys (self, "i-0123456789abcdef0", answer);
    } else {
        refuse (answer, 404, "404 - Not Found");
    }
}

//  --- the container's

static void
tell_container (metadata_t *self, const web_request_t *request, web_answer_t *answer)
{
    const char *given = sigv4_header (&request->http, "Authorization");

    if (*self->parts.container_token &&
        strcmp (given ? given : "", self->parts.container_token) != 0) {
        answer->content_type = "application/json";
        refuse (answer, 401, "{\"code\":\"Unauthorized\",\"message\":\"Authorization is wrong\"}");
        return;
    }
    write_keys (self, "container", answer);
}

static void
spoil (const fault_t *fault, web_answer_t *answer)
{
    static const web_trick_t TRICKS [FAULT_KIND_COUNT] = {
        [FAULT_CUT] = WEB_CUT, [FAULT_HUGE] = WEB_HUGE, [FAULT_UNREACHABLE] = WEB_DROP};

    answer->trick = TRICKS [fault->kind];
    switch (fault->kind) {
    case FAULT_THROTTLE: refuse (answer, 429, "Too Many Requests"); break;
    case FAULT_ERROR500: refuse (answer, 500, "Internal Server Error"); break;
    case FAULT_HTML:
        refuse (answer, 200, "<html><body><h1>It works!</h1></body></html>");
        answer->content_type = "text/html";
        break;
    case FAULT_SLOW: answer->delay_ms = fault->delay_ms ? fault->delay_ms : FAULT_DELAY_MS; break;
    default: break;
    }
}

void
metadata_handle (metadata_t *self, const web_request_t *request, web_answer_t *answer)
{
    bool is_container = strncmp (request->http.path, CONTAINER, strlen (CONTAINER)) == 0;
    const char *api = is_container ? "container" : "imds";
    fault_t fault;

    calls_count (self->parts.calls, "metadata", request->http.path);
    if (is_container) {
        tell_container (self, request, answer);
    } else {
        tell_instance (self, request, answer);
    }
    if (faults_take (self->parts.faults, api, "", METADATA_FAULTS,
                     world_now (self->parts.world).steady, &fault)) {
        calls_count (self->parts.calls, "faults", fault_kind_name (fault.kind));
        spoil (&fault, answer);
    }
}
