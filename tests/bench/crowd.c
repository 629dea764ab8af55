// crowd.c - streams that come, are read and thrown away, stall, leave, and come back to where they were: soak.py's.
//
//     crowd CLIENTS LIFE_SECONDS STALLS RESUMES GZIP
//
// So many streams are open at a time, each for LIFE_SECONDS on the average. Of a hundred, STALLS are read no more after a
// part of it, as those of a machine whose lid is shut; RESUMES come back after a while with the last id that they
// saw; GZIP want it packed. On standard input a line `+PORT` or `-PORT` says that a gateway listens there, or does no
// more; `?` asks for the counts, which are a line of JSON on standard output. It ends, with these, when standard
// input does.
//
// A crowd that is slow itself would make the gateway look slow. So what a stream says is discarded in the kernel
// (MSG_TRUNC), but for its first bytes and, of one that is to come back, the last; and longest_turn_ms says how
// long, since the last question, bytes may have waited for nobody but us.
//
// SPDX-License-Identifier: MIT

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CLIENTS_MAX   20000
#define PORTS_MAX     16
#define ID_SIZE       40
#define READ_BYTES    ((size_t) 65536)
#define DISCARD_BYTES ((size_t) 4 << 20)
#define STALL_BUFFER  65536  //  of one that is to stall: enough to keep up, and little to fill
#define AT_ONCE       20     //  come in a turn
#define TURN_MS       20
#define SECOND_US     INT64_C (1000000)
#define AWAY_US       (10 * SECOND_US)  //  at most, before one comes back
#define STALL_PART    4                 //  of its life, before it stalls
#define LAST_ID_US    (5 * SECOND_US)   //  one that is to leave waits so long for an id

typedef enum phase { CONNECTING, ANSWERING, READING, LEAVING, STALLING } phase_t;

typedef struct member {
    int fd, port;
    phase_t phase;
    bool gzip, resumes, stalls;
    int64_t end;        //  when it leaves
    int64_t stall;      //  when it is read no more
    char id [ID_SIZE];  //  the last it saw; of one that is away, where it comes back to
    size_t place;
} member_t;

static struct {
    int epoll_fd;
    size_t clients;
    double life;
    unsigned stalls, resumes, gzip;
    int ports [PORTS_MAX];
    size_t port_count;
    member_t *here [CLIENTS_MAX], *away [CLIENTS_MAX];
    size_t here_count, away_count;
    int64_t longest_turn;
    struct {
        uint64_t came, came_back, reset, stalled, left, ended, refused, bytes;
    } counts;
} crowd;

static void
die (const char *what)
{
    fprintf (stderr, "crowd: %s: %s\n", what, strerror (errno));
    exit (EXIT_FAILURE);
}

static int64_t
now_us (void)
{
    struct timespec now;

    clock_gettime (CLOCK_MONOTONIC, &now);
    return now.tv_sec * SECOND_US + now.tv_nsec / 1000;
}

static bool
chance (unsigned percent)
{
    return (unsigned) (random () % 100) < percent;
}

//  Exponential: most leave soon, a few stay for long.
static int64_t
choose_life (void)
{
    double part = ((double) random () + 1) / ((double) RAND_MAX + 1);

    return (int64_t) (-log (part) * crowd.life * (double) SECOND_US);
}

//  --- to come and to go

static void
watch (member_t *self, int operation, uint32_t events)
{
    struct epoll_event watched = {.events = events, .data.ptr = self};

    if (epoll_ctl (crowd.epoll_fd, operation, self->fd, &watched) != 0) {
        die ("epoll");
    }
}

static void
take_out (member_t *self)
{
    close (self->fd);
    crowd.here [self->place] = crowd.here [--crowd.here_count];
    crowd.here [self->place]->place = self->place;
}

static void
leave (member_t *self)
{
    take_out (self);
    free (self);
}

static void
leave_for_a_while (member_t *self)
{
    take_out (self);
    self->end = now_us () + random () % AWAY_US;
    crowd.away [crowd.away_count++] = self;
}

//  Takes the member over: a new one, or one that was away and has an id.
static void
come (member_t *self)
{
    struct sockaddr_in there = {.sin_family = AF_INET};
    int size = STALL_BUFFER;

    self->port = crowd.ports [(size_t) random () % crowd.port_count];
    self->phase = CONNECTING;
    self->gzip = !*self->id && chance (crowd.gzip);
    self->resumes = !self->gzip && chance (crowd.resumes);
    self->end = now_us () + choose_life ();
    there.sin_port = htons ((uint16_t) self->port);
    there.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    self->fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (self->fd < 0) {
        die ("socket");
    }
    if (!*self->id && chance (crowd.stalls)) {
        self->stalls = true;
        self->resumes = false;
        self->stall = now_us () + choose_life () / STALL_PART;
        self->end += self->stall - now_us ();
        setsockopt (self->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    if (connect (self->fd, (struct sockaddr *) &there, sizeof there) != 0 && errno != EINPROGRESS) {
        die ("connect");
    }
    self->place = crowd.here_count;
    crowd.here [crowd.here_count++] = self;
    watch (self, EPOLL_CTL_ADD, EPOLLOUT);
}

static member_t *
next_to_come (int64_t now)
{
    for (size_t i = 0; i < crowd.away_count; i++) {
        member_t *self = crowd.away [i];
        if (self->end <= now) {
            crowd.away [i] = crowd.away [--crowd.away_count];
            return self;
        }
    }
    member_t *self =
        crowd.here_count + crowd.away_count < crowd.clients ? calloc (1, sizeof *self) : NULL;
    return self;
}

static void
keep_up_the_number (int64_t now)
{
    member_t *self;

    for (int i = 0; i < AT_ONCE && crowd.port_count > 0 && (self = next_to_come (now)); i++) {
        come (self);
    }
    for (size_t i = crowd.here_count; i-- > 0;) {
        self = crowd.here [i];
        if (self->stalls && self->phase == READING && self->stall <= now) {
            crowd.counts.stalled++;
            self->phase = STALLING;
            watch (self, EPOLL_CTL_MOD, 0);  //  a reset is still heard of
        }
        if (self->end > now) {
            continue;
        }
        if (self->phase == READING && self->resumes) {
            self->phase = LEAVING;
            self->end = now + LAST_ID_US;
        } else {
            crowd.counts.left++;
            leave (self);
        }
    }
}

//  --- what comes of a stream

static void
ask (member_t *self)
{
    static const char *const WISHES [] = {"", "&max_hz=1", "&max_hz=5", "&max_hz=50",
                                          "&batch_ms=500"};
    char request [512];
    int size = snprintf (request, sizeof request,
                         "GET /api/events/stream?heartbeat=10&client=%s%s HTTP/1.1\r\nHost: "
                         "127.0.0.1\r\n%s%s%s%s\r\n",
                         self->stalls ? "crowd-stalls" : "crowd-reads",
                         WISHES [(size_t) random () % (sizeof WISHES / sizeof *WISHES)],
                         self->gzip ? "Accept-Encoding: gzip\r\n" : "",
                         *self->id ? "Last-Event-ID: " : "", self->id, *self->id ? "\r\n" : "");

    if (send (self->fd, request, (size_t) size, MSG_NOSIGNAL) != size) {
        crowd.counts.refused++;
        leave (self);
        return;
    }
    crowd.counts.came++;
    crowd.counts.came_back += *self->id != '\0';
    self->phase = ANSWERING;
    watch (self, EPOLL_CTL_MOD, EPOLLIN);
}

//  The last whole line of an id in these bytes. An id may be cut at either end: then another one follows, or preceded.
static bool
find_id (member_t *self, const char *bytes, size_t size)
{
    static const char NAME [] = "\nid: ";
    const char *last = NULL, *end = bytes + size, *at = bytes;

    while ((at = memmem (at, (size_t) (end - at), NAME, sizeof NAME - 1))) {
        at += sizeof NAME - 1;
        last = memchr (at, '\n', (size_t) (end - at)) ? at : last;
    }
    if (last) {
        size_t length = (size_t) ((const char *) memchr (last, '\n', (size_t) (end - last)) - last);
        snprintf (self->id, sizeof self->id, "%.*s", (int) length, last);
    }
    return last;
}

static void
serve (member_t *self)
{
    static char bytes [READ_BYTES + 1];
    bool looks = self->phase == ANSWERING || self->phase == LEAVING;
    ssize_t got = looks ? recv (self->fd, bytes, READ_BYTES, 0)
                        : recv (self->fd, NULL, DISCARD_BYTES, MSG_TRUNC);

    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            crowd.counts.ended++;
            leave (self);
        }
        return;
    }
    crowd.counts.bytes += (uint64_t) got;
    if (self->phase == ANSWERING) {
        bytes [got] = '\0';
        crowd.counts.reset += *self->id && strstr (bytes, "event: system.reset");
        self->phase = READING;
    } else if (self->phase == LEAVING && find_id (self, bytes, (size_t) got)) {
        crowd.counts.left++;
        leave_for_a_while (self);
    }
}

static void
on_event (member_t *self, uint32_t events)
{
    bool begins = self->phase == CONNECTING;

    if (events & (EPOLLERR | EPOLLHUP)) {
        *(begins ? &crowd.counts.refused : &crowd.counts.ended) += 1;
        leave (self);
    } else if (begins) {
        ask (self);
    } else {
        serve (self);
    }
}

//  --- who starts it says where the gateways are

static void
answer (void)
{
    printf ("{\"here\":%zu,\"away\":%zu,\"came\":%" PRIu64 ",\"came_back\":%" PRIu64
            ",\"reset\":%" PRIu64 ",\"stalled\":%" PRIu64 ",\"left\":%" PRIu64 ",\"ended\":%" PRIu64
            ",\"refused\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"longest_turn_ms\":%" PRId64 "}\n",
            crowd.here_count, crowd.away_count, crowd.counts.came, crowd.counts.came_back,
            crowd.counts.reset, crowd.counts.stalled, crowd.counts.left, crowd.counts.ended,
            crowd.counts.refused, crowd.counts.bytes, crowd.longest_turn / 1000);
    fflush (stdout);
    crowd.longest_turn = 0;
}

static void
take_line (const char *line)
{
    int port = *line ? atoi (line + 1) : 0;

    if (*line == '?') {
        answer ();
    } else if (*line == '+' && crowd.port_count < PORTS_MAX) {
        crowd.ports [crowd.port_count++] = port;
    } else if (*line == '-') {
        for (size_t i = 0; i < crowd.port_count; i++) {
            if (crowd.ports [i] == port) {
                crowd.ports [i--] = crowd.ports [--crowd.port_count];
            }
        }
    }
}

//  False: there is nobody any more.
static bool
hear (void)
{
    static char text [4096];
    static size_t size;
    ssize_t got = read (STDIN_FILENO, text + size, sizeof text - size);

    if (got <= 0) {
        return got < 0 && (errno == EAGAIN || errno == EINTR);
    }
    size += (size_t) got;
    for (char *end; (end = memchr (text, '\n', size));) {
        *end++ = '\0';
        take_line (text);
        size -= (size_t) (end - text);
        memmove (text, end, size);
    }
    return true;
}

static bool
turn (void)
{
    static struct epoll_event due [1024];
    int count = epoll_wait (crowd.epoll_fd, due, 1024, TURN_MS);
    int64_t begin = now_us ();
    bool goes_on = true;

    for (int i = 0; i < count; i++) {
        if (due [i].data.ptr) {
            on_event (due [i].data.ptr, due [i].events);
        } else {
            goes_on = hear ();
        }
    }
    keep_up_the_number (begin);
    int64_t took = now_us () - begin;
    crowd.longest_turn = took > crowd.longest_turn ? took : crowd.longest_turn;
    return goes_on;
}

int
main (int argc, char **argv)
{
    struct epoll_event input = {.events = EPOLLIN};

    if (argc != 6 || atoi (argv [1]) > CLIENTS_MAX) {
        fprintf (stderr, "usage: crowd CLIENTS LIFE_SECONDS STALLS RESUMES GZIP\n");
        return EXIT_FAILURE;
    }
    crowd.clients = (size_t) atoi (argv [1]);
    crowd.life = atof (argv [2]);
    crowd.stalls = (unsigned) atoi (argv [3]);
    crowd.resumes = (unsigned) atoi (argv [4]);
    crowd.gzip = (unsigned) atoi (argv [5]);
    crowd.epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    fcntl (STDIN_FILENO, F_SETFL, O_NONBLOCK);
    if (crowd.epoll_fd < 0 ||
        epoll_ctl (crowd.epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &input) != 0) {
        die ("epoll");
    }
    while (turn ()) {
    }
    answer ();
    return EXIT_SUCCESS;
}
