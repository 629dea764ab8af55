// jws.h - signed tokens (JSON Web Signature, RFC 7515) against a set of keys (RFC 7517).
//
// On rhonabwy, and the only place that knows it: its jansson and our json-c name functions alike.
// Keys are those of the set alone; what a token's own header says about keys (jwk, jku, x5u, x5c)
// is never looked at, and nothing is fetched. The algorithm must be allowed, and be the one that
// the key is for (RFC 8725, 3.1): an RSA key never checks an HMAC.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_JWS_H
#define GATEWAY_JWS_H

#include "../common/buffer.h"
#include "../common/reason.h"

#include <stddef.h>

#define JWS_TOKEN_MOST 8192  //  bytes of a token

typedef enum jws_algorithm { JWS_RS256 = 1, JWS_ES256 = 2, JWS_HS256 = 4 } jws_algorithm_t;

typedef struct jws_keys jws_keys_t;

//  The set's text: {"keys":[…]}. Null and why: no JSON, or no key in it that could check anything.
jws_keys_t *jws_keys_new (const char *text, reason_t *why);
void jws_keys_destroy (jws_keys_t **self_p);
size_t jws_keys_count (const jws_keys_t *self);

//  "RS256,ES256" into bits; 0 and why for a word that is no algorithm of ours, or for none.
unsigned jws_algorithms (const char *list, reason_t *why);

//  Appends the claims as JSON when the signature is right. 0; -ENOKEY: no key of the set has the
//  token's kid, or is of its kind; -EACCES and why for everything else that is wrong with it.
int jws_verify (const jws_keys_t *self, unsigned algorithms, const char *token, size_t size,
                buffer_t *claims, reason_t *why);

#endif
