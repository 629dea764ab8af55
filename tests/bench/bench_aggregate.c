// bench_aggregate.c - what one observation costs in the aggregator, part by part.
//
//     bench_aggregate [WORKERS] [OBSERVATIONS] [ROUNDS] [FOLDER] [PART]
//
// Observations are prepared as the bytes that come from the bus (mix.h). Each figure is the median of
// ROUNDS, per second of processor time. `domain` is the operations of worker.h alone on decoded observations; `decoded` adds JSON
// in; `told` adds events, snapshots and the feed's socket (to which nobody subscribes), in turns of
// 256; all of them in the order of MIX_BY_KIND. `whole` is the aggregator's own loop with all its parts,
// a store in FOLDER (/tmp if not said), and one who hears the feed, in the order in which collectors
// speak; its sockets are in the process, so that no other thread has a hand in it and the instructions
// are the same in each run (`make flame`). PART does that one alone. Prints one line of JSON. What
// the process costs, with TCP, is ingest_load.c's to say.
//
// SPDX-License-Identifier: MIT

#include "../../aggregator/alerts.h"
#include "../../aggregator/ingest.h"
#include "../../common/cleanup.h"
#include "mix.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#define TURN       256
#define ROUNDS_MAX 99
#define INGEST     "inproc://bench-ingest"
#define FEED       "inproc://bench-feed"
#define FEED_HWM   1000000

typedef struct message {
    buffer_t topic, text;
    size_t worker;
} message_t;

typedef struct bench {
    size_t workers, count;
    const char *folder;
    message_t *messages;
} bench_t;

//  Processor time, for others may be at work on the machine too.
static time_us_t
spent_us (void)
{
    struct timespec at;

    clock_gettime (CLOCK_THREAD_CPUTIME_ID, &at);
    return (time_us_t) at.tv_sec * SECOND_US + at.tv_nsec / 1000;
}

static void
free_messages (bench_t *bench)
{
    for (size_t i = 0; bench->messages && i < bench->count; i++) {
        buffer_clear (&bench->messages [i].text);
        buffer_clear (&bench->messages [i].topic);
    }
    free (bench->messages);
    bench->messages = NULL;
}

static void
make_messages (bench_t *bench, mix_order_t order)
{
    uint64_t sequences [MIX_KINDS] = {0};
    time_us_t at = clock_now ().wall - (time_us_t) bench->count;

    free_messages (bench);
    bench->messages = calloc (bench->count, sizeof *bench->messages);
    assert (bench->messages);
    for (size_t i = 0; i < bench->count; i++) {
        mix_step_t step = mix_step (order, bench->workers, i);
        //  Three of the kinds are one collector's.
        uint64_t *sequence = &sequences [step.kind > MIX_CML ? MIX_CML : step.kind];
        message_t *message = &bench->messages [i];
        buffer_t data = {0}, subject = {0};

        mix_write_data (&data, step.kind, step.worker, step.value);
        mix_write_subject (&subject, step.worker);
        message->worker = step.worker;
        envelope_write (&message->text, mix_type (step.kind), mix_source (step.kind), "0badcafe",
                        ++*sequence, subject.data, at + (time_us_t) i, NULL, data.data, data.size);
        envelope_write_topic (&message->topic, mix_type (step.kind), subject.data);
        buffer_clear (&data);
        buffer_clear (&subject);
    }
}

static observation_t
decode (const message_t *message)
{
    observation_t observation;
    reason_t why = {0};
    int rc = observation_decode (&observation, message->text.data, message->text.size,
                                 OBSERVATION_BYTES_MAX, &why);

    if (rc < 0) {
        fprintf (stderr, "bench_aggregate: %s\n", why.text);
        abort ();
    }
    return observation;
}

static void
update (worker_t *worker, const observation_t *seen)
{
    time_us_t at = seen->envelope.time;

    switch (seen->envelope.type) {
    case EVENT_INSTANCE_OBSERVED: worker_update_ec2 (worker, &seen->instance_observed, at); break;
    case EVENT_UTILIZATION_OBSERVED:
        worker_update_cloudwatch (worker, &seen->utilization_observed, at);
        break;
    case EVENT_SYSTEM_OBSERVED: worker_update_cml (worker, &seen->system_observed, at); break;
    case EVENT_LABS_OBSERVED: worker_update_labs (worker, &seen->labs_observed, at); break;
    case EVENT_ACTIVITY_OBSERVED:
        worker_update_activity (worker, &seen->activity_observed, at);
        break;
    default: abort ();
    }
}

static void
apply (fleet_t *fleet, const observation_t *seen)
{
    reason_t why = {0};
    int rc = 0;

    switch (seen->envelope.type) {
    case EVENT_INSTANCE_OBSERVED: rc = fleet_apply_instance (fleet, seen, &why); break;
    case EVENT_UTILIZATION_OBSERVED: rc = fleet_apply_utilization (fleet, seen, &why); break;
    case EVENT_SYSTEM_OBSERVED: rc = fleet_apply_system (fleet, seen, &why); break;
    case EVENT_LABS_OBSERVED: rc = fleet_apply_labs (fleet, seen, &why); break;
    case EVENT_ACTIVITY_OBSERVED: rc = fleet_apply_activity (fleet, seen, &why); break;
    default: abort ();
    }
    if (rc < 0) {
        fprintf (stderr, "bench_aggregate: %s\n", why.text);
        abort ();
    }
}

static double
rate (const bench_t *bench, time_us_t from)
{
    return (double) bench->count * SECOND_US / (double) (spent_us () - from);
}

static worker_t **
make_workers (const bench_t *bench)
{
    worker_t **workers = calloc (bench->workers, sizeof (worker_t *));

    assert (workers);
    for (size_t i = 0; i < bench->workers; i++) {
        char id [40];
        snprintf (id, sizeof id, "i-%zu", i);
        workers [i] = worker_new ("us-east-1", id, 0);
        assert (workers [i]);
    }
    return workers;
}

static void
free_workers (const bench_t *bench, worker_t **workers)
{
    for (size_t i = 0; i < bench->workers; i++) {
        worker_destroy (&workers [i]);
    }
    free (workers);
}

//  Observations decoded beforehand, a turn's worth at a time, outside the clock.
static double
domain_rate (const bench_t *bench)
{
    worker_t **workers = make_workers (bench);
    observation_t seen [TURN];
    time_us_t spent = 0;

    for (size_t at = 0; at < bench->count; at += TURN) {
        size_t size = bench->count - at < TURN ? bench->count - at : TURN;
        for (size_t i = 0; i < size; i++) {
            seen [i] = decode (&bench->messages [at + i]);
        }
        time_us_t from = spent_us ();
        for (size_t i = 0; i < size; i++) {
            update (workers [bench->messages [at + i].worker], &seen [i]);
        }
        spent += spent_us () - from;
        for (size_t i = 0; i < size; i++) {
            observation_clear (&seen [i]);
        }
    }
    free_workers (bench, workers);
    return (double) bench->count * SECOND_US / (double) spent;
}

static double
decoded_rate (const bench_t *bench)
{
    worker_t **workers = make_workers (bench);
    time_us_t from = spent_us ();

    for (size_t i = 0; i < bench->count; i++) {
        observation_t seen = decode (&bench->messages [i]);
        update (workers [bench->messages [i].worker], &seen);
        observation_clear (&seen);
    }
    double result = rate (bench, from);
    free_workers (bench, workers);
    return result;
}

//  The parts of the aggregator that an observation passes, as main.c ties them together.
typedef struct parts {
    fleet_settings_t settings;
    metrics_t *metrics;
    loop_t *loop;
    store_t *store;
    feed_t *feed;
    broker_t *broker;
    fleet_t *fleet;
    losses_t *losses;
    alerts_t *alerts;
    ingest_t *ingest;
} parts_t;

static void
give_up (const reason_t *why)
{
    fprintf (stderr, "bench_aggregate: %s\n", why->text);
    exit (EXIT_FAILURE);
}

static void
open_parts (parts_t *parts, const bench_t *bench, const char *feed, store_t *store)
{
    static const broker_settings_t WORK = {
        .rules = {.jobs_max = 10, .jobs_bytes_max = 1000}, .runners_max = 10, .renew_ms = 2000};
    reason_t why = {0};

    *parts = (parts_t){.settings = {.workers_max = (int64_t) bench->workers,
                                    .history = {.fine_minutes = 1440, .thin_days = 7},
                                    .rules = {.idle = IDLE_RULES_DEFAULT, .service_failures = 2}},
                       .metrics = metrics_new (1000),
                       .loop = loop_new (1000),
                       .store = store};
    load_order_parse (&parts->settings.rules.load_order, LOAD_ORDER_DEFAULT, &why);
    parts->feed = feed_open (parts->loop, feed, NULL, 250, FEED_HWM, store, parts->metrics, &why);
    parts->broker = parts->feed
                        ? broker_new (parts->loop, parts->feed, store, &WORK, parts->metrics, &why)
                        : NULL;
    parts->fleet = parts->broker ? fleet_new (parts->loop, parts->feed, parts->broker, store,
                                              &parts->settings, parts->metrics, &why)
                                 : NULL;
    if (!parts->fleet) {
        give_up (&why);
    }
}

static void
close_parts (parts_t *parts)
{
    ingest_destroy (&parts->ingest);
    alerts_destroy (&parts->alerts);
    losses_destroy (&parts->losses);
    fleet_destroy (&parts->fleet);
    broker_destroy (&parts->broker);
    feed_destroy (&parts->feed);
    loop_destroy (&parts->loop);
    metrics_destroy (&parts->metrics);
}

static double
told_rate (const bench_t *bench, size_t *snapshot_bytes)
{
    parts_t parts;

    open_parts (&parts, bench, "tcp://127.0.0.1:*", NULL);
    time_us_t from = spent_us ();
    for (size_t at = 0; at < bench->count; at += TURN) {
        for (size_t i = at; i < at + TURN && i < bench->count; i++) {
            observation_t seen = decode (&bench->messages [i]);
            apply (parts.fleet, &seen);
            observation_clear (&seen);
        }
        loop_turn (parts.loop, 0);
    }
    double result = rate (bench, from);
    buffer_t header = {0}, json = {0};
    feed_write_state (parts.feed, fleet_next (parts.fleet, ""), 0, &header, &json);
    *snapshot_bytes = json.size;
    buffer_clear (&header);
    buffer_clear (&json);
    close_parts (&parts);
    return result;
}

static void
add_doors (parts_t *parts)
{
    const ingest_settings_t from = {INGEST, NULL, OBSERVATION_BYTES_MAX, FEED_HWM};
    reason_t why = {0};
    alert_rules_t *rules = alert_rules_new ("", &why);

    parts->losses = losses_new (SECOND_US);
    parts->alerts = rules ? alerts_new (parts->loop, parts->feed, parts->fleet, parts->store, NULL,
                                        &rules, 10000, parts->metrics, &why)
                          : NULL;
    parts->ingest = parts->alerts
                        ? ingest_open (parts->loop, parts->fleet, parts->feed, parts->losses,
                                       parts->store, &from, parts->metrics, &why)
                        : NULL;
    if (!parts->ingest) {
        give_up (&why);
    }
}

//  Whatever has come on the feed; counts the bytes.
static size_t
drain (zsock_t *feed)
{
    size_t bytes = 0;
    zmq_msg_t part;

    zmq_msg_init (&part);
    while (zmq_msg_recv (&part, zsock_resolve (feed), ZMQ_DONTWAIT) >= 0) {
        bytes += zmq_msg_size (&part);
    }
    zmq_msg_close (&part);
    return bytes;
}

static void
publish (const message_t *message, zsock_t *socket)
{
    void *handle = zsock_resolve (socket);

    (void) zmq_send (handle, message->topic.data, message->topic.size, ZMQ_SNDMORE);
    (void) zmq_send (handle, message->text.data, message->text.size, 0);
}

static store_t *
make_store (const bench_t *bench, metrics_t *metrics)
{
    store_settings_t settings = {
        .bytes_max = (int64_t) 8 << 30, .events_max = 100000, .events_keep_hours = 72};
    reason_t why = {0};

    snprintf (settings.path, sizeof settings.path, "%s/bench_aggregate.store", bench->folder);
    store_t *store = store_open (&settings, metrics, &why);
    if (!store) {
        give_up (&why);
    }
    return store;
}

static void
remove_store (const bench_t *bench)
{
    static const char *const FILES [] = {"/data.mdb", "/lock.mdb", "/owner", ""};

    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        char path [1100];
        snprintf (path, sizeof path, "%s/bench_aggregate.store%s", bench->folder, FILES [i]);
        (void) remove (path);
    }
}

//  The clock runs while the aggregator's loop turns, not while it is spoken to or heard.
static double
whole_rate (const bench_t *bench, size_t *feed_bytes)
{
    static const char *const EVERYTHING = "";
    reason_t why = {0};
    parts_t parts;
    time_us_t spent = 0;

    remove_store (bench);
    metrics_t *metrics = metrics_new (1000);
    store_t *store = make_store (bench, metrics);
    open_parts (&parts, bench, FEED, store);
    add_doors (&parts);
    zsock_t *speaker = bus_socket (ZMQ_PUB, BUS_CONNECT, INGEST, FEED_HWM, 0, &why);
    zsock_t *listener = bus_socket (ZMQ_SUB, BUS_CONNECT, FEED, FEED_HWM, 0, &why);
    zsock_set_subscribe (listener, EVERYTHING);
    loop_turn (parts.loop, 0);  //  who hears whom
    *feed_bytes = 0;
    for (size_t at = 0; at < bench->count; at += TURN) {
        for (size_t i = at; i < at + TURN && i < bench->count; i++) {
            publish (&bench->messages [i], speaker);
        }
        time_us_t from = spent_us ();
        loop_turn (parts.loop, 0);
        spent += spent_us () - from;
        *feed_bytes += drain (listener);
    }
    zsock_destroy (&speaker);
    zsock_destroy (&listener);
    close_parts (&parts);
    store_destroy (&store);
    metrics_destroy (&metrics);
    remove_store (bench);
    return (double) bench->count * SECOND_US / (double) spent;
}

static int
by_value (const void *a, const void *b)
{
    const double *first = a, *second = b;
    return (*first > *second) - (*first < *second);
}

static double
median (double *values, size_t count)
{
    qsort (values, count, sizeof *values, by_value);
    return values [count / 2];
}

typedef enum part { DOMAIN, DECODED, TOLD, WHOLE, PARTS } part_t;
static const char *const PART_NAMES [PARTS] = {"domain", "decoded", "told", "whole"};

static double
measure (bench_t *bench, part_t part, size_t *snapshot_bytes, size_t *feed_bytes)
{
    make_messages (bench, part == WHOLE ? MIX_AS_COLLECTED : MIX_BY_KIND);
    switch (part) {
    case DOMAIN: return domain_rate (bench);
    case DECODED: return decoded_rate (bench);
    case TOLD: return told_rate (bench, snapshot_bytes);
    case WHOLE: return whole_rate (bench, feed_bytes);
    case PARTS: break;
    }
    return 0;
}

int
main (int argc, char **argv)
{
    bench_t bench = {.workers = argc > 1 ? strtoul (argv [1], NULL, 10) : 1000,
                     .count = argc > 2 ? strtoul (argv [2], NULL, 10) : 100000,
                     .folder = argc > 4 ? argv [4] : "/tmp"};
    size_t rounds = argc > 3 ? strtoul (argv [3], NULL, 10) : 5, snapshot_bytes = 0, feed_bytes = 0;
    double rates [PARTS][ROUNDS_MAX];

    if (bench.workers == 0 || bench.count == 0 || rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf (stderr, "usage: bench_aggregate [WORKERS] [OBSERVATIONS] [ROUNDS] [FOLDER] "
                         "[domain|decoded|told|whole]\n");
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < rounds; i++) {
        for (int part = 0; part < PARTS; part++) {
            if (argc <= 5 || strcmp (argv [5], PART_NAMES [part]) == 0) {
                rates [part][i] = measure (&bench, (part_t) part, &snapshot_bytes, &feed_bytes);
            }
        }
    }
    printf ("{\"workers\":%zu,\"observations\":%zu,\"rounds\":%zu", bench.workers, bench.count,
            rounds);
    for (int part = 0; part < PARTS; part++) {
        if (argc <= 5 || strcmp (argv [5], PART_NAMES [part]) == 0) {
            printf (",\"%s_per_second\":%.0f", PART_NAMES [part], median (rates [part], rounds));
        }
    }
    printf (",\"snapshot_bytes\":%zu,\"feed_bytes\":%zu}\n", snapshot_bytes, feed_bytes);
    free_messages (&bench);
    return EXIT_SUCCESS;
}
