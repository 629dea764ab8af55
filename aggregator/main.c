// main.c - the aggregator: the only owner of worker state.
//
// Observations come in (ingest), change workers (fleet) and are told (feed); control answers
// questions and hands out work. Parts are declared in the order in which they lean on each other,
// so they are destroyed in the other.
//
// SPDX-License-Identifier: MIT

#include "../common/admin.h"
#include "../common/cleanup.h"
#include "../common/log.h"
#include "../common/program.h"
#include "control.h"
#include "ingest.h"

#include <stdlib.h>

#define SERIES_MAX 2000

typedef struct settings {
    program_settings_t program;
    char ingest [CONFIG_TEXT_SIZE];
    char control [CONFIG_TEXT_SIZE];
    char feed [CONFIG_TEXT_SIZE];
    char admin [CONFIG_TEXT_SIZE];
    int64_t tick_ms, message_max_bytes, high_water_mark, feed_high_water_mark, renew_ms,
        collectors_max;
    fleet_settings_t fleet;
} settings_t;

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (settings_t),
    {"ingest",            CONFIG_TEXT,    offsetof (settings_t, ingest),               BUS_INGEST_DEFAULT,  0, 0,              NULL, "address collectors publish to"},
    {"control",           CONFIG_TEXT,    offsetof (settings_t, control),              BUS_CONTROL_DEFAULT, 0, 0,              NULL, "address of questions: leases and state"},
    {"feed",              CONFIG_TEXT,    offsetof (settings_t, feed),                 BUS_FEED_DEFAULT,    0, 0,              NULL, "address gateways subscribe to"},
    {"admin",             CONFIG_TEXT,    offsetof (settings_t, admin),                "127.0.0.1:8081",    0, 0,              NULL, "address of /healthz, /readyz and /metrics"},
    {"tick_ms",           CONFIG_INTEGER, offsetof (settings_t, tick_ms),              "250",               10, 10000,         NULL, "longest silence on the feed"},
    {"message_max_bytes", CONFIG_INTEGER, offsetof (settings_t, message_max_bytes),    "262144",            1024, 16777216,    NULL, "largest observation taken; larger ones are counted and dropped"},
    {"high_water_mark",   CONFIG_INTEGER, offsetof (settings_t, high_water_mark),      "100000",            100, 10000000,     NULL, "observations waiting to be read; beyond it collectors keep theirs"},
    {"feed_high_water_mark", CONFIG_INTEGER, offsetof (settings_t, feed_high_water_mark), "100000",         100, 10000000,     NULL, "messages waiting for one gateway; beyond it they are dropped and the gateway asks for the state again"},
    {"renew_ms",          CONFIG_INTEGER, offsetof (settings_t, renew_ms),             "2000",              100, 60000,        NULL, "how often a collector renews its lease; after three times it is gone"},
    {"collectors_max",    CONFIG_INTEGER, offsetof (settings_t, collectors_max),       "1000",              1, 100000,         NULL, "collectors that may hold a lease at once"},
    {"workers_max",       CONFIG_INTEGER, offsetof (settings_t, fleet.workers_max),    "100000",            1, 10000000,       NULL, "workers kept; instances beyond it are refused and counted"},
    {"terminated_keep_minutes", CONFIG_INTEGER, offsetof (settings_t, fleet.terminated_keep_minutes), "60", 0, 525600,         NULL, "how long a terminated worker stays in the state"},
    {0},
};
// clang-format on

static const program_t AGGREGATOR = {
    .name = "cmlwatch-aggregator",
    .section = "aggregator",
    .summary = "owns the state of all workers: applies observations, numbers and publishes events",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
};

//  Its sockets are bound before the loop runs: who is answered here is answered everywhere.
static bool
is_ready (void *argument, reason_t *why)
{
    (void) argument, (void) why;
    return true;
}

static int
run (const settings_t *settings, reason_t *why)
{
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (SERIES_MAX);
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (settings->program.drain_ms);
    _cleanup_ (leases_destroy) leases_t *leases =
        leases_new (3 * settings->renew_ms * MS_US, (size_t) settings->collectors_max);
    if (!metrics || !loop || !leases) {
        return reason_set (why, -1, "out of memory or descriptors");
    }
    _cleanup_ (feed_destroy) feed_t *feed = feed_open (
        loop, settings->feed, settings->tick_ms, settings->feed_high_water_mark, metrics, why);
    _cleanup_ (fleet_destroy) fleet_t *fleet =
        feed ? fleet_new (loop, feed, &settings->fleet, metrics, why) : NULL;
    _cleanup_ (control_destroy) control_t *control =
        fleet ? control_open (loop, fleet, feed, leases, settings->control, settings->renew_ms,
                              metrics, why)
              : NULL;
    _cleanup_ (ingest_destroy) ingest_t *ingest =
        control ? ingest_open (loop, fleet, settings->ingest, settings->message_max_bytes,
                               settings->high_water_mark, metrics, why)
                : NULL;
    _cleanup_ (admin_destroy) admin_t *admin =
        ingest ? admin_new (loop, settings->admin, metrics, is_ready, NULL, why) : NULL;
    if (!admin) {
        return -1;
    }
    log_info ("ready", LOG_TEXT ("ingest", settings->ingest),
              LOG_TEXT ("control", settings->control), LOG_TEXT ("feed", settings->feed),
              LOG_INTEGER ("admin_port", admin_port (admin)),
              LOG_TEXT ("epoch", feed_epoch (feed)));
    return loop_run (loop);
}

int
main (int argc, char **argv)
{
    static settings_t settings;  //  a few pages: not for the stack
    reason_t why = {0};

    switch (program_start (&AGGREGATOR, argc, argv, &settings, &why)) {
    case PROGRAM_RUN: break;
    case PROGRAM_ANSWERED: return EXIT_SUCCESS;
    case PROGRAM_REFUSED: return program_refuse (&AGGREGATOR, &why);
    }
    return run (&settings, &why) < 0 ? program_refuse (&AGGREGATOR, &why) : EXIT_SUCCESS;
}
