// fetch_sts.c - keys of a role, from STS: with our own keys, or with a token of somebody else's.
//
// Both questions go the way of every other (query_api.c): retries, faults, endpoints and the
// counting are there. The first is signed with the keys of another, which may have to be
// fetched before; the second is not signed, its token is the proof, read anew each time,
// for whoever runs us renews it.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/url.h"
#include "fetch.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STS_MAGIC 0x575f371u

struct aws_fetch {
    unsigned magic;
    aws_call_t *call;
    aws_fetched_fn *fn;
    void *argument;
    char id [AWS_KEY_TEXT_MAX + 1], secret [AWS_KEY_TEXT_MAX + 1], token [AWS_KEY_TEXT_MAX + 1];
    char expiration [64];
};

static int
take_text (void *argument, const xml_rule_t *rule, const char *text)
{
    char *slot = (char *) argument + rule->offset;

    if (strlen (text) >= rule->size) {
        return -E2BIG;
    }
    snprintf (slot, rule->size, "%s", text);
    return 0;
}

#define TAKE(path_, member)                                                           \
    {                                                                                 \
        .path = path_, .at_end = take_text, .offset = offsetof (aws_fetch_t, member), \
        .size = sizeof ((aws_fetch_t *) 0)->member                                    \
    }
#define CREDENTIALS(action)                                             \
    {                                                                   \
        TAKE (action "Result/Credentials/AccessKeyId", id),             \
            TAKE (action "Result/Credentials/SecretAccessKey", secret), \
            TAKE (action "Result/Credentials/SessionToken", token),     \
            TAKE (action "Result/Credentials/Expiration", expiration),  \
        {                                                               \
            0                                                           \
        }                                                               \
    }

static const xml_rule_t ROLE_RULES [] = CREDENTIALS ("AssumeRole");
static const xml_rule_t WEB_IDENTITY_RULES [] = CREDENTIALS ("AssumeRoleWithWebIdentity");

static void
cancel (aws_fetch_t **self_p)
{
    aws_fetch_t *self = take_ptr (*self_p);

    if (self) {
        if (self->call) {
            aws_call_cancel (&self->call);
        }
        explicit_bzero (self, sizeof *self);
        free (self);
    }
}

//  The message was reported by the call; here it is repeated for those who wait for the keys.
static void
on_answer (void *argument, const aws_answer_t *answer)
{
    _cleanup_ (cancel) aws_fetch_t *self = argument;
    assert (self->magic == STS_MAGIC);
    aws_fetched_t fetched = {.keys = {self->id, self->secret, self->token}};

    self->call = NULL;
    if (answer->fault != AWS_OK) {
        fetched.rc = reason_set (&fetched.why, -EACCES, "%s", answer->message);
    } else if (!self->id [0] || !self->secret [0] || !self->token [0] ||
               clock_parse (self->expiration, &fetched.expires) < 0) {
        fetched.rc = reason_set (&fetched.why, -EINVAL, "the answer of STS has no whole key");
    }
    self->fn (self->argument, &fetched);
}

//  Takes the fields over by copying.
static aws_fetch_t *
ask_sts (const aws_fetch_ask_t *ask, const char *action, const xml_rule_t *rules, bool is_unsigned,
         const buffer_t *fields, reason_t *why)
{
    _cleanup_ (cancel) aws_fetch_t *self = calloc (1, sizeof *self);

    if (!self || buffer_failed (fields)) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = STS_MAGIC;
    self->fn = ask->fn;
    self->argument = ask->argument;
    const aws_query_t query = {
        .service = &AWS_STS,
        .region = ask->region,
        .action = action,
        .fields = fields->data,
        .rules = rules,
        .target = self,
        .account = ask->account,
        .credentials = ask->base,
        .is_unsigned = is_unsigned,
    };
    self->call = aws_api_ask (ask->api, &query, on_answer, self);
    if (!self->call) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    return take_ptr (self);
}

static void
write_role (const aws_origin_t *origin, buffer_t *fields)
{
    char seconds [24];

    url_add_field (fields, "RoleArn", origin->role_arn);
    url_add_field (fields, "RoleSessionName", origin->session_name);
    if (origin->duration_seconds > 0) {
        snprintf (seconds, sizeof seconds, "%lld", (long long) origin->duration_seconds);
        url_add_field (fields, "DurationSeconds", seconds);
    }
}

static aws_fetch_t *
start_role (const aws_fetch_ask_t *ask, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t fields = {0};

    write_role (ask->origin, &fields);
    if (ask->origin->external_id) {
        url_add_field (&fields, "ExternalId", ask->origin->external_id);
    }
    return ask_sts (ask, "AssumeRole", ROLE_RULES, false, &fields, why);
}

static aws_fetch_t *
start_web_identity (const aws_fetch_ask_t *ask, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    _cleanup_ (string_destroy) char *token = aws_read_token_file (ask->origin->token_file, why);

    if (!token) {
        return NULL;
    }
    write_role (ask->origin, &fields);
    url_add_field (&fields, "WebIdentityToken", token);
    return ask_sts (ask, "AssumeRoleWithWebIdentity", WEB_IDENTITY_RULES, true, &fields, why);
}

const aws_fetcher_t AWS_FETCH_ROLE = {start_role, cancel};
const aws_fetcher_t AWS_FETCH_WEB_IDENTITY = {start_web_identity, cancel};
