// sse_load.c - many readers of one stream in one epoll loop, and what they saw.
//
//     sse_load PORT CLIENTS SECONDS [PATH]
//
// Opens CLIENTS connections (from 127.0.1.1 upwards, 20,000 to an address, so that ports do
// not run out), reads until SECONDS are over, and checks at each of them that ids grow by one
// and that a frame's latency is what its `"stamp_us":N` in the payload says, when there is one.
// Prints one line of JSON. It parses nothing it does not need: at 1 million frames a second the
// client must not be what is measured.
//
// SPDX-License-Identifier: MIT

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX     20000
#define PER_ADDRESS     20000
#define LATENCY_SLOTS   100000  //  of 10 us: up to 1 s, the last holds all beyond
#define LATENCY_SLOT_US 10
#define CARRY_MAX       64
#define SAMPLE_EVERY    16  //  latency is read of each 16th frame of a client

typedef struct client {
    int fd;
    uint64_t last_id;  //  0 before the first
    uint64_t frames;
    char carry [CARRY_MAX];  //  the start of a line that a read cut
    size_t carried;
} client_t;

typedef struct load {
    client_t *clients;
    size_t count;
    int epoll_fd;
    uint64_t frames, bytes, gaps, disorder, closed;
    uint32_t *latency;
} load_t;

static int64_t
now_us (clockid_t clock)
{
    struct timespec at;
    clock_gettime (clock, &at);
    return (int64_t) at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

static void
die (const char *what)
{
    fprintf (stderr, "sse_load: %s: %s\n", what, strerror (errno));
    exit (EXIT_FAILURE);
}

static int
dial (size_t index, int port)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons ((uint16_t) port)};
    here.sin_addr.s_addr = htonl (0x7f000101u + (uint32_t) (index / PER_ADDRESS));
    there.sin_addr.s_addr = htonl (INADDR_LOOPBACK);

    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    if (fd < 0) {
        die ("socket");
    }
    setsockopt (fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind (fd, (struct sockaddr *) &here, sizeof here) != 0 ||
        connect (fd, (struct sockaddr *) &there, sizeof there) != 0) {
        die ("connect");
    }
    return fd;
}

static void
open_clients (load_t *self, int port, const char *path)
{
    char request [512];
    int size =
        snprintf (request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", path);

    for (size_t i = 0; i < self->count; i++) {
        int fd = dial (i, port);
        struct epoll_event watch = {.events = EPOLLIN, .data.u64 = i};

        if (write (fd, request, (size_t) size) != size) {
            die ("request");
        }
        fcntl (fd, F_SETFL, O_NONBLOCK);
        self->clients [i].fd = fd;
        if (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &watch) != 0) {
            die ("epoll");
        }
    }
}

//  `id: 0a1b2c3d-123`
static void
take_id (load_t *self, client_t *client, const char *line, const char *end)
{
    const char *dash = memchr (line, '-', (size_t) (end - line));
    uint64_t id = dash ? strtoull (dash + 1, NULL, 10) : 0;

    if (client->last_id != 0 && id > client->last_id + 1) {
        self->gaps += id - client->last_id - 1;
    }
    if (id <= client->last_id) {
        self->disorder++;
    }
    client->last_id = id;
}

static void
take_latency (load_t *self, const char *line, const char *end)
{
    const char *stamp = memmem (line, (size_t) (end - line), "\"stamp_us\":", 11);

    if (stamp) {
        int64_t took = now_us (CLOCK_REALTIME) - strtoll (stamp + 11, NULL, 10);
        int64_t slot = took < 0 ? 0 : took / LATENCY_SLOT_US;
        self->latency [slot < LATENCY_SLOTS ? slot : LATENCY_SLOTS - 1]++;
    }
}

static void
take_line (load_t *self, client_t *client, const char *line, const char *end)
{
    if (end - line > 4 && memcmp (line, "id: ", 4) == 0) {
        take_id (self, client, line, end);
    } else if (end - line > 6 && memcmp (line, "data: ", 6) == 0) {
        self->frames++;
        if (++client->frames % SAMPLE_EVERY == 0) {
            take_latency (self, line, end);
        }
    }
}

static void
take_bytes (load_t *self, client_t *client, char *bytes, size_t size)
{
    char *line = bytes, *end = bytes + size, *newline;

    while ((newline = memchr (line, '\n', (size_t) (end - line)))) {
        if (client->carried > 0) {
            //  Ids and the heads of data lines are short: a carried line needs no more of its rest
            //  than fits.
            size_t rest = (size_t) (newline - line);
            size_t room = sizeof client->carry - client->carried;
            memcpy (client->carry + client->carried, line, rest < room ? rest : room);
            take_line (self, client, client->carry,
                       client->carry + client->carried + (rest < room ? rest : room));
            client->carried = 0;
        } else {
            take_line (self, client, line, newline);
        }
        line = newline + 1;
    }
    if (client->carried == 0) {
        size_t rest = (size_t) (end - line);
        client->carried = rest < sizeof client->carry ? rest : sizeof client->carry;
        memcpy (client->carry, line, client->carried);
    }
}

static void
serve (load_t *self, client_t *client)
{
    static char bytes [1 << 18];

    for (;;) {
        ssize_t size = read (client->fd, bytes, sizeof bytes - 1);
        if (size > 0) {
            bytes [size] = '\0';
            self->bytes += (uint64_t) size;
            take_bytes (self, client, bytes, (size_t) size);
        }
        if (size == (ssize_t) sizeof bytes - 1) {
            continue;
        }
        if (size == 0 || (size < 0 && errno != EAGAIN)) {
            close (client->fd);
            self->closed++;
        }
        return;
    }
}

static double
quantile_ms (const load_t *self, double part)
{
    uint64_t total = 0, seen = 0;

    for (size_t i = 0; i < LATENCY_SLOTS; i++) {
        total += self->latency [i];
    }
    for (size_t i = 0; i < LATENCY_SLOTS; i++) {
        seen += self->latency [i];
        if (total > 0 && (double) seen >= part * (double) total) {
            return (double) (i * LATENCY_SLOT_US) / 1000;
        }
    }
    return -1;
}

int
main (int argc, char **argv)
{
    if (argc < 4) {
        fprintf (stderr, "usage: sse_load PORT CLIENTS SECONDS [PATH]\n");
        return 2;
    }
    struct rlimit files;
    getrlimit (RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);

    load_t load = {.count = strtoull (argv [2], NULL, 10),
                   .epoll_fd = epoll_create1 (EPOLL_CLOEXEC)};
    if (load.count == 0 || load.count > CLIENTS_MAX) {
        fprintf (stderr, "sse_load: CLIENTS is 1 to %d\n", CLIENTS_MAX);
        return 2;
    }
    load.clients = calloc (load.count, sizeof *load.clients);
    load.latency = calloc (LATENCY_SLOTS, sizeof *load.latency);
    int64_t opened = now_us (CLOCK_MONOTONIC);
    open_clients (&load, (int) strtol (argv [1], NULL, 10),
                  argc > 4 ? argv [4] : "/api/events/stream?state=0");
    int64_t start = now_us (CLOCK_MONOTONIC), end = start + strtoll (argv [3], NULL, 10) * 1000000;

    struct epoll_event due [1024];
    for (int64_t left; (left = end - now_us (CLOCK_MONOTONIC)) > 0;) {
        int count = epoll_wait (load.epoll_fd, due, 1024, (int) (left / 1000) + 1);
        for (int i = 0; i < count; i++) {
            serve (&load, &load.clients [due [i].data.u64]);
        }
    }
    double took = (double) (now_us (CLOCK_MONOTONIC) - start) / 1e6;
    printf ("{\"clients\":%zu,\"open_ms\":%.1f,\"seconds\":%.2f,\"frames\":%llu,\"frames_per_"
            "second\":%.0f,"
            "\"bytes\":%llu,\"gaps\":%llu,\"disorder\":%llu,\"closed\":%llu,\"p50_ms\":%.2f,\"p99_"
            "ms\":%.2f,"
            "\"p999_ms\":%.2f}\n",
            load.count, (double) (start - opened) / 1000, took, (unsigned long long) load.frames,
            (double) load.frames / took, (unsigned long long) load.bytes,
            (unsigned long long) load.gaps, (unsigned long long) load.disorder,
            (unsigned long long) load.closed, quantile_ms (&load, 0.5), quantile_ms (&load, 0.99),
            quantile_ms (&load, 0.999));
    return load.gaps || load.disorder ? EXIT_FAILURE : EXIT_SUCCESS;
}
