// issuer.h - the JSON Web Tokens of one issuer as logins: signature, issuer, audience, time, and what
// their claims grant.
//
// Keys are a JSON Web Key Set, from a file (read again when it changes) or from the issuer's URL
// (asked again each jwt_refresh_seconds, and, at most once in 10 s, when a token names a key that
// is not known). A set that cannot be had leaves the last one in force. Before the first one is
// there nobody can be let in, and who comes is told to come again.
//
// Claims: `sub` is the name; the role is the highest of those that jwt_role_claim names (a text or
// a list; a dotted path such as realm_access.roles); `regions` and `worker_ids`, lists or texts of
// names apart by commas or blanks, limit what is seen. A claim that is there but cannot be read
// grants nothing.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_ISSUER_H
#define GATEWAY_ISSUER_H

#include "../common/http_client.h"
#include "identity.h"

typedef struct issuer issuer_t;
typedef struct issuer_settings {
    const char *issuer, *audience, *algorithms, *keys, *role_claim, *ca_file;  //  borrowed
    int64_t leeway_seconds, refresh_seconds;
} issuer_settings_t;

int issuer_check (const issuer_settings_t *settings, reason_t *why);

//  client is asked for keys when they are at a URL. Null and why.
issuer_t *issuer_new (loop_t *loop, http_client_t *client, const issuer_settings_t *settings,
                      metrics_t *metrics, reason_t *why);
void issuer_destroy (issuer_t **self_p);

//  0 and *identity, which the caller releases; -EACCES and why, for people, what is wrong with the
//  token; -EAGAIN: there are no keys yet, or the token's is being asked for.
int issuer_identify (issuer_t *self, const char *token, size_t size, time_us_t now,
                     identity_t **identity, reason_t *why);

#endif
