// bench_aggregate.c - what one observation costs in the aggregator, part by part.
//
//     bench_aggregate [WORKERS] [OBSERVATIONS] [ROUNDS]
//
// Observations are prepared as the bytes that come from the bus, in the mix of a real fleet: of
// each worker in turn EC2's, CloudWatch's, CML's, its labs and its activity, with values that
// change. Each figure is the median of ROUNDS. `domain` is the operations of worker.h alone on
// decoded observations; `decoded` adds JSON in; `told` adds events, snapshots and the feed's
// socket (to which nobody subscribes), in turns of 256. Prints one line of JSON.
//
// SPDX-License-Identifier: MIT

#include "../../aggregator/fleet.h"
#include "../../common/cleanup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURN       256
#define ROUNDS_MAX 99
#define KINDS      5

typedef struct message {
    buffer_t text;
    size_t worker;
} message_t;

typedef struct bench {
    size_t workers, count;
    message_t *messages;
} bench_t;

//  @ is the number of the worker, # a number of two digits that changes.
static const struct {
    const char *type, *source, *data;
} MIX [KINDS] = {
    {"instance.observed", "/collector/ec2/bench",
     "{\"instance_id\":\"i-@\",\"region\":\"us-east-1\",\"name\":\"cml-@\",\"state\":"
     "\"running\",\"instance_type\":\"m5zn.metal\",\"public_ip\":\"10.0.0.1\",\"system_status\":"
     "\"ok\",\"instance_status\":\"ok\",\"tags\":{\"Name\":\"cml-@\",\"team\":\"exam\"},"
     "\"interval_seconds\":30}"},
    {"utilization.observed", "/collector/cloudwatch/bench",
     "{\"cpu_percent\":#.25,\"memory_percent\":31.5,\"disk_percent\":44,\"interval_seconds\":"
     "60}"},
    {"system.observed", "/collector/cml/bench",
     "{\"endpoint\":\"https://10.0.0.1\",\"reachable\":true,\"version\":\"2.9.0+build.6\","
     "\"ready\":true,\"system_stats\":{\"computes\":{\"a\":{\"hostname\":\"cml-@\","
     "\"is_controller\":true,\"stats\":{\"cpu\":{\"count\":48,\"percent\":#.5,\"load\":[1,2,3],"
     "\"model\":\"Xeon Platinum 8252C\"},\"memory\":{\"total\":202466185216,\"free\":100000000000,"
     "\"used\":90000000000},\"disk\":{\"total\":500000000000,\"free\":300000000000,\"used\":"
     "200000000000},\"dominfo\":{\"allocated_cpus\":10,\"allocated_memory\":20000,\"total_nodes\":"
     "20,\"running_nodes\":12}}}}},\"interval_seconds\":15}"},
    {"labs.observed", "/collector/cml/bench",
     "{\"labs\":[{\"lab_id\":\"l1\",\"title\":\"ospf\",\"state\":\"STARTED\",\"owner\":\"ada\","
     "\"node_count\":4,\"link_count\":#}],\"interval_seconds\":15}"},
    {"activity.observed", "/collector/cml/bench",
     "{\"last_activity_at\":\"2026-11-20T10:#:00.000Z\",\"interval_seconds\":60}"}};

static void
fill (buffer_t *out, const char *template, size_t worker, unsigned value)
{
    for (; *template; template ++) {
        if (*template == '@') {
            buffer_format (out, "%zu", worker);
        } else if (*template == '#') {
            buffer_format (out, "%u", value);
        } else {
            buffer_append (out, template, 1);
        }
    }
}

static void
make_messages (bench_t *bench)
{
    time_us_t at = clock_now ().wall;

    bench->messages = calloc (bench->count, sizeof *bench->messages);
    assert (bench->messages);
    for (size_t i = 0; i < bench->count; i++) {
        size_t kind = i / bench->workers % KINDS, worker = i % bench->workers;
        buffer_t data = {0};
        char subject [80];

        snprintf (subject, sizeof subject, "us-east-1/i-%zu", worker);
        fill (&data, MIX [kind].data, worker, 10 + (unsigned) (i / bench->workers) % 50);
        bench->messages [i].worker = worker;
        envelope_write (&bench->messages [i].text, event_type_parse_ingest (MIX [kind].type),
                        MIX [kind].source, "0badcafe", i + 1, subject, at + (time_us_t) i, NULL,
                        data.data, data.size);
        buffer_clear (&data);
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
    return (double) bench->count * SECOND_US / (double) (clock_now ().steady - from);
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
        time_us_t from = clock_now ().steady;
        for (size_t i = 0; i < size; i++) {
            update (workers [bench->messages [at + i].worker], &seen [i]);
        }
        spent += clock_now ().steady - from;
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
    time_us_t from = clock_now ().steady;

    for (size_t i = 0; i < bench->count; i++) {
        observation_t seen = decode (&bench->messages [i]);
        update (workers [bench->messages [i].worker], &seen);
        observation_clear (&seen);
    }
    double result = rate (bench, from);
    free_workers (bench, workers);
    return result;
}

static double
told_rate (const bench_t *bench, size_t *snapshot_bytes)
{
    fleet_settings_t settings = {.workers_max = (int64_t) bench->workers,
                                 .history = {.fine_minutes = 1440, .thin_days = 7},
                                 .rules = {.idle = IDLE_RULES_DEFAULT, .service_failures = 2}};
    reason_t why = {0};
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (1000);
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (1000);
    _cleanup_ (feed_destroy) feed_t *feed =
        feed_open (loop, "tcp://127.0.0.1:*", NULL, 250, 1000, NULL, metrics, &why);
    const broker_settings_t work = {
        .rules = {.jobs_max = 10, .jobs_bytes_max = 1000}, .runners_max = 10, .renew_ms = 2000};
    _cleanup_ (broker_destroy) broker_t *broker =
        feed ? broker_new (loop, feed, NULL, &work, metrics, &why) : NULL;
    load_order_parse (&settings.rules.load_order, LOAD_ORDER_DEFAULT, &why);
    _cleanup_ (fleet_destroy) fleet_t *fleet =
        broker ? fleet_new (loop, feed, broker, NULL, &settings, metrics, &why) : NULL;
    if (!fleet) {
        fprintf (stderr, "bench_aggregate: %s\n", why.text);
        abort ();
    }
    time_us_t from = clock_now ().steady;
    for (size_t at = 0; at < bench->count; at += TURN) {
        for (size_t i = at; i < at + TURN && i < bench->count; i++) {
            observation_t seen = decode (&bench->messages [i]);
            apply (fleet, &seen);
            observation_clear (&seen);
        }
        loop_turn (loop, 0);
    }
    double result = rate (bench, from);
    buffer_t header = {0}, json = {0};
    feed_write_state (feed, fleet_next (fleet, ""), 0, &header, &json);
    *snapshot_bytes = json.size;
    buffer_clear (&header);
    buffer_clear (&json);
    return result;
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

int
main (int argc, char **argv)
{
    bench_t bench = {.workers = argc > 1 ? strtoul (argv [1], NULL, 10) : 1000,
                     .count = argc > 2 ? strtoul (argv [2], NULL, 10) : 100000};
    size_t rounds = argc > 3 ? strtoul (argv [3], NULL, 10) : 5, snapshot_bytes = 0;
    double domain [ROUNDS_MAX], decoded [ROUNDS_MAX], told [ROUNDS_MAX];

    if (bench.workers == 0 || bench.count == 0 || rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf (stderr, "usage: bench_aggregate [WORKERS] [OBSERVATIONS] [ROUNDS]\n");
        return EXIT_FAILURE;
    }
    make_messages (&bench);
    for (size_t i = 0; i < rounds; i++) {
        domain [i] = domain_rate (&bench);
        decoded [i] = decoded_rate (&bench);
        told [i] = told_rate (&bench, &snapshot_bytes);
    }
    printf ("{\"workers\":%zu,\"observations\":%zu,\"rounds\":%zu,\"domain_per_second\":%.0f,"
            "\"decoded_per_second\":%.0f,\"told_per_second\":%.0f,\"snapshot_bytes\":%zu}\n",
            bench.workers, bench.count, rounds, median (domain, rounds), median (decoded, rounds),
            median (told, rounds), snapshot_bytes);
    for (size_t i = 0; i < bench.count; i++) {
        buffer_clear (&bench.messages [i].text);
    }
    free (bench.messages);
    return EXIT_SUCCESS;
}
