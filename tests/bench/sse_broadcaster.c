// sse_broadcaster.c - the limit: what is told goes to all who have asked, and nothing else is done.
//
//     sse_broadcaster PORT FEED
//
// One thread, one epoll. A request is read up to its empty line and not looked at. Whole frames
// come over ZeroMQ (FEED, a publisher's endpoint), one message each, and lie behind each other in
// a ring of bytes that is mapped twice in a row, so that whatever a client has not had is one piece
// and goes in one send. No filter, no state, no heartbeat, no TLS, no limits, no history: a server
// that does less is not one. It is what a gateway's fan-out is measured against.
//
// SPDX-License-Identifier: MIT

#include "../../common/bus.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#define RING_BYTES  ((uint64_t) 16 << 20)
#define BACKLOG     1024
#define CLIENTS_MAX 20000
#define HIGH_WATER  100000
#define END         "\r\n\r\n"
#define HEAD        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"

typedef struct client {
    int fd;
    bool asked, full;
    unsigned matched;  //  of the request's end
    size_t place;      //  among those that have asked
    uint64_t at;       //  what it has had, in bytes since the ring began
} client_t;

typedef struct server {
    int epoll_fd, listen_fd;
    zsock_t *feed;
    char *ring;
    uint64_t end;
    client_t *clients [CLIENTS_MAX];
    size_t count;
} server_t;

static void
die (const char *what)
{
    fprintf (stderr, "sse_broadcaster: %s: %s\n", what, strerror (errno));
    exit (EXIT_FAILURE);
}

static char *
map_ring (void)
{
    int fd = memfd_create ("ring", MFD_CLOEXEC);
    char *ring = mmap (NULL, 2 * RING_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (fd < 0 || ring == MAP_FAILED || ftruncate (fd, (off_t) RING_BYTES) != 0 ||
        mmap (ring, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
            MAP_FAILED ||
        mmap (ring + RING_BYTES, RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
              0) == MAP_FAILED) {
        die ("ring");
    }
    return ring;
}

static void
watch (const server_t *self, int operation, int fd, uint32_t events, void *what)
{
    struct epoll_event event = {.events = events, .data.ptr = what};

    if (epoll_ctl (self->epoll_fd, operation, fd, &event) != 0) {
        die ("epoll");
    }
}

static void
drop (server_t *self, client_t *client)
{
    if (client->asked) {
        self->clients [client->place] = self->clients [--self->count];
        self->clients [client->place]->place = client->place;
    }
    close (client->fd);
    free (client);
}

//  False: it is gone.
static bool
serve (server_t *self, client_t *client)
{
    if (self->end - client->at > RING_BYTES) {
        drop (self, client);
        return false;
    }
    size_t wanted = (size_t) (self->end - client->at);
    ssize_t sent = wanted > 0 ? send (client->fd, self->ring + client->at % RING_BYTES, wanted,
                                      MSG_NOSIGNAL | MSG_DONTWAIT)
                              : 0;
    if (sent < 0 && errno != EAGAIN) {
        drop (self, client);
        return false;
    }
    client->at += sent > 0 ? (uint64_t) sent : 0;
    bool full = client->at < self->end;
    if (full != client->full) {
        client->full = full;
        watch (self, EPOLL_CTL_MOD, client->fd, EPOLLIN | (full ? EPOLLOUT : 0u), client);
    }
    return true;
}

static void
start (server_t *self, client_t *client)
{
    if (self->count == CLIENTS_MAX) {
        drop (self, client);
        return;
    }
    client->asked = true;
    client->at = self->end;
    client->place = self->count;
    self->clients [self->count++] = client;
    if (send (client->fd, HEAD, sizeof HEAD - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        drop (self, client);
    }
}

static void
on_client (server_t *self, client_t *client, uint32_t events)
{
    char bytes [2048];
    ssize_t size = events & ~(uint32_t) EPOLLOUT ? recv (client->fd, bytes, sizeof bytes, 0) : -1;

    if (size == 0 || (size < 0 && events & (EPOLLERR | EPOLLHUP))) {
        drop (self, client);
        return;
    }
    for (ssize_t i = 0; i < size && !client->asked; i++) {
        client->matched = bytes [i] == END [client->matched] ? client->matched + 1
                          : bytes [i] == END [0]             ? 1
                                                             : 0;
        if (client->matched == sizeof END - 1) {
            start (self, client);
            return;
        }
    }
    if (events & EPOLLOUT) {
        (void) serve (self, client);
    }
}

static void
on_connections (server_t *self)
{
    int fd, one = 1;

    while ((fd = accept4 (self->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        client_t *client = calloc (1, sizeof *client);
        if (!client) {
            die ("memory");
        }
        client->fd = fd;
        setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch (self, EPOLL_CTL_ADD, fd, EPOLLIN, client);
    }
}

//  All that has come, then one round of sends.
static void
on_feed (server_t *self)
{
    void *handle = zsock_resolve (self->feed);
    uint64_t before = self->end;
    zmq_msg_t message;

    zmq_msg_init (&message);
    for (int taken = 0; taken < BUS_BATCH_MAX && zmq_msg_recv (&message, handle, ZMQ_DONTWAIT) >= 0;
         taken++) {
        size_t size = zmq_msg_size (&message);
        memcpy (self->ring + self->end % RING_BYTES, zmq_msg_data (&message), size);
        self->end += size;
    }
    zmq_msg_close (&message);
    for (size_t i = 0; self->end > before && i < self->count;) {
        //  scan-build: serve puts the last client in the place of one that has gone, and counts one less
        i += self->clients [i]->full || serve (self, self->clients [i]);
    }
}

static void
open_sockets (server_t *self, const char *port, const char *feed)
{
    struct sockaddr_in here = {.sin_family = AF_INET,
                               .sin_port = htons ((uint16_t) strtoul (port, NULL, 10))};
    int one = 1;
    reason_t why = {0};

    here.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
    self->listen_fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt (self->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind (self->listen_fd, (struct sockaddr *) &here, sizeof here) != 0 ||
        listen (self->listen_fd, BACKLOG) != 0) {
        die ("listen");
    }
    self->feed = bus_socket (ZMQ_SUB, BUS_CONNECT, feed, HIGH_WATER, 0, &why);
    if (!self->feed) {
        fprintf (stderr, "sse_broadcaster: %s\n", why.text);
        exit (EXIT_FAILURE);
    }
    zsock_set_subscribe (self->feed, "");
    watch (self, EPOLL_CTL_ADD, self->listen_fd, EPOLLIN, &self->listen_fd);
    watch (self, EPOLL_CTL_ADD, (int) zsock_fd (self->feed), EPOLLIN | EPOLLET, &self->feed);
}

int
main (int argc, char **argv)
{
    struct rlimit files;
    struct epoll_event due [512];
    static server_t server;

    if (argc != 3) {
        fprintf (stderr, "usage: sse_broadcaster PORT FEED\n");
        return 2;
    }
    server.epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    server.ring = map_ring ();
    getrlimit (RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit (RLIMIT_NOFILE, &files);
    zsys_handler_set (NULL);
    open_sockets (&server, argv [1], argv [2]);
    for (;;) {
        bool more = (zsock_events (server.feed) & ZMQ_POLLIN) != 0;
        int count = epoll_wait (server.epoll_fd, due, 512, more ? 0 : -1);
        for (int i = 0; i < count; i++) {
            if (due [i].data.ptr == &server.listen_fd) {
                on_connections (&server);
            } else if (due [i].data.ptr != &server.feed) {
                on_client (&server, due [i].data.ptr, due [i].events);
            }
        }
        if (zsock_events (server.feed) & ZMQ_POLLIN) {
            on_feed (&server);
        }
    }
}
