// token.h - the JSON Web Tokens that simulated CMLs give at login (RFC 7519, HS256).
//
// They carry `exp`, as real ones do, and are checked without a list of sessions: by their
// signature, their time, the instance they were given by, and its epoch, which a scenario
// moves on to expire them all. Only those that logged out are remembered.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_TOKEN_H
#define SIMULATOR_TOKEN_H

#include "../../common/buffer.h"
#include "instance.h"

#include <stdbool.h>

typedef struct tokens tokens_t;

tokens_t *tokens_new (int64_t lifetime_seconds);
void tokens_destroy (tokens_t **self_p);

void token_make (tokens_t *self, const instance_t *instance, const char *user_id, time_us_t wall,
                 buffer_t *out);

//  True when this instance gave it, and it has neither expired nor been revoked.
bool token_holds (const tokens_t *self, const instance_t *instance, const char *token,
                  time_us_t wall);

//  Ends one; the last 256 are remembered.
void token_revoke (tokens_t *self, const char *token);

#endif
