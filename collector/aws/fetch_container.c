// fetch_container.c - keys of a container's role, from the endpoint of ECS or EKS.
//
// The Authorization is sent as it stands (EKS writes a token without "Bearer"); out of its file
// it is read anew each time, for EKS renews it.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "fetch.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONTAINER_MAGIC 0xc0217a1u
#define CONNECT_MS      2000
#define TOTAL_MS        2000  //  as AWS's SDKs

struct aws_fetch {
    unsigned magic;
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
        free (self);
    }
}

static void
on_answer (void *argument, const http_answer_t *answer)
{
    _cleanup_ (cancel) aws_fetch_t *self = argument;
    assert (self->magic == CONTAINER_MAGIC);
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    aws_fetched_t fetched = {0};
    reason_t why = {0};

    self->call = NULL;
    if (answer->outcome != HTTP_ANSWERED) {
        fetched.again = true;
        fetched.rc = reason_set (&fetched.why, -EIO, "%s", answer->why.text);
    } else if (json_parse (&json, answer->body, answer->size, AWS_KEY_ANSWER_MAX, &why) < 0) {
        fetched.again = answer->status >= 500 || answer->status == 429;
        fetched.rc = reason_set (&fetched.why, -EINVAL, "HTTP %d and no JSON", answer->status);
    } else if (answer->status != 200) {
        const char *message = json_get_text (json, "message");
        fetched.again = answer->status >= 500 || answer->status == 429;
        fetched.rc = reason_set (&fetched.why, -EACCES, "HTTP %d: %.200s", answer->status,
                                 message ? message : "");
    } else {
        (void) aws_keys_of_json (json, "Token", false, &fetched);
    }
    self->fn (self->argument, &fetched);
}

//  `Authorization: <text>` or null with *none; false and why when it cannot be had.
static bool
read_authorization (const aws_origin_t *origin, buffer_t *header, reason_t *why)
{
    _cleanup_ (string_destroy) char *token = NULL;

    if (origin->authorization_file) {
        token = aws_read_token_file (origin->authorization_file, why);
        if (!token) {
            return false;
        }
    }
    const char *text = token ? token : origin->authorization;
    if (text && strpbrk (text, "\r\n")) {
        reason_set (why, -EINVAL, "AWS_CONTAINER_AUTHORIZATION_TOKEN has a line break in it");
        return false;
    }
    if (text) {
        buffer_format (header, "Authorization: %s", text);
    }
    return !buffer_failed (header);
}

static aws_fetch_t *
start (const aws_fetch_ask_t *ask, reason_t *why)
{
    _cleanup_ (cancel) aws_fetch_t *self = calloc (1, sizeof *self);
    _cleanup_ (buffer_clear) buffer_t authorization = {0};

    if (!self || !read_authorization (ask->origin, &authorization, why)) {
        return NULL;
    }
    self->magic = CONTAINER_MAGIC;
    self->fn = ask->fn;
    self->argument = ask->argument;
    const char *const headers [] = {"Accept: application/json", authorization.data, NULL};
    const http_request_t request = {
        .method = "GET",
        .url = ask->origin->url,
        .headers = headers,
        .verify = HTTP_VERIFY_FULL,
        .connect_ms = CONNECT_MS,
        .total_ms = TOTAL_MS,
        .answer_max = AWS_KEY_ANSWER_MAX,
        .direct = true,
    };
    self->call = http_client_send (collector_http (ask->core), &request, on_answer, self, why);
    return self->call ? take_ptr (self) : NULL;
}

const aws_fetcher_t AWS_FETCH_CONTAINER = {start, cancel};
