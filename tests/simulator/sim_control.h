// sim_control.h - /_sim/ on the AWS port: how tests see and move the simulated world.
//
// Unsigned, JSON, and for loopback only. README.md in this folder lists the requests.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_SIM_CONTROL_H
#define SIMULATOR_SIM_CONTROL_H

#include "calls.h"
#include "cml_server.h"
#include "faults.h"
#include "keys.h"
#include "web.h"
#include "world.h"

#define SIM_CONTROL_PATH "/_sim/"

typedef struct sim_control {  //  borrowed
    world_t *world;
    faults_t *faults;
    calls_t *calls;
    keys_t *keys;
    cml_server_t *cml;
} sim_control_t;

//  Answers a request whose path begins with SIM_CONTROL_PATH. What it changes holds when
//  the answer is sent.
void sim_control_handle (const sim_control_t *self, const web_request_t *request,
                         web_answer_t *answer);

#endif
