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
#include "../common/notify.h"
#include "../common/program.h"
#include "control.h"
#include "dump.h"
#include "gauges.h"
#include "ingest.h"
#include "ownership.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 2000

typedef struct settings {
    program_settings_t program;
    char ingest [CONFIG_TEXT_SIZE];
    char control [CONFIG_TEXT_SIZE];
    char feed [CONFIG_TEXT_SIZE];
    char admin [CONFIG_TEXT_SIZE];
    int64_t resend_wait_ms, tick_ms, message_max_bytes, high_water_mark, feed_high_water_mark,
        renew_ms, collectors_max;
    int64_t jobs_max, metrics_workers_max;
    store_settings_t store;
    char backup [CONFIG_TEXT_SIZE], load [CONFIG_TEXT_SIZE];
    bool dump;
    char precedence [CONFIG_TEXT_SIZE];
    fleet_settings_t fleet;
    otlp_settings_t otlp;
} settings_t;

static const char *const DURABILITIES [] = {"process", "power", NULL};  //  as store_durability_t

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
    {"resend_wait_ms",    CONFIG_INTEGER, offsetof (settings_t, resend_wait_ms),       "10000",             10, 600000,        NULL, "how long a message that did not come may still come when asked for again; then it is lost"},
    {"collectors_max",    CONFIG_INTEGER, offsetof (settings_t, collectors_max),       "1000",              1, 100000,         NULL, "collectors that may hold a lease at once"},
    {"workers_max",       CONFIG_INTEGER, offsetof (settings_t, fleet.workers_max),    "100000",            1, 10000000,       NULL, "workers kept; instances beyond it are refused and counted"},
    {"terminated_keep_minutes", CONFIG_INTEGER, offsetof (settings_t, fleet.terminated_keep_minutes), "60", 0, 525600,         NULL, "how long a terminated worker stays in the state"},
    {"idle_timeout_minutes", CONFIG_INTEGER, offsetof (settings_t, fleet.rules.idle.idle_timeout_minutes), "60", 1, 525600,    NULL, "how long nobody has used a worker until it is idle"},
    {"snooze_minutes",    CONFIG_INTEGER, offsetof (settings_t, fleet.rules.idle.snooze_minutes), "60",      0, 525600,         NULL, "how long after a resume a worker is not paused for idleness"},
    {"auto_pause",        CONFIG_FLAG,    offsetof (settings_t, fleet.rules.idle.auto_pause), "no",          0, 0,              NULL, "ask for a worker.pause job when a worker is idle"},
    {"idle_ignores_running_labs", CONFIG_FLAG, offsetof (settings_t, fleet.rules.idle.idle_ignores_running_labs), "no", 0, 0,  NULL, "a worker whose labs run is idle too when nobody uses it"},
    {"service_failures",  CONFIG_INTEGER, offsetof (settings_t, fleet.rules.service_failures), "2",         1, 100,            NULL, "rounds in a row in which a CML must do worse until service_status says so"},
    {"utilization_precedence", CONFIG_TEXT, offsetof (settings_t, precedence), LOAD_ORDER_DEFAULT,           0, 0,              NULL, "whose utilisation counts first: kinds of collectors, * for the rest"},
    {"history_minutes",   CONFIG_INTEGER, offsetof (settings_t, fleet.history.fine_minutes), "1440",         0, 44640,          NULL, "samples kept, one a minute, of each worker and metric (4 bytes each); 0: none"},
    {"history_days",      CONFIG_INTEGER, offsetof (settings_t, fleet.history.thin_days), "7",               0, 366,            NULL, "samples kept beyond that, one each 10 minutes"},
    {"store",             CONFIG_TEXT,    offsetof (settings_t, store.path),           "",                  0, 0,              NULL, "folder that keeps workers and events over a restart; empty: nothing is kept"},
    {"durability",        CONFIG_CHOICE,  offsetof (settings_t, store.durability),     "process",           0, 0,              DURABILITIES, "what a commit survives: the end of any process, or a loss of power too"},
    {"store_bytes_max",   CONFIG_INTEGER, offsetof (settings_t, store.bytes_max),      "8589934592",        67108864, 1099511627776, NULL, "size up to which the store grows; beyond it nothing is taken in or told"},
    {"events_max",        CONFIG_INTEGER, offsetof (settings_t, store.events_max),     "100000",            1, 100000000,   NULL, "events kept for clients that come back; the oldest go first"},
    {"events_keep_hours", CONFIG_INTEGER, offsetof (settings_t, store.events_keep_hours), "72",             1, 8760,        NULL, "how long at most"},
    {"store_check",       CONFIG_FLAG,    offsetof (settings_t, store.check),          "yes",               0, 0,              NULL, "check every page and row of the store before it is used, about a second for each GB; a damaged one is refused"},
    {"backup",            CONFIG_TEXT,    offsetof (settings_t, backup),               "",                  0, 0,              NULL, "copy the store into this new folder, also while an aggregator has it, and end"},
    {"dump",              CONFIG_FLAG,    offsetof (settings_t, dump),                 "no",                0, 0,              NULL, "print the store as lines of JSON, and end"},
    {"salvage",           CONFIG_FLAG,    offsetof (settings_t, store.salvage),        "no",                0, 0,              NULL, "print what can be read of a damaged store as --dump does, and end; what is left out is logged"},
    {"load",              CONFIG_TEXT,    offsetof (settings_t, load),                 "",                  0, 0,              NULL, "fill an empty store from such lines in this file (- for standard input), and end"},
    {"jobs_max",          CONFIG_INTEGER, offsetof (settings_t, jobs_max),             "10000",              1, 1000000,        NULL, "jobs open at once; more are refused and counted"},
    {"metrics_workers_max", CONFIG_INTEGER, offsetof (settings_t, metrics_workers_max), "1000",              0, 1000000,        NULL, "workers with gauges of their own in /metrics; the rest count in the sums alone"},
    OTLP_KEYS (settings_t, otlp),
    {0},
};
// clang-format on

static int
check (const void *argument, reason_t *why)
{
    const settings_t *settings = argument;
    load_order_t order;

    int rc = load_order_parse (&order, settings->precedence, why);
    return rc < 0 ? rc : otlp_check (&settings->otlp, why);
}

static const program_t AGGREGATOR = {
    .name = "cmlwatch-aggregator",
    .section = "aggregator",
    .summary = "owns the state of all workers: applies observations, numbers and publishes events",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
    .check = check,
};

static int
load (store_t *store, const char *path, reason_t *why)
{
    bool standard = strcmp (path, "-") == 0;
    FILE *in = standard ? stdin : fopen (path, "re");

    if (!in) {
        return reason_set (why, -errno, "load %.400s: %s", path, strerror (errno));
    }
    int rc = dump_read (store, in, why);
    if (!standard) {
        fclose (in);
    }
    return rc;
}

//  What is asked of the store alone. 1: nothing was, run. Else it was done, or why not.
static int
serve_store (const settings_t *settings, reason_t *why)
{
    bool is_dump = settings->dump || settings->store.salvage;
    bool asked = *settings->backup || is_dump || *settings->load;

    if (asked && !*settings->store.path) {
        return reason_set (why, -EINVAL, "backup, dump, salvage and load want a store");
    }
    if (!asked || *settings->backup) {
        return asked ? store_backup (settings->store.path, settings->backup, why) : 1;
    }
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (SERIES_MAX);
    store_settings_t how = settings->store;
    how.check &= !how.salvage;
    _cleanup_ (store_destroy) store_t *store = metrics ? store_open (&how, metrics, why) : NULL;
    if (!store) {
        return -1;
    }
    return is_dump ? dump_write (store, stdout, why) : load (store, settings->load, why);
}

//  Its sockets are bound before the loop runs; what can fail later is the store.
static bool
is_ready (void *feed, reason_t *why)
{
    return !feed_is_held (feed, why);
}

static int
run (const settings_t *settings, reason_t *why)
{
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (SERIES_MAX);
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (settings->program.drain_ms);
    _cleanup_ (leases_destroy) leases_t *leases =
        leases_new (3 * settings->renew_ms * MS_US, (size_t) settings->collectors_max);
    _cleanup_ (losses_destroy) losses_t *losses = losses_new (settings->resend_wait_ms * MS_US);
    ingest_settings_t from = {settings->ingest, settings->message_max_bytes,
                              settings->high_water_mark};
    fleet_settings_t rules = settings->fleet;
    if (load_order_parse (&rules.rules.load_order, settings->precedence, why) < 0) {
        return -1;
    }
    if (!metrics || !loop || !leases || !losses) {
        return reason_set (why, -1, "out of memory or descriptors");
    }
    _cleanup_ (store_destroy) store_t *store =
        *settings->store.path ? store_open (&settings->store, metrics, why) : NULL;
    if (*settings->store.path && !store) {
        return -1;
    }
    _cleanup_ (otlp_destroy) otlp_t *otlp = NULL;
    if (otlp_open (&otlp, loop, &settings->otlp, AGGREGATOR.name, metrics, why) < 0) {
        return -1;
    }
    _cleanup_ (causes_destroy) causes_t *causes = causes_new (otlp);
    _cleanup_ (feed_destroy) feed_t *feed =
        feed_open (loop, settings->feed, settings->tick_ms, settings->feed_high_water_mark, store,
                   metrics, why);
    _cleanup_ (jobs_destroy) jobs_t *jobs =
        feed ? jobs_new (loop, feed, store, settings->jobs_max, metrics, why) : NULL;
    _cleanup_ (fleet_destroy) fleet_t *fleet =
        jobs ? fleet_new (loop, feed, jobs, store, &rules, metrics, why) : NULL;
    _cleanup_ (gauges_destroy) gauges_t *gauges =
        fleet ? gauges_new (loop, fleet, &rules.rules.idle, settings->metrics_workers_max, metrics)
              : NULL;
    _cleanup_ (control_destroy) control_t *control =
        gauges && fleet_restore (fleet, why) == 0
            ? control_open (loop, fleet, feed, store, leases, losses, settings->control,
                            settings->renew_ms, metrics, why)
            : NULL;
    _cleanup_ (ownership_destroy) ownership_t *ownership =
        control ? ownership_new (fleet, leases, metrics) : NULL;
    _cleanup_ (ingest_destroy) ingest_t *ingest =
        ownership ? ingest_open (loop, fleet, feed, losses, store, &from, metrics, why) : NULL;
    _cleanup_ (admin_destroy) admin_t *admin =
        ingest ? admin_new (loop, settings->admin, metrics, is_ready, feed, why) : NULL;
    _cleanup_ (notify_destroy) notify_t *notify = admin ? notify_new (loop, is_ready, feed) : NULL;
    if (!notify) {
        return -1;
    }
    feed_follow (feed, causes);
    log_info ("ready", LOG_TEXT ("ingest", settings->ingest),
              LOG_TEXT ("control", settings->control), LOG_TEXT ("feed", settings->feed),
              LOG_INTEGER ("admin_port", admin_port (admin)), LOG_TEXT ("epoch", feed_epoch (feed)),
              LOG_INTEGER ("seq", feed_sequence (feed)),
              LOG_INTEGER ("workers", fleet_size (fleet)));
    if (!store) {
        log_warn ("nothing is kept over a restart: 'store' names no folder");
    }
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
    int rc = serve_store (&settings, &why);
    rc = rc == 1 ? run (&settings, &why) : rc;
    return rc < 0 ? program_refuse (&AGGREGATOR, &why) : EXIT_SUCCESS;
}
