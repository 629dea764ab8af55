// answers.h - control's questions about one worker, and commands to it.
//
//   worker   {id, part, metric?, since?, limit?}: part is `labs`, `activity`, `history` or
//            `others`. The answer's payload frame is the JSON that REST passes on as it is.
//   command  {command: "idle_detection", id, enabled, by?}: payload likewise.
//
// And about alerts: `alerts` {}, whose payload is one frame for each; `acknowledge` {id, by}, whose
// payload is that one. The answer to the former has the rules too.
//
// id is a worker id or an EC2 instance id. Every answer's JSON is {status, detail?}: an HTTP
// status, and for one that is not 2xx the sentence that says what is wrong.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_ANSWERS_H
#define AGGREGATOR_ANSWERS_H

#include "../common/bus.h"
#include "alerts.h"
#include "fleet.h"

void answers_worker (fleet_t *fleet, bus_request_t *request);
void answers_command (fleet_t *fleet, bus_request_t *request);
void answers_alerts (alerts_t *alerts, bus_request_t *request);
void answers_acknowledge (alerts_t *alerts, fleet_t *fleet, bus_request_t *request);

#endif
