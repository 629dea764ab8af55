// fetch_instance.c - keys of an EC2 instance's role, from its metadata service, version 2.
//
//     PUT api/token ─► GET …/security-credentials/ (the role's name) ─► GET …/<role> (keys)
//
// Version 1, which needs no token and so can be had through a careless proxy, is not asked.
// No answer at all is what a machine that is no EC2 instance gives, so it costs little: a
// second for each try. A container one hop too far away gets no answer either.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INSTANCE_MAGIC 0x1d5a11u
#define TIMEOUT_MS     1000  //  as AWS's SDKs
#define TOKEN_MAX      1024
#define ROLE_MAX       64
#define ROLES          "/latest/meta-data/iam/security-credentials/"
#define STABLE_US      (10 * MINUTE_US)

struct aws_fetch {
    unsigned magic;
    collector_t *core;
    char *url;  //  owned; the base
    char header [TOKEN_MAX + 32];
    http_call_t *call;
    aws_fetched_fn *fn;
    void *argument;
};

static void
cancel (aws_fetch_t **self_p)
{
    aws_fetch_t *self = take_ptr (*self_p);

    if (self) {
        if (self->call) {
            http_call_cancel (&self->call);
        }
        free (self->url);
        free (self);
    }
}

static void
end (aws_fetch_t *self, const aws_fetched_t *fetched)
{
    aws_fetched_fn *fn = self->fn;
    void *argument = self->argument;

    self->call = NULL;
    fn (argument, fetched);
    cancel (&self);
}

//  False when the answer is none to go on with; the fetch has ended then.
static bool
is_good (aws_fetch_t *self, const http_answer_t *answer, const char *what)
{
    aws_fetched_t fetched = {0};

    if (answer->outcome == HTTP_ANSWERED && answer->status == 200 && answer->size > 0) {
        return true;
    }
    if (answer->outcome != HTTP_ANSWERED) {
        fetched.again = true;
        fetched.rc = reason_set (&fetched.why, -EIO, "%s", answer->why.text);
    } else {
        //  401: the token has ended meanwhile; another try begins with a new one.
        fetched.again = answer->status >= 500 || answer->status == 429 || answer->status == 401;
        fetched.rc = reason_set (&fetched.why, -ENOENT, "HTTP %d for %s%s", answer->status, what,
                                 answer->status == 404 ? ": the instance has no role" : "");
    }
    end (self, &fetched);
    return false;
}

static void
ask (aws_fetch_t *self, const char *method, const char *path, const char *header,
     http_answer_fn *fn)
{
    char url [512];
    const char *const headers [] = {header, NULL};
    aws_fetched_t fetched = {0};

    snprintf (url, sizeof url, "%s%s", self->url, path);
    const http_request_t request = {
        .method = method,
        .url = url,
        .headers = headers,
        .verify = HTTP_VERIFY_FULL,
        .connect_ms = TIMEOUT_MS,
        .total_ms = TIMEOUT_MS,
        .answer_max = AWS_KEY_ANSWER_MAX,
        .direct = true,
    };
    self->call = http_client_send (collector_http (self->core), &request, fn, self, &fetched.why);
    if (!self->call) {
        fetched.rc = -EIO;
        end (self, &fetched);
    }
}

//  Text that goes into a header or a path: one line of printable characters.
static bool
is_line (const http_answer_t *answer, size_t most)
{
    for (size_t i = 0; i < answer->size; i++) {
        if (answer->body [i] <= ' ' || answer->body [i] > '~') {
            return false;
        }
    }
    return answer->size > 0 && answer->size <= most;
}

static void
end_malformed (aws_fetch_t *self, const char *what)
{
    aws_fetched_t fetched = {.rc = -EINVAL};

    reason_set (&fetched.why, -EINVAL, "what it gives for %s is none", what);
    end (self, &fetched);
}

//  The service hands out ended keys when its own source is away: AWS's SDKs go on with them
//  for a while ("static stability"), and so do we.
static void
on_keys (void *argument, const http_answer_t *answer)
{
    aws_fetch_t *self = argument;
    assert (self->magic == INSTANCE_MAGIC);
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    aws_fetched_t fetched = {0};
    time_us_t now = collector_now (self->core).wall;

    if (!is_good (self, answer, "the role's keys")) {
        return;
    }
    if (json_parse (&json, answer->body, answer->size, AWS_KEY_ANSWER_MAX, NULL) < 0) {
        end_malformed (self, "the role's keys");
        return;
    }
    (void) aws_keys_of_json (json, "Token", false, &fetched);
    if (fetched.rc == 0 && fetched.expires <= now) {
        fetched.expires = now + STABLE_US;
    }
    end (self, &fetched);
}

static void
on_role (void *argument, const http_answer_t *answer)
{
    aws_fetch_t *self = argument;
    assert (self->magic == INSTANCE_MAGIC);
    char path [sizeof ROLES + ROLE_MAX];

    if (!is_good (self, answer, "the role's name")) {
        return;
    }
    if (!is_line (answer, ROLE_MAX) || strpbrk (answer->body, "/?#%")) {
        end_malformed (self, "the role's name");
        return;
    }
    snprintf (path, sizeof path, ROLES "%s", answer->body);
    ask (self, "GET", path, self->header, on_keys);
}

static void
on_token (void *argument, const http_answer_t *answer)
{
    aws_fetch_t *self = argument;
    assert (self->magic == INSTANCE_MAGIC);

    if (!is_good (self, answer, "a token")) {
        return;
    }
    if (!is_line (answer, TOKEN_MAX)) {
        end_malformed (self, "a token");
        return;
    }
    snprintf (self->header, sizeof self->header, "X-aws-ec2-metadata-token: %s", answer->body);
    ask (self, "GET", ROLES, self->header, on_role);
}

static aws_fetch_t *
start (const aws_fetch_ask_t *asked, reason_t *why)
{
    _cleanup_ (cancel) aws_fetch_t *self = calloc (1, sizeof *self);
    static const char *const HEADERS [] = {"X-aws-ec2-metadata-token-ttl-seconds: 21600", NULL};
    char url [512];

    if (!self || !(self->url = strdup (asked->origin->url))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = INSTANCE_MAGIC;
    self->core = asked->core;
    self->fn = asked->fn;
    self->argument = asked->argument;
    snprintf (url, sizeof url, "%s/latest/api/token", self->url);
    const http_request_t request = {
        .method = "PUT",
        .url = url,
        .headers = HEADERS,
        .verify = HTTP_VERIFY_FULL,
        .connect_ms = TIMEOUT_MS,
        .total_ms = TIMEOUT_MS,
        .answer_max = AWS_KEY_ANSWER_MAX,
        .direct = true,
    };
    self->call = http_client_send (collector_http (self->core), &request, on_token, self, why);
    return self->call ? take_ptr (self) : NULL;
}

const aws_fetcher_t AWS_FETCH_INSTANCE = {start, cancel};
