// monitor.c - see monitor.h.
//
// SPDX-License-Identifier: MIT

#include "monitor.h"

#include "../common/log.h"
#include "audience.h"
#include "monitor_form.h"
#include "monitor_notice.h"
#include "websocket.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define TURN_BYTES    16384  //  read of one monitor in a turn
#define PIECE_BYTES   512    //  handed on at once: answers are counted between two pieces
#define QUEUED_MOST   65536  //  answers it has not taken; beyond it, it is not read
#define RESYNC_BYTES  1048576
#define PINGS_IN_TIME 3  //  before one that says nothing counts as gone
#define LINGER_US     (2 * SECOND_US)
#define UNAVAILABLE   "unavailable"

struct monitor {
    client_t *client;
    websocket_t *socket;
    struct MHD_UpgradeResponseHandle *upgraded;
    char id [MONITOR_ID_SIZE];
    frame_t *state;  //  to be written next
    uint64_t since;  //  joined: where its events begin when it subscribes
    bool joined, subscribed;
    bool cut;  //  nothing more can be read
    size_t turn_left;
    int64_t frames_left;  //  in this second
    int64_t errors;
    const char *fault;                     //  why it is to end, by its own doing
    uint64_t missed_told, conflated_told;  //  by the last heartbeat_ack
    time_us_t heard, pinged, linger_until;
};

static time_us_t
now_of (const client_t *client)
{
    return loop_now (client->shared->loop).steady;
}

static void
count (const client_t *client, const char *name, const char *help, const char *label,
       const char *value)
{
    metric_increment (metrics_with (client->shared->metrics, METRIC_COUNTER, name, help,
                                    METRIC_LABELS (label, value)));
}

//  --- what it says

static void
refuse (monitor_t *self, const char *code, const char *what, const char *request)
{
    client_t *client = self->client;

    monitor_notice_error (&client->shared->words, code, what, request);
    client_say (client);
    count (client, "cmlwatch_gateway_monitor_errors_total", "Messages of monitors refused, by code",
           "code", code);
    if (++self->errors > client->shared->settings.monitor_errors_max) {
        self->fault = "too many messages that are none";
    }
}

void
monitor_go_on (client_t *client, uint64_t seq)
{
    monitor_t *self = client->monitor;

    self->since = seq;
    audience_leave (client);
    audience_catch_up (client->audience);  //  nobody is ahead of it
    if (client->mode == CLIENT_BEHIND) {
        client->told = seq;
        client->exact = event_log_last (client->shared->log);
        for (int lane = 0; lane < LANE_COUNT; lane++) {
            client->cursor [lane] = seq;
        }
    }
}

static const char *
on_connect (monitor_t *self, const monitor_message_t *message, reason_t *why)
{
    client_t *client = self->client;
    const event_log_t *log = client->shared->log;
    uint64_t seq = event_log_last (log);
    bool resumes = *message->event_id && !message->full_state;
    const char *bad = resumes ? event_log_check (log, message->event_id, &seq) : NULL;

    if (bad && strcmp (bad, "malformed") == 0) {
        (void) reason_set (why, -EINVAL, "last_event_id: '%s' is no id of an event",
                           message->event_id);
        return MONITOR_INVALID;
    }
    self->joined = true;
    if (bad && client->mode != CLIENT_WAITING) {
        client_reset (client, bad, message->event_id);
    } else if (!bad && !message->full_state) {
        monitor_go_on (client, seq);
        metric_count (client->shared->resumed, resumes);
    } else if (client->mode != CLIENT_WAITING) {
        audience_leave (client);
        monitor_drop_state (client);
        fanout_await_state (client);
    }
    return NULL;
}

static const char *
on_subscribe (monitor_t *self, const monitor_message_t *message, reason_t *why)
{
    client_t *client = self->client;
    filter_t *filter = filter_copy (audience_filter (client->audience));
    const char *code = filter ? monitor_message_filter (message, filter, why) : UNAVAILABLE;

    if (!code && fanout_rejoin (client, &filter) < 0) {
        code = UNAVAILABLE;
    }
    filter_release (&filter);
    if (code) {
        return code;
    }
    if (!self->subscribed) {
        monitor_go_on (client, self->joined ? self->since : event_log_last (client->shared->log));
        self->subscribed = self->joined = true;
    }
    return NULL;
}

static bool
knows_place (const client_t *client)
{
    return client->mode == CLIENT_BEHIND || client->mode == CLIENT_LIVE;
}

static const char *
on_heartbeat (monitor_t *self, const monitor_message_t *message, reason_t *why)
{
    client_t *client = self->client;
    const event_log_t *log = client->shared->log;
    heartbeat_t beat = {.cursor = !self->joined      ? event_log_last (log)
                                  : self->subscribed ? audience_reached (client)
                                                     : self->since,
                        .missed = client->missed - self->missed_told,
                        .conflated = client->conflated - self->conflated_told,
                        .lag = self->subscribed ? client_lag (client) : 0};
    char at [MONITOR_EVENT_ID_SIZE];

    (void) message, (void) why;
    snprintf (at, sizeof at, "%s-%" PRIu64, event_log_epoch (log), beat.cursor);
    self->missed_told = client->missed;
    self->conflated_told = client->conflated;
    monitor_notice_ack (&client->shared->words, self->id, knows_place (client) ? at : NULL, &beat);
    client_say (client);
    return NULL;
}

//  Behind which number all was said at or after this time. Times grow with numbers.
static uint64_t
before_time (const event_log_t *log, int64_t ms)
{
    uint64_t low = event_log_first (log), high = event_log_last (log) + 1;

    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (monitor_form_time_ms (event_log_get (log, middle)) < ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low - 1;
}

//  From where, and whether something before it is missing. Null, or the error's code.
static const char *
find_begin (const event_log_t *log, const monitor_message_t *message, resync_t *resync,
            reason_t *why)
{
    uint64_t first = event_log_first (log);

    if (!*message->event_id) {
        resync->seq = before_time (log, message->timestamp_ms);
        resync->truncated = first > 1 && resync->seq + 1 == first;
        return NULL;
    }
    const char *bad = event_log_check (log, message->event_id, &resync->seq);
    if (bad && (strcmp (bad, "malformed") == 0 || strcmp (bad, "from the future") == 0)) {
        (void) reason_set (why, -EINVAL, "last_event_id: '%s' is %s", message->event_id, bad);
        return MONITOR_INVALID;
    }
    resync->truncated = bad != NULL;
    resync->seq = bad ? first - 1 : resync->seq;
    return NULL;
}

static const char *
on_resync (monitor_t *self, const monitor_message_t *message, reason_t *why)
{
    client_t *client = self->client;
    filter_t *filter = filter_copy (audience_filter (client->audience));
    resync_t resync = {.filter = filter,
                       .monitor_id = self->id,
                       .events_max = (size_t) client->shared->settings.resync_max,
                       .bytes_max = RESYNC_BYTES};

    if (!filter) {
        return UNAVAILABLE;
    }
    filter->all_types = !self->subscribed;  //  of one that names no topics either: all
    const char *code = monitor_message_filter (message, filter, why);
    code = code ? code : find_begin (client->shared->log, message, &resync, why);
    if (!code) {
        monitor_notice_resync (&client->shared->words, client->shared->log, &resync);
        client_say (client);
    }
    filter_release (&filter);
    return code;
}

static void
on_message (void *argument, const char *text, size_t size)
{
    typedef const char *handler_fn (monitor_t * self, const monitor_message_t *message,
                                    reason_t *why);
    static handler_fn *const HANDLERS [] = {[MONITOR_CONNECT] = on_connect,
                                            [MONITOR_SUBSCRIBE] = on_subscribe,
                                            [MONITOR_HEARTBEAT] = on_heartbeat,
                                            [MONITOR_RESYNC] = on_resync};
    monitor_t *self = argument;
    monitor_message_t message;
    reason_t why = {"out of memory"};

    if (self->fault) {
        return;
    }
    const char *code = monitor_message_read (&message, text, size, &why);
    if (!code) {
        if (*message.monitor_id) {
            memcpy (self->id, message.monitor_id, sizeof self->id);
        }
        code = HANDLERS [message.type](self, &message, &why);
    }
    count (self->client, "cmlwatch_gateway_monitor_messages_total", "Messages of monitors, by type",
           "type", message.type == MONITOR_TYPE_UNKNOWN ? "unknown" : message.type_name);
    if (code) {
        refuse (self, code, why.text, message.type_name);
    }
    monitor_message_clear (&message);
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

//  It has said all that it will, and so have we: what still comes is not looked at.
static void
pass_over (client_t *client)
{
    monitor_t *self = client->monitor;
    char bytes [PIECE_BYTES];

    self->turn_left = TURN_BYTES;
    while (on_read (self, bytes, sizeof bytes) > 0) {
    }
    if (self->cut) {
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
    self->heard = listened ? self->heard : now;
    if (self->linger_until > 0) {
        if (now >= self->linger_until) {
            fanout_close (client, monitor_end_of (client));
        }
        return;
    }
    if (now - self->heard > most) {
        fanout_close (client, "silent");
        return;
    }
    time_us_t last = self->heard > self->pinged ? self->heard : self->pinged;
    if (now - last > most / PINGS_IN_TIME && !client->farewell && !client->watched_for_room) {
        self->pinged = now;
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
    websocket_close (client->monitor->socket, client->ends_code, client->ending,
                     &client->shared->words);
    client_say (client);
}

bool
monitor_lingers (client_t *client)
{
    monitor_t *self = client->monitor;

    if (self->cut || websocket_peer_closed (self->socket)) {
        return false;
    }
    if (self->linger_until == 0) {
        self->linger_until = now_of (client) + LINGER_US;
        (void) shutdown (client->wire.fd, SHUT_WR);
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
    static const websocket_events_t EVENTS = {on_read, on_frame, on_message};
    const hub_settings_t *settings = &client->shared->settings;
    monitor_t *self = calloc (1, sizeof *self);

    if (self) {
        self->client = client;
        self->upgraded = request->upgraded;
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
