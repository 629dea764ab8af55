// keys.h - who may call the simulated AWS: one permanent key, and those that STS gave.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_KEYS_H
#define SIMULATOR_KEYS_H

#include "../../common/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define KEY_TEXT_SIZE    1024
#define KEY_ISSUED_MAX   256             //  then the oldest is forgotten
#define KEY_ACCOUNT      "111122223333"  //  of the permanent key
#define KEY_ACCOUNT_SIZE 13

typedef struct aws_key {
    char access_key_id [KEY_TEXT_SIZE], secret [KEY_TEXT_SIZE];
    char session_token [128];  //  "" for a permanent key
    time_us_t expires_wall;    //  TIME_UNKNOWN for a permanent key
    char arn [256];            //  of whoever holds it
    char account [KEY_ACCOUNT_SIZE];
} aws_key_t;

typedef struct keys keys_t;

//  Texts are copied.
keys_t *keys_new (const char *access_key_id, const char *secret, uint64_t seed);
void keys_destroy (keys_t **self_p);

//  Null for a key that nobody was given.
const aws_key_t *keys_find (const keys_t *self, const char *access_key_id);

//  A temporary key for a role's session in an account. Borrowed until the next is issued.
const aws_key_t *keys_issue (keys_t *self, const char *account, const char *role_name,
                             const char *session_name, time_us_t expires_wall);

//  How long a temporary key lives that was asked for this long: so long, unless
//  keys_set_seconds said otherwise (0: take that back), for no test waits 15 minutes.
int64_t keys_seconds (const keys_t *self, int64_t asked);
void keys_set_seconds (keys_t *self, int64_t seconds);

//  All temporary keys given so far end at this time.
void keys_expire (keys_t *self, time_us_t wall);

#endif
