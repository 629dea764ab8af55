// cml_round.h - one reading of one CML server, phase by phase.
//
//     information   system_information, without login: is there a CML, and is it ready
//     system        system_stats, system_health, licensing     -> system.observed
//     labs          labs, and labs/{id} for each                -> labs.observed
//     activity      telemetry/events, now and then              -> activity.observed
//
// Each phase publishes what it found before the next begins. What was asked and failed is
// published as failed; what was not asked is not spoken of. A server that is not there, not
// trusted, or refuses us ends the round after the phase that saw it. One that is starting
// (502, 503, 504, or a page of HTML where its information should be) is reachable and not
// ready, and that is no failure.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_ROUND_H
#define COLLECTOR_CML_ROUND_H

#include "cml_labs.h"
#include "cml_session.h"
#include "cml_told.h"

typedef struct cml_round cml_round_t;

typedef struct cml_worker {  //  what is kept of a worker between rounds; a unit's memory
    cml_session_t *session;
    cml_labs_t *labs;
    cml_told_t health, licensing;
    bool activity_was_read;
    time_us_t activity_due;  //  steady
    cml_fault_t fault;       //  of the last round
    cml_round_t *round;      //  under way, or null
} cml_worker_t;

//  Starts it; it ends the core's round itself. settings and pins are borrowed; pins may be
//  null when none are needed.
void cml_round_start (const cml_settings_t *settings, const cml_pins_t *pins,
                      collector_round_t *round);

//  Gives up the round under way, if any, and frees what is kept.
void cml_worker_clear (cml_worker_t *self);

//  What was told is to be told again.
void cml_worker_forget (cml_worker_t *self);

#endif
