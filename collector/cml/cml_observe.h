// cml_observe.h - from what a round has found to what is said of it; pure.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_OBSERVE_H
#define COLLECTOR_CML_OBSERVE_H

#include "../../common/observation.h"
#include "cml_fault.h"
#include "cml_labs.h"
#include "cml_told.h"

//  Bytes of content in one message; the rest is room for the envelope and small members.
#define CML_CONTENT_MAX (OBSERVATION_BYTES_MAX - (size_t) 16 * 1024)

typedef struct cml_found {  //  trees are owned; null: not read
    cml_fault_t fault;      //  the first of this phase
    reason_t why;
    bool is_starting;  //  the application is not up yet
    struct json_object *information, *stats, *health, *licensing, *events;
} cml_found_t;

void cml_found_clear (cml_found_t *self);

//  Remembers the first fault of a phase.
void cml_found_note (cml_found_t *self, cml_fault_t fault, const char *message);

//  The phase is over: a server that is not ready may answer that it is starting, which is no
//  fault. Call once a phase, before it is told.
void cml_found_excuse (cml_found_t *self);

//  The next three fill an observation that was initialised and say whether there is anything
//  to tell. What is in it is borrowed from found, or owned by the caller through *owned_p
//  (json_destroy after publishing).

//  Health and licensing go in when they are due.
void cml_observe_system (system_observed_t *out, cml_found_t *found, cml_told_t *health,
                         cml_told_t *licensing, time_us_t now_steady);

//  False while a lab was not read yet.
bool cml_observe_labs (labs_observed_t *out, cml_found_t *found, cml_labs_t *labs,
                       struct json_object **owned_p);

//  False when the server has no such log.
bool cml_observe_activity (activity_observed_t *out, const cml_found_t *found,
                           const char *account_id, struct json_object **owned_p);

#endif
