// hub.c - see hub.h.
//
// SPDX-License-Identifier: MIT

#include "hub.h"

#include "../common/cleanup.h"
#include "../common/log.h"
#include "notice.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define PIECES_MAX      64  //  frames of one write
#define BEAT_US         SECOND_US
#define RETRY_LEAST_MS  1000
#define RETRY_SPREAD_MS 2000

typedef struct client client_t;

struct client {
    hub_t *hub;
    client_t *previous, *next;
    struct MHD_Connection *connection;
    int fd;
    filter_t filter;
    uint64_t cursor;  //  the last number delivered or passed over
    uint64_t told;    //  the last number the client has as its id
    buffer_t own;     //  what is for this client alone: head, state, heartbeats
    size_t own_sent;
    frame_t *partial;  //  a shared frame of which a part is sent
    size_t partial_sent;
    time_us_t beat_at, moved_at;  //  steady
    char id [17];
    unsigned retry_ms;
    bool blocked, gone, farewell;
};

struct hub {
    loop_t *loop;
    hub_settings_t settings;
    replica_t *replica;
    event_log_t *log;
    char epoch [ENVELOPE_EPOCH_SIZE];  //  of the log the clients' cursors are in
    client_t *clients;
    size_t count;
    uint64_t written;  //  the log's last number when all were last served
    loop_timer_t *beat;
    metrics_t *metrics;
    metric_t *clients_now, *bytes, *frames, *resumed, *resets;
    bool draining;
};

static uint32_t
random_number (void)
{
    uint32_t number = 0;
    ssize_t got = getrandom (&number, sizeof number, 0);

    (void) got;
    return number;
}

static void
add_reset (client_t *client, const char *reason, const char *requested)
{
    notice_reset (&client->own, client->hub->log, reason, requested);
    metric_increment (client->hub->resets);
}

static void
add_state (client_t *client)
{
    notice_state (&client->own, client->hub->log, client->hub->replica, &client->filter);
    client->cursor = client->told = event_log_last (client->hub->log);
}

static void
close_client (client_t *client, const char *reason)
{
    hub_t *self = client->hub;

    metric_increment (metrics_with (self->metrics, METRIC_COUNTER, "cmlwatch_gateway_closed_total",
                                    "Streams closed, by reason", METRIC_LABELS ("reason", reason)));
    loop_unwatch (self->loop, client->fd);
    MHD_resume_connection (client->connection);  //  its handler then answers MHD_NO
    if (client->previous) {
        client->previous->next = client->next;
    } else {
        self->clients = client->next;
    }
    if (client->next) {
        client->next->previous = client->previous;
    }
    self->count--;
    metric_set (self->clients_now, (double) self->count);
    frame_release (&client->partial);
    buffer_clear (&client->own);
    free (client);
}

static void on_descriptor (void *argument, uint32_t events);

static void
wait_for_room (client_t *client, bool wait)
{
    if (client->blocked != wait) {
        client->blocked = wait;
        (void) loop_watch (client->hub->loop, client->fd, EPOLLRDHUP | (wait ? EPOLLOUT : 0u),
                           on_descriptor, client);
    }
}

//  -1: gone; 0: the socket is full; 1: all was taken.
static int
sent_all (client_t *client, ssize_t sent, size_t wanted)
{
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        return -1;
    }
    if (sent > 0) {
        client->moved_at = loop_now (client->hub->loop).steady;
        metric_count (client->hub->bytes, (double) sent);
    }
    return sent == (ssize_t) wanted;
}

static int
write_own (client_t *client)
{
    size_t wanted = client->own.size - client->own_sent;

    if (wanted == 0) {
        return 1;
    }
    ssize_t sent =
        send (client->fd, client->own.data + client->own_sent, wanted, MSG_NOSIGNAL | MSG_DONTWAIT);
    client->own_sent += sent > 0 ? (size_t) sent : 0;
    int all = sent_all (client, sent, wanted);
    if (all == 1) {
        buffer_clear (&client->own);
        client->own_sent = 0;
    }
    return all;
}

static int
write_partial (client_t *client)
{
    if (!client->partial) {
        return 1;
    }
    size_t wanted = client->partial->size - client->partial_sent;
    ssize_t sent = send (client->fd, client->partial->bytes + client->partial_sent, wanted,
                         MSG_NOSIGNAL | MSG_DONTWAIT);
    client->partial_sent += sent > 0 ? (size_t) sent : 0;
    int all = sent_all (client, sent, wanted);
    if (all == 1) {
        frame_release (&client->partial);
    }
    return all;
}

//  What of the log this client has not had, as one write.
static int
write_frames (client_t *client)
{
    hub_t *self = client->hub;
    struct iovec pieces [PIECES_MAX];
    frame_t *frames [PIECES_MAX];
    int count = 0;
    size_t wanted = 0;
    uint64_t seq = client->cursor, last = event_log_last (self->log);

    while (seq < last && count < PIECES_MAX) {
        frame_t *frame = event_log_get (self->log, ++seq);
        if (filter_wants (&client->filter, frame->type, frame->region, frame->worker_id)) {
            frames [count] = frame;
            pieces [count++] = (struct iovec){.iov_base = frame->bytes, .iov_len = frame->size};
            wanted += frame->size;
        }
    }
    if (count == 0) {
        client->cursor = seq;
        return 1;
    }
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t) count};
    ssize_t sent = sendmsg (client->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    int all = sent_all (client, sent, wanted);
    size_t left = sent > 0 ? (size_t) sent : 0;
    for (int i = 0; i < count && left > 0; i++) {
        client->cursor = client->told = frames [i]->seq;
        metric_increment (self->frames);
        if (left < frames [i]->size) {
            client->partial = frame_hold (frames [i]);
            client->partial_sent = left;
            left = 0;
        } else {
            left -= frames [i]->size;
        }
    }
    if (all == 1) {
        client->cursor = seq;
    }
    return all;
}

//  Closes the client, or leaves it waiting for room or for news.
static void
serve (client_t *client)
{
    hub_t *self = client->hub;
    int all = write_partial (client);

    all = all == 1 ? write_own (client) : all;
    while (all == 1 && !client->farewell && client->cursor < event_log_last (self->log)) {
        if (client->cursor + 1 < event_log_first (self->log)) {
            close_client (client, "behind");
            return;
        }
        all = write_frames (client);
    }
    if (all < 0) {
        close_client (client, "gone");
    } else if (all == 1 && client->farewell) {
        close_client (client, "shutdown");
    } else {
        wait_for_room (client, all == 0);
    }
}

static void
on_descriptor (void *argument, uint32_t events)
{
    client_t *client = argument;

    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        close_client (client, "gone");
    } else {
        serve (client);
    }
}

static void
on_turn_end (void *argument)
{
    hub_t *self = argument;

    if (self->written == event_log_last (self->log)) {
        return;
    }
    self->written = event_log_last (self->log);
    for (client_t *client = self->clients, *next; client; client = next) {
        next = client->next;
        if (!client->blocked) {
            serve (client);
        }
    }
}

static void
on_beat (void *argument)
{
    hub_t *self = argument;
    time_us_t now = loop_now (self->loop).steady;

    for (client_t *client = self->clients, *next; client; client = next) {
        next = client->next;
        if (client->blocked &&
            now - client->moved_at > self->settings.stall_timeout_seconds * SECOND_US) {
            close_client (client, "stalled");
        } else if (!client->blocked && now >= client->beat_at) {
            client->beat_at = now + client->filter.heartbeat_seconds * SECOND_US;
            notice_heartbeat (&client->own, self->log, self->replica, &client->filter,
                              client->cursor, client->cursor > client->told);
            client->told = client->cursor;
            serve (client);
        }
    }
}

static void
on_drain (void *argument)
{
    hub_t *self = argument;

    self->draining = true;
    for (client_t *client = self->clients, *next; client; client = next) {
        next = client->next;
        client->retry_ms = RETRY_LEAST_MS + random_number () % RETRY_SPREAD_MS;
        notice_shutdown (&client->own, client->retry_ms);
        client->farewell = true;
        serve (client);
    }
}

hub_t *
hub_new (loop_t *loop, const hub_settings_t *settings, replica_t *replica, event_log_t *log,
         metrics_t *metrics, reason_t *why)
{
    _cleanup_ (hub_destroy) hub_t *self = calloc (1, sizeof *self);

    if (!self || !(self->beat = loop_timer_new (loop, on_beat, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->settings = *settings;
    self->replica = replica;
    self->log = log;
    self->metrics = metrics;
    self->clients_now =
        metrics_add (metrics, METRIC_GAUGE, "cmlwatch_gateway_clients", "Open streams");
    self->bytes = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_sent_bytes_total",
                               "Bytes written to streams");
    self->frames = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_frames_total",
                                "Events written to streams");
    self->resumed = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_resumed_total",
                                 "Streams resumed from their last id");
    self->resets = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_resets_total",
                                "Streams that got the state anew");
    loop_timer_every (self->beat, BEAT_US);
    loop_on_turn_end (loop, on_turn_end, self);
    loop_on_drain (loop, on_drain, self);
    return take_ptr (self);
}

void
hub_close_all (hub_t *self)
{
    while (self->clients) {
        close_client (self->clients, "shutdown");
    }
}

void
hub_destroy (hub_t **self_p)
{
    assert (self_p);
    hub_t *self = *self_p;

    if (self) {
        hub_close_all (self);
        loop_forget (self->loop, self);
        loop_timer_destroy (&self->beat);
        free (self);
        *self_p = NULL;
    }
}

static void
prepare_socket (const hub_t *self, int fd)
{
    int one = 1, size = (int) self->settings.send_buffer_bytes,
        timeout = (int) self->settings.stall_timeout_seconds * 1000;

    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

static void
add_head (client_t *client)
{
    buffer_format (&client->own,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, "
                   "no-transform\r\n"
                   "X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: "
                   "close\r\n\r\nretry: %u\n\n",
                   client->retry_ms);
}

int
hub_add (hub_t *self, struct MHD_Connection *connection, const filter_t *filter,
         const char *last_event_id)
{
    client_t *client = calloc (1, sizeof *client);
    uint64_t seq = 0;

    if (!client) {
        return -ENOMEM;
    }
    client->hub = self;
    client->connection = connection;
    client->fd =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
    client->filter = *filter;
    client->retry_ms = RETRY_LEAST_MS + random_number () % RETRY_SPREAD_MS;
    client->moved_at = loop_now (self->loop).steady;
    client->beat_at = client->moved_at + filter->heartbeat_seconds * SECOND_US;
    client->cursor = client->told = event_log_last (self->log);
    snprintf (client->id, sizeof client->id, "%08x%08x", random_number (), random_number ());
    prepare_socket (self, client->fd);
    if (loop_watch (self->loop, client->fd, EPOLLRDHUP, on_descriptor, client) < 0) {
        free (client);
        return -ENOMEM;
    }
    client->next = self->clients;
    if (self->clients) {
        self->clients->previous = client;
    }
    self->clients = client;
    metric_set (self->clients_now, (double) ++self->count);
    add_head (client);
    notice_connected (&client->own, self->log, client->id, filter->heartbeat_seconds,
                      client->retry_ms);
    const char *why = last_event_id ? event_log_check (self->log, last_event_id, &seq) : NULL;
    if (last_event_id && !why) {
        metric_increment (self->resumed);
        client->cursor = client->told = seq;
    } else {
        if (why) {
            add_reset (client, why, last_event_id);
        }
        if (filter->state || why) {
            add_state (client);
        }
    }
    serve (client);
    return 0;
}

//  It can go on from its cursor in the log as it is now.
static bool
is_held (const hub_t *self, const client_t *client)
{
    return strcmp (self->epoch, event_log_epoch (self->log)) == 0 &&
           client->cursor + 1 >= event_log_first (self->log) &&
           client->cursor <= event_log_last (self->log);
}

void
hub_reset (hub_t *self)
{
    self->written = event_log_last (self->log);
    for (client_t *client = self->clients, *next; client; client = next) {
        next = client->next;
        if (!is_held (self, client)) {
            add_reset (client, "the state was taken anew", NULL);
            add_state (client);
        }
        serve (client);
    }
    snprintf (self->epoch, sizeof self->epoch, "%s", event_log_epoch (self->log));
}

size_t
hub_size (const hub_t *self)
{
    return self->count;
}
