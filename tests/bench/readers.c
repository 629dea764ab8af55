// readers.c - see readers.h.
//
// SPDX-License-Identifier: MIT

#include "readers.h"

#include "latency.h"
#include "observer.h"
#include "payload.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

#define AT_ONCE         64  //  connections that are not answered yet: less than any backlog
#define PATIENCE_US     30000000
#define ADDRESSES       4
#define CHECK_EVERY     16  //  when latency is not wanted, this part of the events is looked into
#define BETWEEN         32  //  readers
#define LINE_MAX_BYTES  (PAYLOAD_SIZE_MAX + 16)
#define READ_BYTES      (1 << 18)
#define GZIP_WINDOW     (15 + 16)
#define SMALLEST_BUFFER 2048

typedef struct reader {
    int fd;
    bool answered;
    uint64_t had;  //  the number of the event that it has had last
    size_t carried;
    z_stream *unpacker;
    char carry [LINE_MAX_BYTES];  //  the start of a line that a read cut
} reader_t;

struct readers {
    int port, epoll_fd;
    bool gzip, timed, observed;
    const char *path;
    reader_t **live;
    size_t count, answered;
    int *stopped;
    size_t stopped_count;
    uint64_t told, complete;
    uint32_t left [READERS_IN_FLIGHT];  //  of each event in flight: readers that have not had it
    int64_t now;                        //  when the bytes at hand were read
    readers_counts_t counts;
    latency_t *latency;
    int64_t told_at [READERS_IN_FLIGHT];  //  of those that carry no stamp
};

static void
die (const char *what)
{
    fprintf (stderr, "readers: %s: %s\n", what, strerror (errno));
    exit (EXIT_FAILURE);
}

readers_t *
readers_new (int port, const char *path, bool gzip, bool observed)
{
    readers_t *self = calloc (1, sizeof *self);

    if (!self || !(self->latency = latency_new ()) ||
        !(self->live = calloc (READERS_MAX, sizeof (reader_t *))) ||
        !(self->stopped = calloc (READERS_MAX, sizeof *self->stopped)) ||
        (self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC)) < 0) {
        die ("no memory or descriptors");
    }
    self->port = port;
    self->path = path;
    self->gzip = gzip;
    self->observed = observed;
    self->told = self->complete = PAYLOAD_FIRST_SEQ - 1;
    return self;
}

//  --- connections

static int
dial (const readers_t *self, int buffer)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_port = htons ((uint16_t) self->port)};
    struct sockaddr_in here = {.sin_family = AF_INET};
    int one = 1;
    char request [512];
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct linger at_once = {.l_onoff = 1};

    there.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    int size =
        snprintf (request, sizeof request,
                  "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n%s\r\n",
                  self->path, self->gzip ? "Accept-Encoding: gzip\r\n" : "");
    if (fd < 0) {
        die ("socket");
    }
    if (buffer > 0) {
        setsockopt (fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    }
    //  Closed by a reset: no thousands of TIME_WAIT for the next run to find its ports among.
    setsockopt (fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    //  From several addresses of this host: one has some 28,000 ports.
    here.sin_addr.s_addr = htonl (INADDR_LOOPBACK + 1 + (uint32_t) self->count % ADDRESSES);
    setsockopt (fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind (fd, (struct sockaddr *) &here, sizeof here) != 0 ||
        connect (fd, (struct sockaddr *) &there, sizeof there) != 0) {
        die ("connect");
    }
    if (write (fd, request, (size_t) size) != size) {
        die ("request");
    }
    fcntl (fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static void
add_reader (readers_t *self)
{
    reader_t *reader = calloc (1, sizeof *reader);
    struct epoll_event watch = {.events = EPOLLIN, .data.ptr = reader};

    if (!reader) {
        die ("memory");
    }
    reader->fd = dial (self, 0);
    reader->had = self->told;
    if (self->gzip) {
        reader->unpacker = calloc (1, sizeof *reader->unpacker);
        if (!reader->unpacker || inflateInit2 (reader->unpacker, GZIP_WINDOW) != Z_OK) {
            die ("zlib");
        }
    }
    if (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, reader->fd, &watch) != 0) {
        die ("epoll");
    }
    self->live [self->count++] = reader;
}

static void
drop_reader (readers_t *self)
{
    reader_t *reader = self->live [--self->count];

    close (reader->fd);
    self->answered -= reader->answered;
    if (reader->unpacker) {
        inflateEnd (reader->unpacker);
        free (reader->unpacker);
    }
    free (reader);
}

bool
readers_resize (readers_t *self, size_t count)
{
    int64_t end = payload_now_us () + PATIENCE_US;

    assert (count <= READERS_MAX && self->told == self->complete);
    while (self->count > count) {
        drop_reader (self);
    }
    while (self->answered < count && payload_now_us () < end) {
        if (self->count < count && self->count - self->answered < AT_ONCE) {
            add_reader (self);
        } else {
            readers_turn (self, 10, NULL, NULL);
        }
    }
    return self->answered == count;
}

static bool
is_answered (int fd)
{
    char head [8];

    return recv (fd, head, sizeof head, MSG_PEEK) > 0;
}

bool
readers_resize_stopped (readers_t *self, size_t count)
{
    int64_t end = payload_now_us () + PATIENCE_US;

    assert (count + self->count <= READERS_MAX);
    while (self->stopped_count > count) {
        close (self->stopped [--self->stopped_count]);
    }
    while (self->stopped_count < count && payload_now_us () < end) {
        int fd = dial (self, SMALLEST_BUFFER);
        self->stopped [self->stopped_count++] = fd;
        while (!is_answered (fd) && payload_now_us () < end) {
            readers_turn (self, 1, NULL, NULL);
        }
    }
    return payload_now_us () < end;
}

size_t
readers_count (const readers_t *self)
{
    return self->count;
}

void
readers_destroy (readers_t **self_p)
{
    readers_t *self = *self_p;

    if (self) {
        while (self->count > 0) {
            drop_reader (self);
        }
        (void) readers_resize_stopped (self, 0);
        close (self->epoll_fd);
        free (self->live);
        free (self->stopped);
        latency_destroy (&self->latency);
        free (self);
        *self_p = NULL;
    }
}

//  --- events

uint64_t
readers_expect (readers_t *self)
{
    uint64_t seq = ++self->told;

    assert (seq - self->complete < READERS_IN_FLIGHT);
    self->left [seq % READERS_IN_FLIGHT] = (uint32_t) self->count;
    self->told_at [seq % READERS_IN_FLIGHT] = self->observed ? payload_now_us () : 0;
    if (self->count == 0) {
        self->complete = seq;
    }
    return seq;
}

uint64_t
readers_told (const readers_t *self)
{
    return self->told;
}

uint64_t
readers_complete (const readers_t *self)
{
    return self->complete;
}

//  Whether this is the event of that number; and when it was told.
static bool
is_due (const readers_t *self, const char *payload, size_t size, uint64_t seq, int64_t *stamp)
{
    if (self->observed) {
        *stamp = self->told_at [seq % READERS_IN_FLIGHT];
        return observer_find (payload, size, OBSERVER_IN_EVENT, self->told) == seq;
    }
    if (size <= PAYLOAD_STAMP_AT + 16) {
        return false;
    }
    *stamp = strtoll (payload + PAYLOAD_STAMP_AT, NULL, 10);
    return strtoull (payload + PAYLOAD_SEQ_AT, NULL, 10) == seq;
}

//  payload: behind `data: `, up to the line's end.
static void
take_event (readers_t *self, reader_t *reader, const char *payload, size_t size)
{
    uint64_t seq = ++reader->had;

    self->counts.events++;
    if (self->timed || seq % CHECK_EVERY == 0) {
        int64_t stamp;
        if (!is_due (self, payload, size, seq, &stamp)) {
            self->counts.wrong++;
        } else if (self->timed) {
            latency_note (self->latency, self->now - stamp);
        }
    }
    if (seq > self->told) {
        self->counts.wrong++;  //  nobody has told it
    } else if (--self->left [seq % READERS_IN_FLIGHT] == 0) {
        //  Each reader has them in order, so the first in flight is the first that all have.
        self->complete = seq;
    }
}

static void
take_line (readers_t *self, reader_t *reader, const char *line, size_t size)
{
    static const char BEGIN [] = "data: " PAYLOAD_BEGIN,
                            OBSERVED [] = "data: {\"type\":\"" OBSERVER_EVENT "\"";
    const char *begin = self->observed ? OBSERVED : BEGIN;
    size_t length = self->observed ? sizeof OBSERVED - 1 : sizeof BEGIN - 1;

    if (size > length && memcmp (line, begin, length) == 0) {
        take_event (self, reader, line + 6, size - 6);
    }
}

static void
take_text (readers_t *self, reader_t *reader, const char *bytes, size_t size)
{
    const char *line = bytes, *end = bytes + size, *newline;

    while ((newline = memchr (line, '\n', (size_t) (end - line)))) {
        size_t part = (size_t) (newline - line);
        if (reader->carried > 0) {
            size_t room = sizeof reader->carry - reader->carried;
            part = part < room ? part : room;
            memcpy (reader->carry + reader->carried, line, part);
            take_line (self, reader, reader->carry, reader->carried + part);
            reader->carried = 0;
        } else {
            take_line (self, reader, line, part);
        }
        line = newline + 1;
    }
    size_t rest = (size_t) (end - line), room = sizeof reader->carry - reader->carried;
    rest = rest < room ? rest : room;
    memcpy (reader->carry + reader->carried, line, rest);
    reader->carried += rest;
}

//  The head is not packed.
static size_t
skip_head (const char *bytes, size_t size)
{
    const char *end = memmem (bytes, size, "\r\n\r\n", 4);

    return end ? (size_t) (end - bytes) + 4 : size;
}

static void
take_packed (readers_t *self, reader_t *reader, char *bytes, size_t size)
{
    static char text [READ_BYTES];
    z_stream *stream = reader->unpacker;

    stream->next_in = (Bytef *) bytes;
    stream->avail_in = (uInt) size;
    do {
        stream->next_out = (Bytef *) text;
        stream->avail_out = sizeof text;
        int rc = inflate (stream, Z_SYNC_FLUSH);
        if (rc != Z_OK && rc != Z_BUF_ERROR) {
            self->counts.wrong++;
            return;
        }
        take_text (self, reader, text, sizeof text - stream->avail_out);
    } while (stream->avail_in > 0);
}

static void
serve (readers_t *self, reader_t *reader)
{
    static char bytes [READ_BYTES];
    ssize_t size;

    do {
        size = read (reader->fd, bytes, sizeof bytes);
        self->counts.reads++;
        if (size > 0) {
            size_t head = reader->answered ? 0 : skip_head (bytes, (size_t) size);
            self->answered += !reader->answered;
            reader->answered = true;
            self->counts.bytes += (uint64_t) size;
            self->now = self->timed ? payload_now_us () : 0;
            if (reader->unpacker && (size_t) size > head) {
                take_packed (self, reader, bytes + head, (size_t) size - head);
            } else if (!reader->unpacker) {
                take_text (self, reader, bytes, (size_t) size);
            }
        } else if (size == 0 || errno != EAGAIN) {
            epoll_ctl (self->epoll_fd, EPOLL_CTL_DEL, reader->fd, NULL);
            self->counts.closed++;
            return;
        }
    } while (size == (ssize_t) sizeof bytes);
}

void
readers_turn (readers_t *self, int timeout_ms, readers_between_fn *between, void *argument)
{
    struct epoll_event due [1024];
    int count = epoll_wait (self->epoll_fd, due, 1024, timeout_ms);

    for (int i = 0; i < count; i++) {
        serve (self, due [i].data.ptr);
        if (between && i % BETWEEN == BETWEEN - 1) {
            between (argument);
        }
    }
}

readers_counts_t
readers_counts (const readers_t *self)
{
    return self->counts;
}

void
readers_time (readers_t *self, bool on)
{
    self->timed = on;
    if (on) {
        latency_reset (self->latency);
    }
}

double
readers_quantile_ms (const readers_t *self, double part)
{
    return latency_quantile_ms (self->latency, part);
}
