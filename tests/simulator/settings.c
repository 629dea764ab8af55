// SPDX-License-Identifier: MIT

#include "settings.h"

#include "keys.h"
#include "world.h"

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (sim_settings_t),
    {"aws",               CONFIG_TEXT,    offsetof (sim_settings_t, aws),               "127.0.0.1:5580", 0, 0, NULL, "host:port of the simulated EC2, CloudWatch and STS, and of /_sim/"},
    {"cml_port",          CONFIG_INTEGER, offsetof (sim_settings_t, cml_port),          "5543", 0, 65535, NULL, "port of every simulated CML, each on its instance's own 127.x.y.z; 0: any free one"},
    {"cml_ports",         CONFIG_INTEGER, offsetof (sim_settings_t, cml_ports),         "0", 0, 60000, NULL, "0; else each simulated CML is on all addresses of this host, at this port or one after it, which its tag cml-port names: where 127.x.y.z is not reached from"},
    {"scenario",          CONFIG_TEXT,    offsetof (sim_settings_t, scenario),          "", 0, 0, NULL, "file that says what happens; empty: nothing does"},
    {"series",            CONFIG_TEXT,    offsetof (sim_settings_t, series),            "", 0, 0, NULL, "folder of CloudWatch series (CSV); empty or not there: generated values"},
    {"speed",             CONFIG_INTEGER, offsetof (sim_settings_t, speed),             "1", 1, 100000, NULL, "how many times faster than time the scenario and the data run"},
    {"instances",         CONFIG_INTEGER, offsetof (sim_settings_t, instances),         "0", 0, INSTANCES_MAX, NULL, "instances at the start; 0: as the scenario says, else 20"},
    {"regions",           CONFIG_TEXT,    offsetof (sim_settings_t, regions),           "us-east-1", 0, 0, NULL, "comma list; instances are shared out among them"},
    {"accounts",          CONFIG_TEXT,    offsetof (sim_settings_t, accounts),          KEY_ACCOUNT, 0, 0, NULL, "comma list; instances are shared out among them; the first has the permanent key, roles lead into the others"},
    {"seed",              CONFIG_INTEGER, offsetof (sim_settings_t, seed),              "1", 0, INT64_MAX, NULL, "of all chance: the same seed gives the same world"},
    {"transition_ms",     CONFIG_INTEGER, offsetof (sim_settings_t, transition_ms),     "0", 0, 3600000, NULL, "scenario time of pending, stopping and shutting-down; 0: as the scenario says, else 5000"},
    {"throttle",          CONFIG_FLAG,    offsetof (sim_settings_t, throttle),          "no", 0, 0, NULL, "token buckets with AWS's own capacities for each action and region"},
    {"access_key_id",     CONFIG_TEXT,    offsetof (sim_settings_t, access_key_id),     "AKIDEXAMPLE", 0, 0, NULL, "key whose signatures are accepted"},
    {"secret_access_key", CONFIG_SECRET,  offsetof (sim_settings_t, secret_access_key), "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", 0, 0, NULL, "its secret"},
    {"key_seconds",       CONFIG_INTEGER, offsetof (sim_settings_t, key_seconds),       "0", 0, 43200, NULL, "how long every temporary key holds; 0: as it was asked for"},
    {"role",              CONFIG_TEXT,    offsetof (sim_settings_t, role),              "cmlwatch-instance", 0, 0, NULL, "role whose keys the metadata service and the container endpoint give; empty: none"},
    {"container_token",   CONFIG_TEXT,    offsetof (sim_settings_t, container_token),   "", 0, 0, NULL, "what a request to the container endpoint must say as Authorization; empty: nothing"},
    {"cml_username",      CONFIG_TEXT,    offsetof (sim_settings_t, cml_username),      "cmlwatch", 0, 0, NULL, "account of every simulated CML"},
    {"cml_password",      CONFIG_SECRET,  offsetof (sim_settings_t, cml_password),      "cmlwatch-demo", 0, 0, NULL, "its password"},
    {"token_seconds",     CONFIG_INTEGER, offsetof (sim_settings_t, token_seconds),     "28800", 1, 31536000, NULL, "how long a CML token holds"},
    {"push_stats_ms",     CONFIG_INTEGER, offsetof (sim_settings_t, push_stats_ms),     "3300", 10, 600000, NULL, "how often a CML pushes its load on /ws/ui; real ones do each 3.3 s"},
    {0},
};
// clang-format on

const program_t SIM = {
    .name = "cmlwatch-sim",
    .section = "sim",
    .summary = "stands in for AWS (EC2, CloudWatch, STS) and for CML servers, for demo and tests",
    .keys = KEYS,
    .settings_size = sizeof (sim_settings_t),
};
