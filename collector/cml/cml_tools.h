// cml_tools.h - what the source has made for all its workers' rounds.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_TOOLS_H
#define COLLECTOR_CML_TOOLS_H

#include "../../common/http_client.h"
#include "cml_logins.h"
#include "cml_pins.h"
#include "cml_servers.h"
#include "cml_settings.h"

typedef struct cml_tools {  //  borrowed
    const cml_settings_t *settings;
    const cml_logins_t *logins;
    const cml_servers_t *servers;
    const cml_pins_t *pins;  //  null when none are needed
    http_client_t *push;     //  of the pushing servers' connections; null: push = off
} cml_tools_t;

#endif
