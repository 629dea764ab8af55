// session.h - logins of browsers: a cookie that says who it is, sealed.
//
// EventSource cannot send an Authorization header, and a token in a URL ends up in logs. So a page
// gives its token once to POST /api/session and gets a cookie that scripts cannot read. The cookie
// holds the identity itself under an HMAC-SHA-256: any gateway with the same key knows it, and it
// survives a restart; without a key one is made at the start, and sessions end with the gateway.
// A session never outlives the token it was made of, nor session_seconds. DELETE ends it here at
// once; at other gateways when its time is over.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_SESSION_H
#define GATEWAY_SESSION_H

#include "../common/buffer.h"
#include "identity.h"

#define SESSION_COOKIE     "cmlwatch_session"
#define SESSION_BYTES_MOST 3000  //  of a cookie; browsers take 4,096 with its name and attributes
#define SESSION_KEY_LEAST  32    //  bytes of a key

typedef struct sessions sessions_t;

//  key "": a random one.
sessions_t *sessions_new (const char *key, int64_t seconds, reason_t *why);
void sessions_destroy (sessions_t **self_p);

//  Appends a cookie's value for this identity, and when it ends. -E2BIG: it is limited to too many
//  names to fit into a cookie.
int sessions_seal (sessions_t *self, const identity_t *identity, time_us_t now, buffer_t *out,
                   time_us_t *expires);

//  The identity of a cookie's value, which the caller releases; null and why.
identity_t *sessions_open (const sessions_t *self, const char *text, size_t size, time_us_t now,
                           reason_t *why);

#define SESSIONS_ENDED_MOST 100000  //  remembered one by one

//  The session is over (identity_t.session). What is ended stays so: when there are too many to remember,
//  or no memory, those that have begun by now and whose time is over no later count as ended too.
void sessions_end (sessions_t *self, const identity_t *identity, time_us_t now);
bool sessions_have_ended (const sessions_t *self, const identity_t *identity);

#endif
