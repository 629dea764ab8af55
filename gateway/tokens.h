// tokens.h - static tokens: a file of who may do what, with only the tokens' hashes in it.
//
//     # name   role      the token's SHA-256                 more, all optional
//     grafana  viewer    sha256:9f86d0…                      regions=us-east-1,us-west-2
//     ops      operator  sha256:60303a…                      expires=2027-01-01T00:00:00Z
//
// Tokens are long and random, so a plain SHA-256 is enough (there is nothing to guess); make one
// with `openssl rand -hex 32` and hash it with `printf %s TOKEN | sha256sum`. The file is read
// again when it changes; a wrong line leaves the old ones in force, and is logged.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_TOKENS_H
#define GATEWAY_TOKENS_H

#include "identity.h"

typedef struct tokens tokens_t;

#define TOKENS_MOST 10000

//  Null and why: file, line, and what would be right.
tokens_t *tokens_new (const char *path, reason_t *why);
void tokens_destroy (tokens_t **self_p);

//  Reads the file again if it is another. 1: it was read; 0: it is the same; negative and why: the
//  old ones stay.
int tokens_refresh (tokens_t *self, reason_t *why);

//  Borrowed; null for a token nobody has.
identity_t *tokens_find (const tokens_t *self, const char *token, size_t size);
//  The line of the token that it came by is there, and still says who this is and may do what it may.
bool tokens_stand_for (const tokens_t *self, const identity_t *identity);

#endif
