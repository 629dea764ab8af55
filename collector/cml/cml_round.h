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
// While a server pushes (cml_push.h) a round that falls due within push_poll_ms of the last
// is over at once, and the others leave out the load and the states of nodes, which come by
// themselves. One that somebody asked for (a job) asks everything all the same.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_ROUND_H
#define COLLECTOR_CML_ROUND_H

#include "../core/collector.h"
#include "cml_tools.h"

typedef struct cml_round cml_round_t;

//  Starts it; it ends the core's round itself.
void cml_round_start (const cml_tools_t *tools, collector_round_t *round);

//  Gives it up; the core's round is not ended. Its worker's session must be destroyed first,
//  for answers under way name it.
void cml_round_destroy (cml_round_t **self_p);

#endif
