// bench_store.c - what the store costs, and how long a restart takes.
//
//     bench_store FOLDER [WORKERS] [EVENTS] [ROUNDS]
//
// In FOLDER/store, made anew and removed at the end. Commits of 1 and of 256 events of 1.5 KB, with
// both durabilities (median time of a commit, and events a second); then a store of WORKERS and
// EVENTS is opened and restored, as at the start of the aggregator. Medians of ROUNDS. Prints one
// line of JSON. What a disk does is what is measured: compare within one run.
//
// SPDX-License-Identifier: MIT

#include "../../aggregator/fleet.h"
#include "../../common/cleanup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENT_BYTES 1500
#define SMALL       1
#define LARGE       256
#define COMMITS_MAX 2000

typedef struct bench {
    char folder [900];
    size_t workers, events, rounds;
    metrics_t *metrics;
} bench_t;

static store_settings_t
settings_of (const bench_t *bench, store_durability_t durability)
{
    store_settings_t settings = {.durability = durability,
                                 .bytes_max = (int64_t) 8 << 30,
                                 .events_max = 10000000,
                                 .events_keep_hours = 72,
                                 .check = true};

    snprintf (settings.path, sizeof settings.path, "%s/store", bench->folder);
    return settings;
}

static void
clean (const bench_t *bench)
{
    static const char *const FILES [] = {"store/data.mdb", "store/lock.mdb", "store/owner",
                                         "store"};

    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        char path [1000];
        snprintf (path, sizeof path, "%s/%s", bench->folder, FILES [i]);
        (void) remove (path);
    }
}

static store_t *
open_store (const bench_t *bench, store_durability_t durability)
{
    store_settings_t settings = settings_of (bench, durability);
    reason_t why = {0};
    store_t *store = store_open (&settings, bench->metrics, &why);

    if (!store) {
        fprintf (stderr, "bench_store: %s\n", why.text);
        exit (EXIT_FAILURE);
    }
    return store;
}

static void
put_events (store_t *store, size_t count)
{
    static char body [EVENT_BYTES];
    uint64_t next = store_last (store) + 1;
    reason_t why = {0};

    memset (body, 'x', sizeof body);
    for (size_t i = 0; i < count; i++) {
        store_put_event (store, next + i, clock_now ().wall, "event|worker.snapshot|us-east-1|", 32,
                         body, sizeof body);
    }
    if (store_commit (store, &why) < 0) {
        fprintf (stderr, "bench_store: %s\n", why.text);
        exit (EXIT_FAILURE);
    }
}

static int
by_value (const void *a, const void *b)
{
    const double *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

//  Microseconds of a commit of so many events, in the middle and of the slowest of a hundred.
static void
time_commits (const bench_t *bench, store_durability_t durability, size_t count, size_t commits,
              double *p50, double *p99)
{
    static double times [COMMITS_MAX];
    assert (commits <= COMMITS_MAX);

    clean (bench);
    store_t *store = open_store (bench, durability);
    for (size_t i = 0; i < commits; i++) {
        time_us_t from = clock_now ().steady;
        put_events (store, count);
        times [i] = (double) (clock_now ().steady - from);
    }
    store_destroy (&store);
    qsort (times, commits, sizeof *times, by_value);
    *p50 = times [commits / 2];
    *p99 = times [commits * 99 / 100];
}

static void
tell (worker_t *worker, event_type_t type, const char *data)
{
    _cleanup_ (buffer_clear) buffer_t body = {0};
    observation_t seen;
    reason_t why = {0};

    envelope_write (&body, type, "/collector/bench/b", "0badcafe", 1, "us-east-1/i",
                    clock_now ().wall, NULL, data, strlen (data));
    if (observation_decode (&seen, body.data, body.size, OBSERVATION_BYTES_MAX, &why) < 0) {
        fprintf (stderr, "bench_store: %s\n", why.text);
        exit (EXIT_FAILURE);
    }
    if (type == EVENT_INSTANCE_OBSERVED) {
        worker_update_ec2 (worker, &seen.instance_observed, seen.envelope.time);
    } else {
        worker_update_cml (worker, &seen.system_observed, seen.envelope.time);
    }
    observation_clear (&seen);
}

static void
put_workers (const bench_t *bench, store_t *store)
{
    for (size_t i = 0; i < bench->workers; i++) {
        buffer_t row = {0};
        char id [40];
        snprintf (id, sizeof id, "i-%zu", i);
        worker_t *worker = worker_new ("us-east-1", id, clock_now ().wall);
        assert (worker);
        tell (worker, EVENT_INSTANCE_OBSERVED,
              "{\"state\":\"running\",\"name\":\"cml-exam\",\"instance_type\":\"m5zn.metal\","
              "\"public_ip\":\"10.0.0.1\",\"tags\":{\"team\":\"exam\"},\"system_status\":\"ok\"}");
        tell (worker, EVENT_SYSTEM_OBSERVED,
              "{\"reachable\":true,\"ready\":true,\"version\":\"2.9.0\",\"system_stats\":{"
              "\"computes\":{\"a\":{\"hostname\":\"cml\",\"stats\":{\"cpu\":{\"count\":48,"
              "\"percent\":33},\"memory\":{\"total\":202466185216,\"used\":90000000000},\"disk\":{"
              "\"total\":500000000000,\"used\":200000000000}}}}}}");
        worker_save (worker, (worker_text_t){0}, &row);
        store_put (store, STORE_WORKERS, worker_id (worker), row.data, row.size);
        buffer_clear (&row);
        worker_destroy (&worker);
    }
}

static void
fill (const bench_t *bench)
{
    store_t *store = open_store (bench, STORE_PROCESS);

    put_workers (bench, store);
    for (size_t i = 0; i < bench->events; i += LARGE) {
        put_events (store, LARGE);
    }
    store_destroy (&store);
}

//  As the aggregator starts: the store opened, every worker restored. Milliseconds.
static double
time_restart (const bench_t *bench)
{
    fleet_settings_t settings = {.workers_max = (int64_t) bench->workers,
                                 .rules = {.idle = IDLE_RULES_DEFAULT, .service_failures = 2}};
    reason_t why = {0};
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (1000);
    load_order_parse (&settings.rules.load_order, LOAD_ORDER_DEFAULT, &why);
    time_us_t from = clock_now ().steady;
    _cleanup_ (store_destroy) store_t *store = open_store (bench, STORE_PROCESS);
    _cleanup_ (feed_destroy) feed_t *feed =
        feed_open (loop, "tcp://127.0.0.1:*", NULL, 250, 1000, store, bench->metrics, &why);
    const broker_settings_t work = {
        .rules = {.jobs_max = 10, .jobs_bytes_max = 1000}, .runners_max = 10, .renew_ms = 2000};
    _cleanup_ (broker_destroy) broker_t *broker =
        broker_new (loop, feed, store, &work, bench->metrics, &why);
    _cleanup_ (fleet_destroy) fleet_t *fleet =
        fleet_new (loop, feed, broker, store, &settings, bench->metrics, &why);

    if (fleet_restore (fleet, &why) < 0 || fleet_size (fleet) != bench->workers) {
        fprintf (stderr, "bench_store: %s\n", why.text);
        exit (EXIT_FAILURE);
    }
    return (double) (clock_now ().steady - from) / 1000;
}

static void
print_commits (const bench_t *bench, const char *name, store_durability_t durability, size_t count,
               size_t commits)
{
    double p50, p99;

    time_commits (bench, durability, count, commits, &p50, &p99);
    printf ("\"%s_%zu\":{\"p50_us\":%.0f,\"p99_us\":%.0f,\"events_per_second\":%.0f},", name, count,
            p50, p99, (double) count * SECOND_US / p50);
}

int
main (int argc, char **argv)
{
    bench_t bench = {.workers = argc > 2 ? strtoul (argv [2], NULL, 10) : 10000,
                     .events = argc > 3 ? strtoul (argv [3], NULL, 10) : 100000,
                     .rounds = argc > 4 ? strtoul (argv [4], NULL, 10) : 5};
    double restarts [99];

    if (argc < 2 || bench.rounds == 0 || bench.rounds > 99) {
        fprintf (stderr, "usage: bench_store FOLDER [WORKERS] [EVENTS] [ROUNDS]\n");
        return EXIT_FAILURE;
    }
    snprintf (bench.folder, sizeof bench.folder, "%s", argv [1]);
    bench.metrics = metrics_new (1000);
    printf ("{");
    print_commits (&bench, "process", STORE_PROCESS, SMALL, 2000);
    print_commits (&bench, "process", STORE_PROCESS, LARGE, 200);
    print_commits (&bench, "power", STORE_POWER, SMALL, 200);
    print_commits (&bench, "power", STORE_POWER, LARGE, 50);
    clean (&bench);
    fill (&bench);
    for (size_t i = 0; i < bench.rounds; i++) {
        restarts [i] = time_restart (&bench);
    }
    qsort (restarts, bench.rounds, sizeof *restarts, by_value);
    printf ("\"workers\":%zu,\"events\":%zu,\"restart_ms\":%.0f}\n", bench.workers, bench.events,
            restarts [bench.rounds / 2]);
    clean (&bench);
    metrics_destroy (&bench.metrics);
    return EXIT_SUCCESS;
}
