// cml_push.h - what one CML server says unasked, and how its connection is kept.
//
//     IDLE ──attend──► LOGIN ──► CONNECTING ──► LISTENING ──ends──► WAITING ──time──► LOGIN
//                        (a token, by the session)    (token sent)
//
// A round that found the server well attends to it, which begins the first time. After that
// a connection that ends is tried again by itself, after cml_pace_wait; from the third
// failure in a row on only when a round has found the server well meanwhile, for until then
// a server is polled whole. One that has no such path (before 2.9) is tried again after
// push_again_ms. A connection that held for CML_PUSH_STEADY ends the row.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_PUSH_H
#define COLLECTOR_CML_PUSH_H

#include "cml_labs.h"
#include "cml_session.h"
#include "cml_teller.h"

#define CML_PUSH_STEADY (30 * SECOND_US)

typedef struct cml_push cml_push_t;

//  All borrowed, and alive longer. http is one of its own, for its connections stay.
cml_push_t *cml_push_new (collector_t *core, const cml_settings_t *settings, http_client_t *http,
                          cml_session_t *session, cml_labs_t *labs, cml_poll_fn *poll,
                          void *argument);
void cml_push_destroy (cml_push_t **self_p);

//  The session's server was found well, as place says. One at another address than before is
//  connected to anew.
void cml_push_attend (cml_push_t *self, const cml_place_t *place);

//  The server is not to be listened to for now, as one whose worker stops.
void cml_push_rest (cml_push_t *self);

//  True while the load comes by itself, so that it need not be asked.
bool cml_push_speaks (const cml_push_t *self);

#endif
