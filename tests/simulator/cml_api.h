// cml_api.h - the REST API of one simulated CML 2.9, as far as cmlwatch asks it.
//
// Every answer is valid by Cisco's OpenAPI document of 2.9.0
// (tests/integration/test_simulator_cml_contract.py), and moves with the instance's curve,
// its labs and the time.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_CML_API_H
#define SIMULATOR_CML_API_H

#include "calls.h"
#include "faults.h"
#include "token.h"
#include "web.h"
#include "world.h"

typedef struct cml_parts {  //  borrowed
    world_t *world;
    faults_t *faults;
    calls_t *calls;
    tokens_t *tokens;
    const char *username, *password;
    int64_t stats_ms;  //  between two pushed system_stats
} cml_parts_t;

//  Answers one request to the CML of this instance.
void cml_api_handle (const cml_parts_t *parts, instance_t *instance, const web_request_t *request,
                     web_answer_t *answer);

#endif
