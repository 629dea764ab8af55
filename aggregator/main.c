// main.c - the aggregator: the only owner of worker state.
//
// Observations come in (ingest), change workers (fleet) and are told (feed); control answers
// questions and hands out work. Parts are declared in the order in which they lean on each other,
// so they are destroyed in the other.
//
// SPDX-License-Identifier: MIT

#include "../common/admin.h"
#include "../common/cleanup.h"
#include "../common/heap.h"
#include "../common/log.h"
#include "../common/notify.h"
#include "../common/program.h"
#include "alerts.h"
#include "control.h"
#include "door.h"
#include "dump.h"
#include "gauges.h"
#include "ingest.h"
#include "money.h"
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
    int64_t metrics_workers_max;
    broker_settings_t broker;
    store_settings_t store;
    char backup [CONFIG_TEXT_SIZE], load [CONFIG_TEXT_SIZE];
    bool dump, new_epoch;
    char precedence [CONFIG_TEXT_SIZE], instance_prices [CONFIG_TEXT_SIZE];
    int auto_pause;  //  a place in AUTO_PAUSES
    fleet_settings_t fleet;
    bus_keys_settings_t keys;
    char curve_allow [CONFIG_TEXT_SIZE];
    bool insecure_bus;
    char alert_rules [CONFIG_TEXT_SIZE];
    int64_t alerts_max;
    webhook_settings_t webhook;
    otlp_settings_t otlp;
} settings_t;

static const char *const DURABILITIES [] = {"process", "power", NULL};  //  as store_durability_t

//  `yes` and `no` are from when it was a flag.
static const char *const AUTO_PAUSES [] = {"off", "dry-run", "on", "no", "yes", NULL};
static const auto_pause_t AUTO_PAUSE_OF [] = {AUTO_PAUSE_OFF, AUTO_PAUSE_DRY_RUN, AUTO_PAUSE_ON,
                                              AUTO_PAUSE_OFF, AUTO_PAUSE_ON};

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (settings_t),
    {"ingest",            CONFIG_TEXT,    offsetof (settings_t, ingest),               BUS_INGEST_DEFAULT,  0, 0,              NULL, "address collectors publish to"},
    {"control",           CONFIG_TEXT,    offsetof (settings_t, control),              BUS_CONTROL_DEFAULT, 0, 0,              NULL, "address of questions: leases and state"},
    {"feed",              CONFIG_TEXT,    offsetof (settings_t, feed),                 BUS_FEED_DEFAULT,    0, 0,              NULL, "address gateways subscribe to"},
    BUS_KEY (settings_t, keys),
    {"curve_allow",       CONFIG_TEXT,    offsetof (settings_t, curve_allow),          "",                  0, 0,              NULL, "folder with the public keys of those who may connect, each with its role"},
    {"insecure_bus",      CONFIG_FLAG,    offsetof (settings_t, insecure_bus),         "no",                0, 0,              NULL, "let the bus be reached from other hosts without keys: whoever reaches it may say and ask everything"},
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
    {"auto_pause",        CONFIG_CHOICE,  offsetof (settings_t, auto_pause),           "off",               0, 0,              AUTO_PAUSES, "stop the instance of a worker that is idle, by a worker.pause job; dry-run: only say that it would, and what that would save"},
    {"auto_pause_again_minutes", CONFIG_INTEGER, offsetof (settings_t, fleet.rules.idle.again_minutes), "10", 1, 525600,        NULL, "how long after an auto-pause that failed it is tried again"},
    {"instance_prices",   CONFIG_TEXT,    offsetof (settings_t, instance_prices),      "",                  0, 0,              NULL, "USD an hour: a list `[region/]type=price`, apart by ',', or a file of such lines; empty: no costs are told"},
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
    {"new_epoch",         CONFIG_FLAG,    offsetof (settings_t, new_epoch),            "no",                0, 0,              NULL, "begin a new epoch in the store, so that clients take the whole state, and end: for a disk that was put back as it had been; a store that was copied, as a backup is, begins one by itself"},
    {"jobs_max",          CONFIG_INTEGER, offsetof (settings_t, broker.rules.jobs_max), "10000",             1, 50000,          NULL, "jobs open at once; more are refused and counted"},
    {"jobs_bytes_max",    CONFIG_INTEGER, offsetof (settings_t, broker.rules.jobs_bytes_max), "16777216",    16384, 16777216,    NULL, "bytes of the payloads of open jobs together; more are refused and counted"},
    {"jobs_keep",         CONFIG_INTEGER, offsetof (settings_t, broker.rules.jobs_keep), "10000",            0, 1000000,        NULL, "jobs kept when they are over; those that ended first go first"},
    {"jobs_keep_hours",   CONFIG_INTEGER, offsetof (settings_t, broker.rules.jobs_keep_hours), "72",         1, 8760,           NULL, "how long at most"},
    {"job_pending_minutes", CONFIG_INTEGER, offsetof (settings_t, broker.rules.job_pending_minutes), "60",   1, 525600,         NULL, "how long a job waits for a runner until it fails"},
    {"job_progress_ms",   CONFIG_INTEGER, offsetof (settings_t, broker.rules.job_progress_ms), "250",        0, 60000,          NULL, "shortest time between two words of a job's progress; the last wins"},
    {"refresh_min_seconds", CONFIG_INTEGER, offsetof (settings_t, broker.rules.refresh_min_seconds), "10",   0, 3600,           NULL, "shortest time between two refreshes of a worker"},
    {"runners_max",       CONFIG_INTEGER, offsetof (settings_t, broker.runners_max),   "1000",               1, 10000,          NULL, "runners of jobs that may register at once"},
    {"metrics_workers_max", CONFIG_INTEGER, offsetof (settings_t, metrics_workers_max), "1000",              0, 1000000,        NULL, "workers with gauges of their own in /metrics; the rest count in the sums alone"},
    {"alert_rules",       CONFIG_TEXT,    offsetof (settings_t, alert_rules),          "",                  0, 0,              NULL, "file of alert rules beside the built-in ones; read again on SIGHUP"},
    {"alerts_max",        CONFIG_INTEGER, offsetof (settings_t, alerts_max),           "10000",             1, 1000000,        NULL, "alerts pending or raised at once; more are counted and wait"},
    WEBHOOK_KEYS (settings_t, webhook),
    OTLP_KEYS (settings_t, otlp),
    {0},
};
// clang-format on

//  Whoever reaches a bus without keys may stop every worker there is.
static int
check_bus (const settings_t *settings, reason_t *why)
{
    const char *const ENDPOINTS [] = {settings->ingest, settings->control, settings->feed};
    bool is_locked = *settings->keys.key != '\0';

    if (is_locked != (*settings->curve_allow != '\0')) {
        return reason_set (why, -EINVAL,
                           "curve_key and curve_allow go together: the aggregator's "
                           "own keys, and those whom it lets in");
    }
    _cleanup_ (bus_keys_destroy) bus_keys_t *keys = NULL;
    if (bus_keys_open_own (&keys, &settings->keys, why) < 0 ||
        (is_locked && door_check (settings->curve_allow, why) < 0)) {
        return -1;
    }
    for (size_t i = 0; i < 3 && !is_locked && !settings->insecure_bus; i++) {
        if (!bus_endpoint_is_local (ENDPOINTS [i])) {
            return reason_set (why, -EINVAL,
                               "%.200s can be reached from other hosts, and nothing is encrypted: "
                               "give curve_key and curve_allow, or say insecure_bus = yes",
                               ENDPOINTS [i]);
        }
    }
    return 0;
}

static int
check (const void *argument, reason_t *why)
{
    const settings_t *settings = argument;
    load_order_t order;

    int rc = load_order_parse (&order, settings->precedence, why);
    rc = rc < 0 ? rc : check_bus (settings, why);
    rc = rc < 0 ? rc : webhook_check (&settings->webhook, why);
    rc = rc < 0 ? rc : otlp_check (&settings->otlp, why);
    if (rc < 0) {
        return rc;
    }
    _cleanup_ (prices_destroy) prices_t *prices = prices_read (settings->instance_prices, why);
    _cleanup_ (alert_rules_destroy) alert_rules_t *rules =
        prices ? alert_rules_new (settings->alert_rules, why) : NULL;
    return rules ? 0 : -EINVAL;
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

static int
renew (store_t *store, reason_t *why)
{
    int rc = store_set_epoch (store, NULL, why);

    if (rc == 0) {
        printf ("%s\n", store_epoch (store));
    }
    return rc;
}

//  What is asked of the store alone. 1: nothing was, run. Else it was done, or why not.
static int
serve_store (const settings_t *settings, reason_t *why)
{
    bool is_dump = settings->dump || settings->store.salvage;
    bool asked = *settings->backup || is_dump || *settings->load || settings->new_epoch;

    if (asked && !*settings->store.path) {
        return reason_set (why, -EINVAL, "backup, dump, salvage, load and new_epoch want a store");
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
    if (settings->new_epoch) {
        return renew (store, why);
    }
    return is_dump ? dump_write (store, stdout, why) : load (store, settings->load, why);
}

//  Its sockets are bound before the loop runs; what can fail later is the store.
static bool
is_ready (void *feed, reason_t *why)
{
    return !feed_is_held (feed, why);
}

typedef struct rules_file {
    const char *path;
    alerts_t *alerts;
} rules_file_t;

//  Of all settings, the rules alone can change while it runs.
static void
on_reload (void *argument)
{
    const rules_file_t *self = argument;
    reason_t why = {0};
    alert_rules_t *rules = alert_rules_new (self->path, &why);

    if (rules) {
        log_info ("alert rules read again", LOG_INTEGER ("rules", rules->count));
        alerts_replace (self->alerts, &rules);
    } else {
        log_error ("the new alert rules are wrong; the old stay", LOG_TEXT ("reason", why.text));
    }
}

//  What everything else stands on.
typedef struct ground {
    loop_t *loop;
    metrics_t *metrics;
    store_t *store;    //  null: nothing is kept
    otlp_t *otlp;      //  null: nothing is sent
    bus_keys_t *keys;  //  null: the bus is not encrypted
} ground_t;

static int
serve (const settings_t *settings, const ground_t *on, reason_t *why)
{
    loop_t *loop = on->loop;
    metrics_t *metrics = on->metrics;
    store_t *store = on->store;
    _cleanup_ (leases_destroy) leases_t *leases =
        leases_new (3 * settings->renew_ms * MS_US, (size_t) settings->collectors_max);
    _cleanup_ (losses_destroy) losses_t *losses = losses_new (settings->resend_wait_ms * MS_US);
    ingest_settings_t from = {settings->ingest, on->keys, settings->message_max_bytes,
                              settings->high_water_mark};
    fleet_settings_t rules = settings->fleet;
    _cleanup_ (prices_destroy) prices_t *prices = prices_read (settings->instance_prices, why);
    if (!prices || load_order_parse (&rules.rules.load_order, settings->precedence, why) < 0) {
        return -1;
    }
    rules.rules.prices = prices;
    rules.rules.idle.auto_pause = AUTO_PAUSE_OF [settings->auto_pause];
    if (!leases || !losses) {
        return reason_set (why, -1, "out of memory");
    }
    _cleanup_ (causes_destroy) causes_t *causes = causes_new (on->otlp);
    _cleanup_ (feed_destroy) feed_t *feed =
        feed_open (loop, settings->feed, on->keys, settings->tick_ms,
                   settings->feed_high_water_mark, store, metrics, why);
    broker_settings_t work = settings->broker;
    work.renew_ms = settings->renew_ms;
    work.rules.is_stored = store != NULL;
    _cleanup_ (broker_destroy) broker_t *broker =
        feed ? broker_new (loop, feed, store, &work, metrics, why) : NULL;
    _cleanup_ (fleet_destroy) fleet_t *fleet =
        broker ? fleet_new (loop, feed, broker, store, &rules, metrics, why) : NULL;
    _cleanup_ (gauges_destroy) gauges_t *gauges =
        fleet ? gauges_new (loop, fleet, &rules.rules.idle, settings->metrics_workers_max, metrics)
              : NULL;
    _cleanup_ (money_destroy) money_t *money =
        gauges ? money_new (loop, fleet, &rules.rules, metrics) : NULL;
    if (!money || fleet_restore (fleet, why) < 0 ||
        broker_follow (broker, fleet, leases, why) < 0) {
        return -1;
    }
    _cleanup_ (webhook_destroy) webhook_t *webhook = NULL;
    if (webhook_open (&webhook, loop, &settings->webhook, feed, store, metrics, why) < 0) {
        return -1;
    }
    alert_rules_t *alert_rules = alert_rules_new (settings->alert_rules, why);
    _cleanup_ (alerts_destroy) alerts_t *alerts =
        alert_rules ? alerts_new (loop, feed, fleet, store, webhook, &alert_rules,
                                  settings->alerts_max, metrics, why)
                    : NULL;
    _cleanup_ (control_destroy) control_t *control =
        alerts ? control_open (loop, fleet, feed, store, leases, losses, alerts, settings->control,
                               on->keys, settings->renew_ms, metrics, why)
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
    control_follow (control, ingest);
    rules_file_t rules_file = {settings->alert_rules, alerts};
    loop_on_reload (loop, on_reload, &rules_file);
    feed_follow (feed, causes);
    log_info ("ready", LOG_TEXT ("ingest", settings->ingest),
              LOG_TEXT ("control", settings->control), LOG_TEXT ("feed", settings->feed),
              LOG_INTEGER ("admin_port", admin_port (admin)), LOG_TEXT ("epoch", feed_epoch (feed)),
              LOG_INTEGER ("seq", feed_sequence (feed)),
              LOG_INTEGER ("workers", fleet_size (fleet)));
    return loop_run (loop);
}

static int
run (const settings_t *settings, reason_t *why)
{
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (SERIES_MAX);
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (settings->program.drain_ms);
    _cleanup_ (store_destroy) store_t *store = NULL;
    _cleanup_ (otlp_destroy) otlp_t *otlp = NULL;
    _cleanup_ (bus_keys_destroy) bus_keys_t *keys = NULL;
    _cleanup_ (door_destroy) door_t *door = NULL;
    _cleanup_ (heap_destroy) heap_t *heap = metrics && loop ? heap_new (loop, metrics) : NULL;

    if (!heap) {
        return reason_set (why, -1, "out of memory or descriptors");
    }
    if (*settings->store.path && !(store = store_open (&settings->store, metrics, why))) {
        return -1;
    }
    if (!store) {
        log_warn ("nothing is kept over a restart: 'store' names no folder");
    }
    if (otlp_open (&otlp, loop, &settings->otlp, AGGREGATOR.name, metrics, why) < 0 ||
        bus_keys_open_own (&keys, &settings->keys, why) < 0) {
        return -1;
    }
    if (keys && !(door = door_open (loop, settings->curve_allow, metrics, why))) {
        return -1;
    }
    ground_t ground = {loop, metrics, store, otlp, keys};
    return serve (settings, &ground, why);
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
