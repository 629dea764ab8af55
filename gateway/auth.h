// auth.h - who asks, by what the request carries: nobody has to log in, a static token, or a JWT.
//
// Authorization: Bearer (RFC 6750) or a session's cookie (session.h). A cookie is sent by the
// browser on its own, so a request with it that changes anything must come from a page of ours:
// its Origin is this host or one of cors_origins. Credentials end: an identity has its time, and a
// static token that is taken out of its file is worth nothing from then on, also for the streams
// and sessions that it opened; these end too when its line says another role, limit or end.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_AUTH_H
#define GATEWAY_AUTH_H

#include "identity.h"
#include "issuer.h"

#include <microhttpd.h>

typedef enum auth_method { AUTH_NONE, AUTH_TOKEN, AUTH_JWT } auth_method_t;
extern const char *const AUTH_METHODS [];  //  none token jwt

typedef struct auth_settings {
    int method;                                                       //  auth_method_t
    const char *tokens_file, *session_key, *masked_fields, *origins;  //  borrowed
    int64_t session_seconds;
    issuer_settings_t issuer;
} auth_settings_t;

typedef struct auth auth_t;

int auth_check (const auth_settings_t *settings, reason_t *why);

//  mask is what a viewer is not told. Null and why.
auth_t *auth_new (loop_t *loop, const auth_settings_t *settings, const mask_t *mask,
                  metrics_t *metrics, reason_t *why);
void auth_destroy (auth_t **self_p);
auth_method_t auth_method (const auth_t *self);

//  0 and *identity, which the caller releases. -EACCES: log in; -EPERM: not from that origin;
//  -EAGAIN: nobody can be known at the moment. why is for people, and says nothing secret.
int auth_identify (auth_t *self, struct MHD_Connection *connection, const char *method,
                   identity_t **identity, reason_t *why);

//  The identity of this very token, as above.
int auth_identify_token (auth_t *self, const char *token, size_t size, identity_t **identity,
                         reason_t *why);

//  It comes from a page, by its Origin, that is neither this host's nor one that may read our answers.
bool auth_is_foreign_page (const auth_t *self, struct MHD_Connection *connection);

//  A request was refused for its role; counted.
void auth_count_forbidden (auth_t *self);

//  A cookie's value for it (session.h), and the session's end.
int auth_seal (auth_t *self, const identity_t *identity, buffer_t *out, time_us_t *expires);
void auth_end_session (auth_t *self, const identity_t *identity);

//  False: its credential was taken back or changed, or its session ended.
bool auth_holds (const auth_t *self, const identity_t *identity);

//  fn is called when credentials may have been taken back: streams are to be looked through.
void auth_on_change (auth_t *self, loop_fn *fn, void *argument);

#endif
