// sse_load.c - readers of a stream and the teller of its events in one process, at somebody's word.
//
//     sse_load KIND AT CONTROL PORT PIDS [PATH] [gzip]
//
// KIND, AT, CONTROL: how events get in (mouth.h); PORT: where the stream is read; PIDS: whose
// processor time is counted, with all their threads, apart by commas. One process has both parts, so that the teller
// knows when all readers have an event, and their clock is one. Commands come as lines on stdin,
// each is answered by one line of JSON:
//
//     ready                     waits until the system hears the teller
//     clients N                 opens or closes readers until there are N
//     stopped N                 the same for those that ask and then read nothing
//     tell N DEPTH              N events, DEPTH of them in flight: to fill buffers; not measured
//     closed DEPTH SECONDS      DEPTH events in flight: the next is told when all readers have one
//     open RATE SECONDS         so many a second, whatever the readers have; latency of each
//
// closed and open run for WARM_US before they count. `missing` is what did not come within
// PATIENCE_US of the last event, `wrong` what was not the event that was due.
//
// SPDX-License-Identifier: MIT

#include "mouth.h"
#include "payload.h"
#include "processor.h"
#include "readers.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define WARM_US     250000
#define PATIENCE_US 30000000
#define LINE_SIZE   200
#define IDLE_MS     50

typedef struct load {
    loop_t *loop;
    mouth_t *mouth;
    readers_t *readers;
    const char *pids;
    uint64_t depth;         //  events in flight; 0: told by the clock
    uint64_t from, until;   //  numbers: told by the clock since began, or all that are to be told
    int64_t began, looked;  //  us; when the loop was last looked after
    double rate;
    int64_t late;  //  us: the most that an event was told after its time
} load_t;

static void
tell (load_t *self)
{
    mouth_tell (self->mouth, readers_expect (self->readers));
}

//  What is due now.
static void
tell_due (void *argument)
{
    load_t *self = argument;
    uint64_t told = readers_told (self->readers);

    if (self->depth > 0) {
        uint64_t bound = readers_complete (self->readers) + self->depth;
        while (told < bound && told < self->until) {
            tell (self);
            told++;
        }
        return;
    }
    int64_t now = payload_now_us ();
    while (told < self->until) {
        int64_t due = self->began + (int64_t) ((double) (told - self->from) * 1e6 / self->rate);
        if (due > now) {
            return;
        }
        self->late = now - due > self->late ? now - due : self->late;
        tell (self);
        told++;
    }
}

static void
turn (load_t *self)
{
    int64_t now = payload_now_us ();

    if (now - self->looked > 10000) {
        self->looked = now;
        loop_turn (self->loop, 0);
    }
    mouth_turn (self->mouth);
    tell_due (self);
    //  A feed that is bound to a descriptor of its own sends from libzmq's thread: no wait for it.
    readers_turn (self->readers, 1, tell_due, self);
}

static void
stop_telling (load_t *self)
{
    self->until = 0;
}

//  Events that some readers still have not had, when patience is over.
static uint64_t
settle (load_t *self)
{
    int64_t end = payload_now_us () + PATIENCE_US;

    stop_telling (self);
    while (readers_complete (self->readers) < readers_told (self->readers) &&
           payload_now_us () < end) {
        turn (self);
    }
    return readers_told (self->readers) - readers_complete (self->readers);
}

static void
run_for (load_t *self, int64_t us)
{
    int64_t end = payload_now_us () + us;

    while (payload_now_us () < end) {
        turn (self);
    }
}

static void
measure (load_t *self, double seconds)
{
    self->until = UINT64_MAX;
    self->from = readers_told (self->readers);
    self->began = payload_now_us ();
    run_for (self, WARM_US);
    self->late = 0;
    readers_time (self->readers, self->depth == 0);
    readers_counts_t before = readers_counts (self->readers);
    uint64_t told = readers_told (self->readers);
    double cpu = processor_us (self->pids);
    int64_t start = payload_now_us ();
    run_for (self, (int64_t) (seconds * 1e6));
    double took = (double) (payload_now_us () - start) / 1e6;
    readers_counts_t after = readers_counts (self->readers);
    cpu = processor_us (self->pids) - cpu;
    told = readers_told (self->readers) - told;
    uint64_t missing = settle (self), events = after.events - before.events;
    readers_time (self->readers, false);

    after = readers_counts (self->readers);
    double each = events > 0 ? (double) events : 1;
    printf (
        "{\"clients\":%zu,\"seconds\":%.3f,\"told\":%llu,\"events\":%llu,\"per_second\":%.0f,"
        "\"cpu_us\":%.4f,\"cpu_share\":%.3f,\"bytes_each\":%.2f,\"p50_ms\":%.2f,\"p99_ms\":%.2f,"
        "\"p999_ms\":%.2f,\"late_ms\":%.1f,\"missing\":%llu,\"wrong\":%llu,\"closed\":%llu,"
        "\"refused\":%llu}\n",
        readers_count (self->readers), took, (unsigned long long) told, (unsigned long long) events,
        (double) events / took, cpu / each, cpu / took / 1e6,
        (double) (after.bytes - before.bytes) /
            (double) (after.events > before.events ? after.events - before.events : 1),
        readers_quantile_ms (self->readers, 0.5), readers_quantile_ms (self->readers, 0.99),
        readers_quantile_ms (self->readers, 0.999), (double) self->late / 1000,
        (unsigned long long) missing, (unsigned long long) after.wrong,
        (unsigned long long) after.closed, (unsigned long long) mouth_refused (self->mouth));
}

static bool
wait_ready (load_t *self)
{
    int64_t end = payload_now_us () + PATIENCE_US;

    while (!mouth_is_ready (self->mouth) && payload_now_us () < end) {
        self->looked = 0;
        turn (self);
    }
    return mouth_is_ready (self->mouth);
}

static bool
obey (load_t *self, const char *line)
{
    char word [20] = "";
    double a = 0, b = 0;
    bool ok = true;

    if (sscanf (line, "%19s %lf %lf", word, &a, &b) < 1) {
        return false;
    }
    if (strcmp (word, "ready") == 0) {
        ok = wait_ready (self);
    } else if (strcmp (word, "clients") == 0) {
        ok = readers_resize (self->readers, (size_t) a);
    } else if (strcmp (word, "stopped") == 0) {
        ok = readers_resize_stopped (self->readers, (size_t) a);
    } else if (strcmp (word, "tell") == 0) {
        self->depth = (uint64_t) b;
        self->until = readers_told (self->readers) + (uint64_t) a;
        while (readers_told (self->readers) < self->until) {
            turn (self);
        }
        ok = settle (self) == 0;
    } else if (strcmp (word, "closed") == 0 || strcmp (word, "open") == 0) {
        self->depth = *word == 'c' ? (uint64_t) a : 0;
        self->rate = a;
        measure (self, b);
        return true;
    } else {
        return false;
    }
    printf ("{\"ok\":%s}\n", ok ? "true" : "false");
    return true;
}

static int
serve (load_t *self)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char line [LINE_SIZE];

    setvbuf (stdout, NULL, _IOLBF, 0);
    setvbuf (stdin, NULL, _IONBF, 0);  //  what poll says is what fgets finds
    for (;;) {
        turn (self);
        //  A system that waits for its turn must not cost the one that has it.
        if (poll (&input, 1, IDLE_MS) > 0) {
            if (!fgets (line, sizeof line, stdin)) {
                return EXIT_SUCCESS;
            }
            if (!obey (self, line)) {
                fprintf (stderr, "sse_load: not a command: %s", line);
                return EXIT_FAILURE;
            }
        }
    }
}

int
main (int argc, char **argv)
{
    struct rlimit files;

    if (argc < 6) {
        fprintf (stderr, "usage: sse_load KIND AT CONTROL PORT PIDS [PATH] [gzip]\n");
        return 2;
    }
    getrlimit (RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);
    load_t load = {.loop = loop_new (1000), .pids = argv [5]};
    load.mouth = mouth_new (load.loop, argv [1], argv [2], argv [3]);
    load.readers = readers_new ((int) strtol (argv [4], NULL, 10), argc > 6 ? argv [6] : "/",
                                argc > 7 && strcmp (argv [7], "gzip") == 0,
                                strcmp (argv [1], "collector") == 0);
    int rc = serve (&load);
    readers_destroy (&load.readers);
    mouth_destroy (&load.mouth);
    loop_destroy (&load.loop);
    return rc;
}
