// bus_load.c - a collector and a reader of the feed in one process: what lies between them is measured.
//
//     bus_load KIND INGEST FEED PIDS [WORKERS]
//
// KIND: `aggregator`, or `raw` (bus_raw.c), which says what comes in as it is. PIDS: whose processor time is counted, apart
// by commas. WORKERS (1,000) take turns. Commands come as lines on stdin, each is answered by one line of JSON:
//
//     ready                     waits until what is published is heard
//     closed DEPTH SECONDS      DEPTH observations on their way: the next is published when one has come out
//     open RATE SECONDS         so many a second, whatever comes out; the latency of each
//
// As sse_load's; both run for WARM_US before they count. `missing` is what did not come out within PATIENCE_US, `wrong`
// what was not the observation that was due. SPDX-License-Identifier: MIT

#include "../../common/bus.h"
#include "../../common/cleanup.h"
#include "latency.h"
#include "observer.h"
#include "payload.h"
#include "processor.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#define WARM_US     250000
#define PATIENCE_US 30000000
#define AGAIN_US    50000
#define IN_FLIGHT   65536
#define HIGH_WATER  0
#define LINE_SIZE   200

typedef struct load {
    observer_t *observer;
    latency_t *latency;
    zsock_t *feed;
    const char *key, *pids;
    bool timed;
    uint64_t told, had, depth, from, wrong;
    int64_t began;  //  us
    double rate;    //  a second; 0: depth counts
    int64_t told_at [IN_FLIGHT];
} load_t;

//  False: no more fits.
static bool
tell (load_t *self)
{
    self->told_at [(self->told + 1) % IN_FLIGHT] = payload_now_us ();
    bool ok = observer_tell (self->observer, self->told + 1);
    self->told += ok;
    return ok;
}

static void
tell_due (load_t *self)
{
    uint64_t due = self->had + self->depth;

    if (self->rate > 0) {
        due =
            self->from + (uint64_t) ((double) (payload_now_us () - self->began) * self->rate / 1e6);
    }
    while (self->told < due && self->told - self->had < IN_FLIGHT && tell (self)) {
    }
}

static void
take (load_t *self, const char *text, size_t size)
{
    uint64_t seq = observer_find (text, size, self->key, self->told);

    if (seq <= self->had) {
        self->wrong += seq > 0;
        return;
    }
    self->wrong += seq != self->had + 1;
    self->had = seq;
    if (self->timed) {
        latency_note (self->latency, payload_now_us () - self->told_at [seq % IN_FLIGHT]);
    }
}

//  All that has come, or waits a little for more.
static void
turn (load_t *self)
{
    void *handle = zsock_resolve (self->feed);
    zmq_pollitem_t item = {.socket = handle, .events = ZMQ_POLLIN};
    _cleanup_ (zmq_msg_close) zmq_msg_t message;
    int count = 0;

    tell_due (self);
    zmq_msg_init (&message);
    while (count < BUS_BATCH_MAX && zmq_msg_recv (&message, handle, ZMQ_DONTWAIT) >= 0) {
        if (!zmq_msg_more (&message)) {
            take (self, zmq_msg_data (&message), zmq_msg_size (&message));
            count++;
        }
    }
    if (count == 0) {
        zmq_poll (&item, 1, 1);
    }
}

static void
run_for (load_t *self, int64_t us)
{
    for (int64_t end = payload_now_us () + us; payload_now_us () < end;) {
        turn (self);
    }
}

//  What has not come out when patience is over.
static uint64_t
settle (load_t *self)
{
    self->rate = 0;
    self->depth = 0;
    for (int64_t end = payload_now_us () + PATIENCE_US;
         self->had < self->told && payload_now_us () < end;) {
        turn (self);
    }
    return self->told - self->had;
}

static void
measure (load_t *self, double seconds)
{
    self->from = self->told;
    self->began = payload_now_us ();
    run_for (self, WARM_US);
    latency_reset (self->latency);
    self->timed = true;
    uint64_t had = self->had, told = self->told;
    double cpu = processor_us (self->pids);
    int64_t start = payload_now_us ();
    run_for (self, (int64_t) (seconds * 1e6));
    double took = (double) (payload_now_us () - start) / 1e6;
    had = self->had - had;
    told = self->told - told;
    cpu = processor_us (self->pids) - cpu;
    uint64_t missing = settle (self);
    self->timed = false;
    printf ("{\"seconds\":%.3f,\"told\":%llu,\"events\":%llu,\"per_second\":%.0f,\"cpu_us\":%.3f,"
            "\"cpu_share\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"missing\":%llu,\"wrong\":%llu,"
            "\"closed\":0,\"refused\":0}\n",
            took, (unsigned long long) told, (unsigned long long) had, (double) had / took,
            cpu / (double) (had > 0 ? had : 1), cpu / took / 1e6,
            latency_quantile_ms (self->latency, 0.5), latency_quantile_ms (self->latency, 0.99),
            (unsigned long long) missing, (unsigned long long) self->wrong);
}

//  What is told before both sides have joined does not come out: told again until one does.
static bool
wait_ready (load_t *self)
{
    int64_t end = payload_now_us () + PATIENCE_US;

    while (self->had == 0 && payload_now_us () < end) {
        if (observer_is_heard (self->observer)) {
            tell (self);
        }
        for (int64_t again = payload_now_us () + AGAIN_US;
             self->had == 0 && payload_now_us () < again;) {
            turn (self);
        }
    }
    bool ok = self->had > 0 && settle (self) == 0;
    self->wrong = 0;
    return ok;
}

static bool
obey (load_t *self, const char *line)
{
    char word [20] = "";
    double a = 0, b = 0;

    if (sscanf (line, "%19s %lf %lf", word, &a, &b) < 1) {
        return false;
    }
    if (strcmp (word, "ready") == 0) {
        printf ("{\"ok\":%s}\n", wait_ready (self) ? "true" : "false");
        return true;
    }
    self->depth = strcmp (word, "closed") == 0 ? (uint64_t) a : 0;
    self->rate = strcmp (word, "open") == 0 ? a : 0;
    if (self->depth == 0 && self->rate <= 0) {
        return false;
    }
    measure (self, b);
    return true;
}

static int
serve (load_t *self)
{
    char line [LINE_SIZE];

    setvbuf (stdout, NULL, _IOLBF, 0);
    while (fgets (line, sizeof line, stdin)) {
        if (!obey (self, line)) {
            fprintf (stderr, "bus_load: not a command: %s", line);
            return EXIT_FAILURE;
        }
    }
    return EXIT_SUCCESS;
}

int
main (int argc, char **argv)
{
    static load_t load;
    reason_t why = {0};

    if (argc < 5) {
        fprintf (stderr, "usage: bus_load KIND INGEST FEED PIDS [WORKERS]\n");
        return 2;
    }
    bool raw = strcmp (argv [1], "raw") == 0;
    load.key = raw ? OBSERVER_IN_TOPIC : OBSERVER_IN_EVENT;
    load.pids = argv [4];
    load.latency = latency_new ();
    load.observer = observer_new (argv [2], argc > 5 ? strtoul (argv [5], NULL, 10) : 1000);
    load.feed = bus_socket (ZMQ_SUB, BUS_CONNECT, argv [3], HIGH_WATER, 0, &why);
    if (!load.feed || !load.latency) {
        fprintf (stderr, "bus_load: %s\n", why.text);
        return EXIT_FAILURE;
    }
    zsock_set_subscribe (load.feed, raw ? OBSERVER_TOPIC "|" : "event|" OBSERVER_EVENT "|");
    int rc = serve (&load);
    zsock_destroy (&load.feed);
    observer_destroy (&load.observer);
    latency_destroy (&load.latency);
    return rc;
}
