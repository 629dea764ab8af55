// SPDX-License-Identifier: MIT

#include "keys.h"

#include "../../common/cleanup.h"
#include "noise.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct issued {
    aws_key_t key;
    bool used;
} issued_t;

struct keys {
    aws_key_t permanent;
    issued_t issued [KEY_ISSUED_MAX];
    size_t next;
    uint64_t chance;
    int64_t seconds;  //  of every temporary key; 0: as asked
};

keys_t *
keys_new (const char *access_key_id, const char *secret, uint64_t seed)
{
    keys_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    aws_key_t *key = &self->permanent;
    snprintf (key->access_key_id, sizeof key->access_key_id, "%s", access_key_id);
    snprintf (key->secret, sizeof key->secret, "%s", secret);
    snprintf (key->arn, sizeof key->arn, "arn:aws:iam::%s:user/cmlwatch", KEY_ACCOUNT);
    snprintf (key->account, sizeof key->account, "%s", KEY_ACCOUNT);
    key->expires_wall = TIME_UNKNOWN;
    self->chance = noise_key (seed, 0x5757);
    return self;
}

void
keys_destroy (keys_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

const aws_key_t *
keys_find (const keys_t *self, const char *access_key_id)
{
    if (strcmp (self->permanent.access_key_id, access_key_id) == 0) {
        return &self->permanent;
    }
    for (size_t i = 0; i < KEY_ISSUED_MAX; i++) {
        if (self->issued [i].used &&
            strcmp (self->issued [i].key.access_key_id, access_key_id) == 0) {
            return &self->issued [i].key;
        }
    }
    return NULL;
}

const aws_key_t *
keys_issue (keys_t *self, const char *account, const char *role_name, const char *session_name,
            time_us_t expires_wall)
{
    issued_t *issued = &self->issued [self->next++ % KEY_ISSUED_MAX];
    aws_key_t *key = &issued->key;
    uint64_t *chance = &self->chance;

    issued->used = true;
    snprintf (key->access_key_id, sizeof key->access_key_id, "ASIA%016" PRIX64,
              noise_next (chance));
    snprintf (key->secret, sizeof key->secret, "%016" PRIx64 "/%016" PRIx64 "+simulated",
              noise_next (chance), noise_next (chance));
    snprintf (key->session_token, sizeof key->session_token,
              "IQoJb3JpZ2luX2VjE%016" PRIX64 "%016" PRIX64 "%016" PRIX64 "==", noise_next (chance),
              noise_next (chance), noise_next (chance));
    snprintf (key->arn, sizeof key->arn, "arn:aws:sts::%s:assumed-role/%.64s/%.64s", account,
              role_name, session_name);
    snprintf (key->account, sizeof key->account, "%s", account);
    key->expires_wall = expires_wall;
    return key;
}

int64_t
keys_seconds (const keys_t *self, int64_t asked)
{
    return self->seconds > 0 ? self->seconds : asked;
}

void
keys_set_seconds (keys_t *self, int64_t seconds)
{
    self->seconds = seconds;
}

void
keys_expire (keys_t *self, time_us_t wall)
{
    for (size_t i = 0; i < KEY_ISSUED_MAX; i++) {
        self->issued [i].key.expires_wall = wall;
    }
}
