// credentials.h - who we are to AWS.
//
// A table of providers walked in order; the first that is configured decides: one that is
// configured but cannot give keys is a fault, never passed over for the next (botocore's
// rule, reference api-facts.md 4.1). Asked before each call, so that keys may change while
// the program runs. A provider that must itself ask (STS, instance metadata) answers from
// what it holds and -EAGAIN until it holds something.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_CREDENTIALS_H
#define COLLECTOR_AWS_CREDENTIALS_H

#include "../../common/clock.h"
#include "../../common/reason.h"

typedef struct aws_credentials aws_credentials_t;

typedef struct aws_keys {  //  borrowed, until the next call
    const char *access_key_id, *secret_access_key;
    const char *session_token;  //  null: none
} aws_keys_t;

//  Reads a variable; null when unset. getenv, or a test's.
typedef const char *aws_getenv_fn (const char *name);
const char *aws_getenv (const char *name);  //  the process's own

aws_credentials_t *aws_credentials_new (aws_getenv_fn *read_variable);
void aws_credentials_destroy (aws_credentials_t **self_p);

//  0; -ENOENT when no provider is configured, and why names each place looked at; -EINVAL for
//  one that is configured in half; -EAGAIN for one that is being asked.
int aws_credentials_get (aws_credentials_t *self, moment_t now, aws_keys_t *keys, reason_t *why);

#endif
