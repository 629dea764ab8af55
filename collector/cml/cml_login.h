// cml_login.h - whether one CML server's token is good, and whether a login may be tried; pure.
//
// A token is kept over rounds and used until the server refuses it (401) or its own `exp`
// is near. Then it is dropped and one login is made, but at most one a round after a 401:
// a server that refuses what it has just given is reported, not argued with.
//
// A refused login is a wrong password until somebody changes it: the next try comes after
// a pause that doubles from LOGIN_PAUSE_LEAST to LOGIN_PAUSE_MOST. A login that could not
// be made at all (no connection, a 5xx) says nothing of the password and pauses nothing.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_LOGIN_H
#define COLLECTOR_CML_LOGIN_H

#include "cml_token.h"

#include <stdbool.h>

#define CML_LOGIN_PAUSE_LEAST (30 * SECOND_US)
#define CML_LOGIN_PAUSE_MOST  HOUR_US
#define CML_LOGIN_EARLY_US    (30 * SECOND_US)  //  before exp, and at most a tenth of its life
#define CML_LOGIN_EARLY_SHARE 10

typedef struct cml_login {                 //  cml_login_init before use, cml_login_clear after
    char *token;                           //  null: none
    unsigned generation;                   //  grows with each token taken or dropped
    time_us_t use_until;                   //  steady; TIME_UNKNOWN: until refused
    char account_id [CML_ACCOUNT_ID_MAX];  //  "": not known; stays over logins
    bool dropped_in_round;                 //  a 401 has cost a token in this round
    unsigned refusals;                     //  logins refused in a row
    time_us_t not_before;                  //  steady; of the next login
} cml_login_t;

void cml_login_init (cml_login_t *self);
void cml_login_clear (cml_login_t *self);

//  A new round may drop a token again.
void cml_login_begin_round (cml_login_t *self);

//  True when there is a token to send. Drops one that is about to expire.
bool cml_login_is_good (cml_login_t *self, time_us_t now_steady);

//  Microseconds until a login may be tried; 0: now.
time_us_t cml_login_wait (const cml_login_t *self, time_us_t now_steady);

//  The server gave a token. -EINVAL when it cannot be one; -ENOMEM.
int cml_login_accept (cml_login_t *self, const char *token, moment_t now);

//  The server refused the account; returns the pause that begins.
time_us_t cml_login_refuse (cml_login_t *self, time_us_t now_steady);

//  The server refused a request that was sent with the token of this generation. True: the
//  request is worth repeating (another token is there, or one may be had); false: this
//  round has had its login.
bool cml_login_retry (cml_login_t *self, unsigned generation);

#endif
