// cml_ui.h - wss://…/ws/ui of the simulated CMLs: what happens is pushed (CML 2.9 on).
//
// A client says {"token":"<jwt>"} within 10 s, or the connection is closed with 3000; it is
// too when its token ends. Then come system_stats (the answer of REST) and lab_stats of each
// running lab every stats_ms, and lab_event and state_change as labs and nodes change,
// whoever changed them. A fault push_… (faults.h) spoils what would be sent next.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_CML_UI_H
#define SIMULATOR_CML_UI_H

#include "cml_api.h"

#define CML_UI_PATH "/ws/ui"

typedef struct cml_ui cml_ui_t;

//  parts are copied. Null when memory is out.
cml_ui_t *cml_ui_new (loop_t *loop, const cml_parts_t *parts);
void cml_ui_destroy (cml_ui_t **self_p);

//  A request for CML_UI_PATH of this instance: 101, or what is wrong with it.
void cml_ui_handle (cml_ui_t *self, instance_t *instance, const web_request_t *request,
                    web_answer_t *answer);

//  Tells each client what has changed since the last call.
void cml_ui_tell (cml_ui_t *self);

//  Sends text to all clients of an instance that have logged in; how many they are.
size_t cml_ui_push (cml_ui_t *self, const instance_t *instance, const char *text, size_t size);

#endif
