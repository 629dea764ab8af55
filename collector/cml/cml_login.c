// SPDX-License-Identifier: MIT

#include "cml_login.h"

#include "../../common/cleanup.h"

#include <errno.h>
#include <string.h>

void
cml_login_init (cml_login_t *self)
{
    *self = (cml_login_t){.use_until = TIME_UNKNOWN, .not_before = TIME_UNKNOWN};
}

static void
drop (cml_login_t *self)
{
    string_destroy (&self->token);
    self->generation++;
}

void
cml_login_clear (cml_login_t *self)
{
    drop (self);
}

void
cml_login_begin_round (cml_login_t *self)
{
    self->dropped_in_round = false;
}

bool
cml_login_is_good (cml_login_t *self, time_us_t now_steady)
{
    if (self->token && self->use_until != TIME_UNKNOWN && now_steady >= self->use_until) {
        drop (self);
    }
    return self->token != NULL;
}

time_us_t
cml_login_wait (const cml_login_t *self, time_us_t now_steady)
{
    bool paused = self->not_before != TIME_UNKNOWN && now_steady < self->not_before;
    return paused ? self->not_before - now_steady : 0;
}

//  How long the token may be used, of its own claims: exp - iat needs no clock of ours to
//  agree with the server's. An exp that is past already says that they do not agree, and
//  then the 401 decides.
static time_us_t
use_for (const cml_claims_t *claims, time_us_t now_wall)
{
    if (claims->expires == TIME_UNKNOWN) {
        return TIME_UNKNOWN;
    }
    time_us_t life = claims->expires - (claims->issued != TIME_UNKNOWN ? claims->issued : now_wall);
    if (life <= 0) {
        return TIME_UNKNOWN;
    }
    time_us_t early = life / CML_LOGIN_EARLY_SHARE;
    return life - (early < CML_LOGIN_EARLY_US ? early : CML_LOGIN_EARLY_US);
}

int
cml_login_accept (cml_login_t *self, const char *token, moment_t now)
{
    if (!cml_token_is_sound (token)) {
        return -EINVAL;
    }
    char *copy = strdup (token);
    if (!copy) {
        return -ENOMEM;
    }
    cml_claims_t claims = cml_token_claims (token);
    time_us_t lasts = use_for (&claims, now.wall);

    drop (self);
    self->token = copy;
    self->use_until = lasts == TIME_UNKNOWN ? TIME_UNKNOWN : now.steady + lasts;
    if (claims.account_id [0]) {
        memcpy (self->account_id, claims.account_id, sizeof self->account_id);
    }
    self->refusals = 0;
    self->not_before = TIME_UNKNOWN;
    return 0;
}

time_us_t
cml_login_refuse (cml_login_t *self, time_us_t now_steady)
{
    time_us_t pause = CML_LOGIN_PAUSE_LEAST;

    for (unsigned i = 0; i < self->refusals && pause < CML_LOGIN_PAUSE_MOST; i++) {
        pause *= 2;
    }
    pause = pause < CML_LOGIN_PAUSE_MOST ? pause : CML_LOGIN_PAUSE_MOST;
    drop (self);
    self->refusals++;
    self->not_before = now_steady + pause;
    return pause;
}

bool
cml_login_retry (cml_login_t *self, unsigned generation)
{
    if (generation != self->generation) {
        return true;  //  it was sent before the token was replaced or dropped
    }
    if (self->dropped_in_round) {
        return false;
    }
    self->dropped_in_round = true;
    drop (self);
    return true;
}
