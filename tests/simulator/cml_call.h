// cml_call.h - one call of a simulated CML, as the handler of a path sees it.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_CML_CALL_H
#define SIMULATOR_CML_CALL_H

#include "../../common/json.h"
#include "cml_api.h"
#include "noise.h"

#define CML_ADMIN_ID "00000000-0000-4000-a000-000000000000"  //  of the built-in admin
#define CML_USER_ID  "7d0f7a52-4c1e-4b7e-9a35-1f0b6c2d8e41"  //  of our own account

typedef struct cml_call {
    const cml_parts_t *parts;
    instance_t *instance;
    const web_request_t *request;
    web_answer_t *answer;
    json_writer_t json;  //  into the answer's body
    char lab_id [NOISE_UUID_SIZE];
    const lab_t *lab;  //  when the path names one
} cml_call_t;

typedef void cml_handler_fn (cml_call_t *call);

//  {"code":…,"description":…}, as CML says all that is wrong; what was written before goes.
void cml_refuse (cml_call_t *call, int status, const char *description);

//  Handlers: the system in cml_system.c, labs and telemetry in cml_labs.c.
cml_handler_fn cml_system_information, cml_system_stats, cml_system_health, cml_licensing;
cml_handler_fn cml_labs, cml_lab, cml_lab_state, cml_lab_element_state, cml_telemetry_events;

void cml_node_id (const lab_t *lab, int64_t node, char id [NOISE_UUID_SIZE]);

//  2026-11-20T10:30:00+00:00: CML writes an offset, never Z.
void cml_put_time (cml_call_t *call, const char *key, time_us_t wall);

#endif
