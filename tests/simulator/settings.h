// settings.h - what cmlwatch-sim can be told.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_SETTINGS_H
#define SIMULATOR_SETTINGS_H

#include "../../common/program.h"

typedef struct sim_settings {
    program_settings_t program;
    char aws [CONFIG_TEXT_SIZE];
    int64_t cml_port, cml_ports;
    char scenario [CONFIG_TEXT_SIZE];
    char series [CONFIG_TEXT_SIZE];
    int64_t speed;
    int64_t instances;
    char regions [CONFIG_TEXT_SIZE];
    char accounts [CONFIG_TEXT_SIZE];
    int64_t seed;
    int64_t transition_ms;
    bool throttle;
    char access_key_id [CONFIG_TEXT_SIZE];
    char secret_access_key [CONFIG_TEXT_SIZE];
    int64_t key_seconds;
    char role [CONFIG_TEXT_SIZE];
    char container_token [CONFIG_TEXT_SIZE];
    char cml_username [CONFIG_TEXT_SIZE];
    char cml_password [CONFIG_TEXT_SIZE];
    int64_t token_seconds;
    int64_t push_stats_ms;
} sim_settings_t;

extern const program_t SIM;

#endif
