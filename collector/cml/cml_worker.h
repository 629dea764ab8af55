// cml_worker.h - what is kept of a worker between rounds; a unit's memory.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_WORKER_H
#define COLLECTOR_CML_WORKER_H

#include "cml_labs.h"
#include "cml_push.h"
#include "cml_round.h"
#include "cml_session.h"
#include "cml_told.h"

typedef struct cml_worker {  //  zero: nothing is
    cml_session_t *session;
    cml_labs_t *labs;
    cml_push_t *push;  //  null: none is wanted
    collector_t *core;
    char subject [ENVELOPE_SUBJECT_MAX];
    bool runs;  //  as leased at its last round
    bool was_polled;
    time_us_t poll_due;  //  steady; of the next round while the server pushes, once polled
    cml_told_t health, licensing;
    bool activity_was_read;
    time_us_t activity_due;  //  steady
    cml_fault_t fault;       //  of the last round
    cml_round_t *round;      //  under way, or null
} cml_worker_t;

//  Makes what is kept from the first round on. -ENOMEM.
int cml_worker_set_up (cml_worker_t *self, const cml_tools_t *tools, collector_round_t *round);

//  False when its server says by itself what changes, and the rest was read not long ago. A
//  worker that no longer runs is not listened to.
bool cml_worker_is_due (cml_worker_t *self, collector_round_t *round);

//  The server was found well.
void cml_worker_attend (cml_worker_t *self, const cml_place_t *place);

//  Gives up the round under way, if any, and frees what is kept.
void cml_worker_clear (cml_worker_t *self);

//  What was told is to be told again.
void cml_worker_forget (cml_worker_t *self);

#endif
