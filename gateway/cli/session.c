// session.c - see session.h.
//
// SPDX-License-Identifier: MIT

#include "session.h"

#include "../../common/cleanup.h"
#include "../../common/plain.h"

#include <errno.h>
#include <string.h>

#define DRAIN_MS    1000
#define SERIES_MAX  16
#define CONNECTIONS 2
#define TURN_MS     100
#define ANSWER_MAX  ((size_t) 256 * 1024 * 1024)  //  the state of a very large fleet

int
session_open (session_t *self, const access_t *access, reason_t *why)
{
    *self = (session_t){
        .access = access, .loop = loop_new (DRAIN_MS), .metrics = metrics_new (SERIES_MAX)};
    if (!self->loop || !self->metrics) {
        return reason_set (why, -ENOMEM, "out of memory or descriptors");
    }
    if (*access->token) {
        buffer_format (&self->authorization, "Authorization: Bearer %s", access->token);
    }
    self->client = http_client_new (self->loop, CONNECTIONS, self->metrics, why);
    return self->client ? 0 : -ENOMEM;
}

void
session_close (session_t *self)
{
    http_client_destroy (&self->client);
    loop_destroy (&self->loop);
    metrics_destroy (&self->metrics);
    if (self->authorization.data) {
        explicit_bzero (self->authorization.data, self->authorization.size);
    }
    buffer_clear (&self->authorization);
}

void
session_url (const session_t *self, const char *path, buffer_t *out)
{
    buffer_format (out, "%s%s", self->access->url, path);
}

http_request_t
session_request (const session_t *self, const char *url,
                 const char *headers [SESSION_HEADERS_MAX + 1], size_t count)
{
    if (self->authorization.size > 0) {
        headers [count++] = self->authorization.data;
    }
    headers [count] = NULL;
    return (http_request_t){.method = "GET",
                            .url = url,
                            .headers = headers,
                            .verify = HTTP_VERIFY_FULL,
                            .ca_file = self->access->cacert,
                            .connect_ms = self->access->timeout_ms,
                            .total_ms = self->access->timeout_ms,
                            .answer_max = ANSWER_MAX};
}

void
reply_clear (reply_t *self)
{
    buffer_clear (&self->body);
}

//  --- one request

typedef struct wait {
    bool done;
    reply_t *reply;
    int rc;
    reason_t *why;
} wait_t;

static void
on_answer (void *argument, const http_answer_t *answer)
{
    wait_t *wait = argument;

    wait->done = true;
    if (answer->outcome != HTTP_ANSWERED) {
        wait->rc = reason_set (wait->why, -ECONNREFUSED, "%s", answer->why.text);
        return;
    }
    wait->reply->status = answer->status;
    buffer_append (&wait->reply->body, answer->body, answer->size);
    wait->rc =
        buffer_failed (&wait->reply->body) ? reason_set (wait->why, -ENOMEM, "out of memory") : 0;
}

int
session_get (session_t *self, const char *path, reply_t *reply, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t url = {0};
    const char *headers [SESSION_HEADERS_MAX + 1] = {"Accept: application/json"};
    wait_t wait = {.reply = reply, .why = why};

    session_url (self, path, &url);
    http_request_t request = session_request (self, url.data, headers, 1);
    http_call_t *call = http_client_send (self->client, &request, on_answer, &wait, why);
    if (!call) {
        return -EINVAL;
    }
    while (!wait.done && !loop_is_draining (self->loop)) {
        loop_turn (self->loop, TURN_MS);
    }
    if (!wait.done) {
        http_call_cancel (&call);
        return reason_set (why, -EINTR, "interrupted");
    }
    return wait.rc;
}

int
session_explain (int status, const char *body, size_t size, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    char detail [300] = "";

    if (size > 0 && json_parse (&tree, body, size, size, NULL) == 0) {
        const char *text = json_get_text (tree, "detail");
        plain_text (detail, sizeof detail, text ? text : "");
    }
    const char *hint = status == 401   ? "; log in by --token-file or CMLWATCH_TOKEN_FILE"
                       : status == 404 ? "; is this a gateway, and of this version?"
                                       : "";
    return reason_set (why, status == 404 ? -ENOENT : -EPROTO, "the gateway answers %d%s%s%s",
                       status, *detail ? ": " : "", detail, hint);
}

int
session_get_json (session_t *self, const char *path, struct json_object **tree, reason_t *why)
{
    _cleanup_ (reply_clear) reply_t reply = {0};
    int rc = session_get (self, path, &reply, why);

    if (rc < 0) {
        return rc;
    }
    if (reply.status != 200) {
        return session_explain (reply.status, reply.body.data, reply.body.size, why);
    }
    return json_parse (tree, reply.body.data, reply.body.size, ANSWER_MAX, why);
}
