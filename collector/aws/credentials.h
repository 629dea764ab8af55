// credentials.h - who we are to AWS: keys in hand, and new ones before they end.
//
// Where keys come from is decided by a table of providers, walked in order; the first that is
// configured decides, and one that is configured but cannot give keys is a fault, never
// passed over for the next (origin.h; botocore's rule, reference api-facts.md 4.1). Getting
// them may take asking (fetch.h), which never blocks: meanwhile aws_credentials_get answers
// -EAGAIN, and `changed` is called when there is something else to say.
//
// Keys that end are fetched anew AWS_KEYS_EARLY_US before, sooner by chance, so that
// collectors that began together do not ask together. A fetch that fails keeps the keys in
// hand until they end, is tried again after a while (2 s, growing to a minute), and is said once.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_CREDENTIALS_H
#define COLLECTOR_AWS_CREDENTIALS_H

#include "../../common/clock.h"
#include "../../common/reason.h"
#include "../core/collector.h"
#include "origin.h"

#define AWS_KEYS_EARLY_US (5 * MINUTE_US)

typedef struct aws_credentials aws_credentials_t;
typedef struct aws_api aws_api_t;

typedef struct aws_keys {  //  borrowed, until the next turn of the loop
    const char *access_key_id, *secret_access_key;
    const char *session_token;  //  null: none
} aws_keys_t;

typedef void aws_changed_fn (void *argument);

typedef struct aws_credentials_ask {  //  all borrowed
    collector_t *core;
    aws_api_t *api;  //  by which STS is asked
    aws_getenv_fn *read_variable;
    const char *account;  //  its name, for people; "": the only one
    const char *region;   //  of STS
    aws_changed_fn *changed;
    void *argument;
} aws_credentials_ask_t;

//  Those that the chain of providers gives. Nothing is asked yet. Null when memory is out.
aws_credentials_t *aws_credentials_new (const aws_credentials_ask_t *ask);
//  Those of a role that base, which stays the caller's, assumes. The origin is taken over.
aws_credentials_t *aws_credentials_new_role (const aws_credentials_ask_t *ask,
                                             aws_origin_t **origin_p, aws_credentials_t *base);
void aws_credentials_destroy (aws_credentials_t **self_p);

//  0 and keys; -EAGAIN while they are being fetched, which this begins; -ENOENT when no provider
//  is configured, and why names each place looked at; another negative errno and why when they
//  cannot be had at present.
int aws_credentials_get (aws_credentials_t *self, aws_keys_t *keys, reason_t *why);

//  AWS has refused the keys. True when others are being looked for, so that it is worth another
//  try: at most once in 10 s.
bool aws_credentials_doubt (aws_credentials_t *self);

//  Where the keys come from, for people; the chain is walked when it was not yet.
void aws_credentials_describe (aws_credentials_t *self, reason_t *place);

//  When keys that end at expires (wall) are to be fetched anew: AWS_KEYS_EARLY_US before and up
//  to a fifth of that sooner (dice: 32 random bits), or half way when they are to live shorter.
time_us_t aws_keys_refresh_at (time_us_t now, time_us_t expires, uint32_t dice);

#endif
