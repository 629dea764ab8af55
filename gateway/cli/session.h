// session.h - a loop, an HTTP client and a gateway to ask: what every subcommand begins with.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_SESSION_H
#define GATEWAY_CLI_SESSION_H

#include "../../common/http_client.h"
#include "../../common/json.h"
#include "command.h"

typedef struct session {
    const access_t *access;  //  borrowed
    loop_t *loop;
    metrics_t *metrics;
    http_client_t *client;
    buffer_t authorization;  //  the header; empty: nobody logs in
} session_t;

//  To be closed in either case. 0 or a negative errno and why.
int session_open (session_t *self, const access_t *access, reason_t *why);
void session_close (session_t *self);

//  The whole URL of a path, with its query.
void session_url (const session_t *self, const char *path, buffer_t *out);

//  A request as this session sends it, with the headers put into headers, which has room for
//  SESSION_HEADERS_MAX beside the end and begins with count of the caller's.
#define SESSION_HEADERS_MAX 4
http_request_t session_request (const session_t *self, const char *url,
                                const char *headers [SESSION_HEADERS_MAX + 1], size_t count);

typedef struct reply {
    int status;
    buffer_t body;
} reply_t;
void reply_clear (reply_t *self);

//  Asks and waits. 0 with any status; or a negative errno and why: not reached, interrupted
//  (-EINTR).
int session_get (session_t *self, const char *path, reply_t *reply, reason_t *why);

//  The same, and its JSON, which the caller puts. Any status but 200 is -EPROTO, or -ENOENT for
//  404, and why says what the gateway said.
int session_get_json (session_t *self, const char *path, struct json_object **tree, reason_t *why);

//  What is wrong with an answer that is not 200: the sentence in its problem+json, if it has one.
int session_explain (int status, const char *body, size_t size, reason_t *why);

#endif
