// cml_server.h - where a worker's CML is, how it proves to be it, and who we are there; pure.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_SERVER_H
#define COLLECTOR_CML_SERVER_H

#include "cml_fault.h"
#include "cml_tools.h"

#define CML_ENDPOINT_SIZE 256  //  the bound of an observation's endpoint

typedef struct cml_server {
    char endpoint [CML_ENDPOINT_SIZE];  //  "https://10.1.2.3:5543"; the port 443 is left out
    const char *pin;                    //  borrowed from the pins; null: none is asked for
    const cml_account_t *account;       //  borrowed from the logins
} cml_server_t;

//  CML_OK, or why there is nowhere to ask: the worker has no such address (unreachable),
//  nobody has written down its fingerprint (tls), or which account opens it (login).
cml_fault_t cml_server_of (cml_server_t *self, const cml_tools_t *tools,
                           const collector_worker_t *worker, reason_t *why);

#endif
