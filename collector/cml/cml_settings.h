// cml_settings.h - what an operator sets for the collector of CML.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_SETTINGS_H
#define COLLECTOR_CML_SETTINGS_H

#include "../core/collector.h"

typedef enum cml_push_choice { CML_PUSH_AUTO, CML_PUSH_OFF } cml_push_choice_t;

typedef struct cml_settings {
    collector_settings_t collector;
    char username [CONFIG_TEXT_SIZE];
    char password [CONFIG_TEXT_SIZE];
    char logins_file [CONFIG_TEXT_SIZE];
    char address [CONFIG_TEXT_SIZE];
    char servers_file [CONFIG_TEXT_SIZE], servers_region [CONFIG_TEXT_SIZE];
    int64_t port;
    int verify;  //  http_verify_t
    char fingerprints [CONFIG_TEXT_SIZE];
    char ca_file [CONFIG_TEXT_SIZE];
    int64_t connect_ms, total_ms;
    int64_t labs_per_round;
    bool node_states;
    int64_t activity_interval_ms;
    int push;  //  cml_push_choice_t
    int64_t report_interval_ms, push_poll_ms, push_idle_ms, push_again_ms;
    int64_t push_message_max, push_events_max;
} cml_settings_t;

#endif
