// cml_server.h - where a worker's CML is and how it proves to be it; pure.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_SERVER_H
#define COLLECTOR_CML_SERVER_H

#include "cml_fault.h"
#include "cml_pins.h"
#include "cml_settings.h"

#define CML_ENDPOINT_SIZE 256  //  the bound of an observation's endpoint

typedef struct cml_server {
    char endpoint [CML_ENDPOINT_SIZE];  //  "https://10.1.2.3:5543"; the port 443 is left out
    const char *pin;                    //  borrowed from the pins; null: none is asked for
} cml_server_t;

//  CML_OK, or why there is nowhere to ask: the worker has no such address (unreachable), or
//  nobody has written down its fingerprint (tls). pins may be null when none are needed.
cml_fault_t cml_server_of (cml_server_t *self, const cml_settings_t *settings,
                           const cml_pins_t *pins, const collector_worker_t *worker, reason_t *why);

#endif
