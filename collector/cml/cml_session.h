// cml_session.h - what is asked of one CML server: its login, its requests, two at a time.
//
// The session lives as long as the worker is leased and keeps the token over rounds. It
// logs in when a request needs it, repeats what a 401 refused after one new login, and
// sends at most CML_AT_ONCE requests at a time: a CML under load is not to be buried.
// After a failure that the rest of the round would share (no connection, no answer in
// time, a wrong certificate, a refused login) it asks no more until the next round: what
// waits is answered with that failure, and a dead server costs one timeout a round.
//
// An answer is given at the very end of a turn's work: its function may destroy the
// session.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_SESSION_H
#define COLLECTOR_CML_SESSION_H

#include "cml_server.h"

#define CML_AT_ONCE 2

typedef struct cml_session cml_session_t;

typedef struct cml_ask {
    const char *name;  //  of the metric; a constant
    const char *path;  //  after /api/v0; copied
    size_t answer_max;
    enum json_type type;  //  of the answer
    bool open;            //  needs no login
} cml_ask_t;

typedef struct cml_reply {  //  borrowed, during the call only
    cml_fault_t fault;
    struct json_object *json;  //  null unless CML_OK
    const char *message;       //  of the fault
} cml_reply_t;

typedef void cml_reply_fn (void *argument, const cml_reply_t *reply);

//  core and settings are borrowed. Null when memory is out.
cml_session_t *cml_session_new (collector_t *core, const cml_settings_t *settings);
//  Calls under way are given up; their functions are not called.
void cml_session_destroy (cml_session_t **self_p);

//  A new round: the server as it is known now (pin is borrowed until the next), and region
//  and subject for reports (copied).
void cml_session_begin (cml_session_t *self, const cml_server_t *server, const char *region,
                        const char *subject);

//  fn is called exactly once, never from within this call. -ENOMEM.
int cml_session_ask (cml_session_t *self, const cml_ask_t *ask, cml_reply_fn *fn, void *argument);

//  Our account's id on this server, "" while it is not known; a token may have told it, or
//  else the round asks and says it here.
const char *cml_session_account (const cml_session_t *self);
void cml_session_set_account (cml_session_t *self, const char *account_id);

//  What is the same in each request to this server: how it is proven, and the timeouts.
http_request_t cml_session_request (const cml_session_t *self, const char *method, const char *url,
                                    const char *const *headers);

//  The token, for a connection of another kind; borrowed until the loop's next turn. Null:
//  there is none that is good, and asking for anything that needs a login fetches one.
const char *cml_session_token (cml_session_t *self, unsigned *generation);
//  The server refused the token of this generation there. False: this round has had its
//  login, and what came of it is refused too.
bool cml_session_refuse (cml_session_t *self, unsigned generation);

#endif
