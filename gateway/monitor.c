// monitor.c - see monitor.h.
//
// SPDX-License-Identifier: MIT

#include "../common/log.h"
#include "audience.h"
#include "monitor_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TURN_BYTES    16384  //  read of one monitor in a turn
#define PIECE_BYTES   512    //  handed on at once: answers are counted between two pieces
#define QUEUED_MOST   65536  //  answers it has not taken; beyond it, it is not read
#define PINGS_IN_TIME 3      //  before one that says nothing counts as gone
#define LINGER_US     (2 * SECOND_US)

static time_us_t
now_of (const client_t *client)
{
    return loop_now (client->shared->loop).steady;
}

//  --- reading

bool
monitor_listens (const client_t *client)
{
    const monitor_t *self = client->monitor;

    return client->farewell ||
           (!self->fault && self->frames_left > 0 && wire_queued (&client->wire) < QUEUED_MOST);
}

static void
on_frame (void *argument)
{
    monitor_t *self = argument;

    if (--self->frames_left == 0) {
        metric_increment (metrics_add (
            self->client->shared->metrics, METRIC_COUNTER, "cmlwatch_gateway_monitor_paused_total",
            "Times that a monitor was not read for the rest of a second: too many messages"));
    }
}

static size_t
on_read (void *argument, void *bytes, size_t size)
{
    monitor_t *self = argument;
    client_t *client = self->client;

    size = size < PIECE_BYTES ? size : PIECE_BYTES;
    size = size < self->turn_left ? size : self->turn_left;
    if (self->cut || size == 0 || !monitor_listens (client)) {
        return 0;
    }
    ssize_t got = recv (client->wire.fd, bytes, size, MSG_DONTWAIT);
    self->cut = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
    if (got <= 0) {
        return 0;
    }
    self->turn_left -= (size_t) got;
    self->heard = now_of (client);
    return (size_t) got;
}

//  It was told our close: of what still comes, only its own matters.
static void
pass_over (client_t *client)
{
    monitor_t *self = client->monitor;
    char bytes [PIECE_BYTES];

    self->turn_left = TURN_BYTES;
    websocket_read (self->socket, &client->shared->words);
    buffer_reset (&client->shared->words);
    while (on_read (self, bytes, sizeof bytes) > 0) {
    }
    if (!monitor_lingers (client)) {
        fanout_close (client, monitor_end_of (client));
    }
}

static void
read_frames (client_t *client)
{
    monitor_t *self = client->monitor;
    buffer_t *words = &client->shared->words;

    self->turn_left = TURN_BYTES;
    websocket_read (self->socket, words);
    if (self->fault) {
        websocket_close (self->socket, WEBSOCKET_POLICY, self->fault, words);
    }
    if (words->size > 0) {
        client_say (client);
    }
    if (websocket_closed_with (self->socket)) {
        client->farewell = true;
        audience_leave (client);
    }
}

void
monitor_on_descriptor (client_t *client, uint32_t events)
{
    monitor_t *self = client->monitor;
    bool ends = events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR);

    if (self->linger_until > 0) {
        pass_over (client);
        return;
    }
    if (ends && ((events & EPOLLERR) || !monitor_listens (client))) {
        fanout_close (client, "gone");
        return;
    }
    if (ends || (events & EPOLLIN)) {
        read_frames (client);
    }
    if (self->cut && !client->farewell) {
        fanout_close (client, "gone");
    } else {
        client_pump (client);
    }
}

void
monitor_on_second (client_t *client)
{
    monitor_t *self = client->monitor;
    time_us_t now = now_of (client),
              most = client->shared->settings.stall_timeout_seconds * SECOND_US;
    bool listened = monitor_listens (client);

    self->frames_left = client->shared->settings.monitor_messages_per_second;
    if (!listened || client->watched_for_room) {
        self->heard = now;  //  it could not be heard, or asked: the stall timeout judges this one
    }
    if (self->linger_until > 0) {
        if (now >= self->linger_until) {
            fanout_close (client, monitor_end_of (client));
        }
        return;
    }
    bool is_asked = self->pinged > self->heard;
    time_us_t pause = most / PINGS_IN_TIME;
    //  Who was not asked, for this process stood still meanwhile, is asked first and has time to answer.
    bool had_time = client->farewell || (is_asked && now - self->asked > pause);
    if (now - self->heard > most && had_time) {
        fanout_close (client, "silent");
        return;
    }
    time_us_t last = is_asked ? self->pinged : self->heard;
    if (now - last > pause && !client->farewell && !client->watched_for_room) {
        self->pinged = now;
        self->asked = is_asked ? self->asked : now;
        websocket_ping (self->socket, &client->shared->words);
        client_say (client);
        client_pump (client);
    } else if (!listened) {
        client_pump (client);  //  which has it watched again
    }
}

//  --- its state

bool
monitor_has_joined (const client_t *client)
{
    return client->monitor->joined;
}

void
monitor_begin_state (client_t *client, frame_t *state)
{
    monitor_t *self = client->monitor;

    frame_release (&self->state);
    self->state = frame_hold (state);
    client->mode = CLIENT_BEHIND;
    monitor_go_on (client, state->seq);
    client->mode = CLIENT_STATE;
    metric_increment (client->shared->states);
}

wire_result_t
monitor_write_state (client_t *client)
{
    monitor_t *self = client->monitor;
    wire_result_t result = wire_send (&client->wire, self->state, now_of (client));

    monitor_drop_state (client);
    client->mode = CLIENT_BEHIND;
    return result;
}

void
monitor_drop_state (client_t *client)
{
    frame_release (&client->monitor->state);
}

//  --- its end

void
monitor_say_farewell (client_t *client)
{
    websocket_close (client->monitor->socket, (uint16_t) client->ends_code, client->ending,
                     &client->shared->words);
    client_say (client);
}

bool
monitor_lingers (client_t *client)
{
    monitor_t *self = client->monitor;

    if (self->cut || (self->apart && websocket_peer_closed (self->socket))) {
        return false;
    }
    if (self->linger_until == 0) {
        self->linger_until = now_of (client) + LINGER_US;
        if (!self->apart) {
            (void) shutdown (client->wire.fd, SHUT_WR);
        }
    }
    return true;
}

const char *
monitor_end_of (const client_t *client)
{
    const monitor_t *self = client->monitor;

    return client->ending                         ? "ended"
           : self->fault                          ? "policy"
           : websocket_peer_closed (self->socket) ? "closed"
                                                  : "protocol";
}

const char *
monitor_name (const client_t *client)
{
    return *client->monitor->id ? client->monitor->id : NULL;
}

//  --- its life

monitor_t *
monitor_new (client_t *client, const hub_request_t *request)
{
    static const websocket_events_t EVENTS = {on_read, on_frame, monitor_on_message};
    const hub_settings_t *settings = &client->shared->settings;
    monitor_t *self = calloc (1, sizeof *self);

    if (self) {
        self->client = client;
        self->upgraded = request->upgraded;
        self->apart = client_descriptor (request->connection, request->fd) != request->fd;
        self->frames_left = settings->monitor_messages_per_second;
        self->heard = self->pinged = now_of (client);
        self->socket = websocket_new ((size_t) settings->monitor_message_max_bytes, &EVENTS, self);
        if (!self->socket) {
            monitor_destroy (&self);
        }
    }
    return self;
}

void
monitor_destroy (monitor_t **self_p)
{
    monitor_t *self = *self_p;

    if (self) {
        frame_release (&self->state);
        if (self->socket) {
            websocket_destroy (&self->socket);
        }
        free (self);
        *self_p = NULL;
    }
}

void
monitor_start (client_t *client, const hub_request_t *request)
{
    monitor_t *self = client->monitor;

    log_info ("monitor connected", LOG_TEXT ("client", client->id),
              LOG_TEXT ("address", client->address), LOG_TEXT ("user", client->identity->name));
    if (request->ahead_size > 0) {
        self->fault = "frames came before the answer to the handshake";
        websocket_close (self->socket, WEBSOCKET_PROTOCOL, self->fault, &client->shared->words);
        client_say (client);
        client->farewell = true;
    }
}

void
monitor_give_back (client_t *client, const char *reason)
{
    monitor_t *self = client->monitor;

    log_info ("monitor closed", LOG_TEXT ("client", client->id), LOG_TEXT ("monitor_id", self->id),
              LOG_TEXT ("user", client->identity->name), LOG_TEXT ("reason", reason),
              LOG_INTEGER ("code", websocket_closed_with (self->socket)),
              LOG_INTEGER ("sent_bytes", client->wire.sent));
    (void) MHD_upgrade_action (self->upgraded, MHD_UPGRADE_ACTION_CLOSE);
}
