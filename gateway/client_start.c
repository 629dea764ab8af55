// client_start.c - how a client comes: what it is, its first words, and where it goes on from.
//
// SPDX-License-Identifier: MIT

#include "audience.h"
#include "monitor.h"
#include "notice.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define RETRY_LEAST_MS   1000
#define LIFETIME_JITTER  10  //  a tenth, either way
#define VANISHED_SECONDS 5   //  after the stall's own end, the kernel gives a peer up

static uint32_t
random_below (uint32_t bound)
{
    uint32_t number = 0;
    ssize_t got = getrandom (&number, sizeof number, 0);

    (void) got;
    return number % bound;
}

unsigned
client_choose_retry (uint32_t spread)
{
    return RETRY_LEAST_MS + random_below (spread);
}

static void
prepare_socket (const fanout_t *shared, int fd)
{
    const hub_settings_t *settings = &shared->settings;
    int one = 1, size = (int) settings->send_buffer_bytes,
        timeout = ((int) settings->stall_timeout_seconds + VANISHED_SECONDS) * 1000;

    setsockopt (fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt (fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    setsockopt (fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt (fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout, sizeof timeout);
}

static void
write_head (client_t *client, const char *headers)
{
    buffer_t *words = &client->shared->words;

    buffer_format (words,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                   "Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n"
                   "X-Content-Type-Options: nosniff\r\nVary: Accept-Encoding\r\n%s%s"
                   "Connection: close\r\n\r\n",
                   client->wire.gzip ? "Content-Encoding: gzip\r\n" : "", headers ? headers : "");
    wire_head (&client->wire, words->data, words->size);
    buffer_reset (words);
}

static void
write_welcome (client_t *client)
{
    fanout_t *shared = client->shared;
    welcome_t welcome = {.client_id = client->id,
                         .user = *client->identity->name ? client->identity->name : NULL,
                         .heartbeat_seconds = audience_heartbeat_seconds (client->audience),
                         .retry_ms = client->retry_ms};

    buffer_format (&shared->words, "retry: %u\n\n", client->retry_ms);
    notice_connected (&shared->words, shared->log, &welcome);
    client_say (client);
}

static char *
copy_of (const char *text)
{
    return text && *text ? strdup (text) : NULL;
}

static void
set_end (client_t *client, time_us_t expires_at)
{
    time_us_t lifetime = client->shared->settings.stream_lifetime_seconds * SECOND_US;

    if (lifetime > 0) {
        time_us_t spread = 2 * lifetime / LIFETIME_JITTER;
        client->ends_at = client->began + lifetime - spread / 2 +
                          (time_us_t) random_below ((uint32_t) (spread / MS_US) + 1) * MS_US;
        client->ends_with = "the stream has had its lifetime; come back";
        client->ends_code = CLIENT_AWAY;
    }
    if (expires_at > 0 && (client->ends_at == 0 || expires_at < client->ends_at)) {
        client->ends_at = expires_at;
        client->ends_with = "the login has expired; come back with a new one";
        client->ends_code = CLIENT_UNWELCOME;
    }
}

int
client_descriptor (struct MHD_Connection *connection, int other)
{
    const union MHD_ConnectionInfo *info =
        connection ? MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD) : NULL;

    return info ? info->connect_fd : other;
}

//  An upgraded one speaks in the clear with us, whatever libmicrohttpd speaks with the client.
static void
take_socket (client_t *client, const hub_request_t *request)
{
    struct MHD_Connection *connection = request->connection;

    if (request->upgraded) {
        client->wire.fd = request->fd;
        return;
    }
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    client->wire.fd = client_descriptor (connection, -1);
    client->wire.tls = tls ? tls->tls_session : NULL;
}

_Static_assert(offsetof (client_t, wire.sum) <= CLIENT_HOT_BYTES,
               "what a visit needs lies in the lines that are fetched");

static client_t *
allocate (void)
{
    size_t lines = (sizeof (client_t) + CLIENT_LINE - 1) / CLIENT_LINE;
    client_t *client = aligned_alloc (CLIENT_LINE, lines * CLIENT_LINE);

    if (client) {
        memset (client, 0, sizeof *client);
    }
    return client;
}

client_t *
client_new (fanout_t *shared, const hub_request_t *request)
{
    client_t *client = allocate ();

    if (client) {
        client->shared = shared;
        client->connection = request->connection;
        take_socket (client, request);
        client->wire.gzip = request->gzip;
        client->wire.all_held = &shared->held;
        client->wire.moved = client->began = loop_now (shared->loop).steady;
        client->beat_second = shared->second + request->heartbeat_seconds;
        client->retry_ms = client_choose_retry (CLIENT_RETRY_SPREAD_MS);
        client->name = copy_of (request->name);
        client->identity = identity_hold (request->identity);
        client->address = copy_of (request->address);
        set_end (client, request->expires_at);
        client->watched_for_words = request->upgraded != NULL;
        client->monitor = request->upgraded ? monitor_new (client, request) : NULL;
        snprintf (client->id, sizeof client->id, "%08x%08x", random_below (UINT32_MAX),
                  random_below (UINT32_MAX));
        if (request->upgraded && !client->monitor) {
            client_free (&client);
        }
    }
    return client;
}

void
client_free (client_t **self_p)
{
    client_t *self = *self_p;

    if (self) {
        image_release (&self->image);
        filter_release (&self->had);
        monitor_destroy (&self->monitor);
        wire_clear (&self->wire);
        free (self->name);
        identity_release (&self->identity);
        free (self->address);
        free (self->ahead);
        free (self);
        *self_p = NULL;
    }
}

void
client_resume (client_t *self, uint64_t seq)
{
    self->mode = CLIENT_BEHIND;
    self->told = seq;
    self->exact = event_log_last (self->shared->log);
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        self->cursor [lane] = seq;
    }
}

//  From where it goes on, or that it waits for a state, or for us to know what it knows.
static void
place (client_t *client, const hub_request_t *request)
{
    const event_log_t *log = client->shared->log;
    uint64_t seq = event_log_last (log);
    const char *id = request->last_event_id, *why = id ? event_log_check (log, id, &seq) : NULL;

    if (why && (client->monitor || strcmp (why, EVENT_LOG_AHEAD) != 0 ||
                !fanout_await_event (client, id))) {
        client_reset (client, why, id);
    }
    if (why) {
        return;
    }
    if (!id && request->state) {
        fanout_await_state (client);
        return;
    }
    if (id) {
        metric_increment (client->shared->resumed);
        client->resumed = event_log_last (log) - seq;
    }
    client_resume (client, seq);
}

void
client_start (client_t *self, const hub_request_t *request)
{
    int own = client_descriptor (request->connection, self->wire.fd);

    prepare_socket (self->shared, own);
    if (own != self->wire.fd) {
        prepare_socket (self->shared, self->wire.fd);
    }
    if (self->monitor) {
        monitor_start (self, request);
    } else {
        write_head (self, request->headers);
        write_welcome (self);
    }
    place (self, request);
}

//  --- for the list of clients

void
client_write (const client_t *self, json_writer_t *out)
{
    static const char *const MODES [] = {"waiting", "state", "behind", "live"};
    const event_log_t *log = self->shared->log;
    buffer_t filter = {0};
    char id [ENVELOPE_EPOCH_SIZE + 24];

    filter_write_key (audience_filter (self->audience), &filter);
    snprintf (id, sizeof id, "%s-%" PRIu64, event_log_epoch (log),
              event_log_last (log) - client_events_behind (self));
    json_open_object (out);
    json_member_text (out, "id", self->id);
    json_member_text (out, "kind", self->monitor ? "monitor" : "stream");
    json_member_text (out, "name", self->monitor ? monitor_name (self) : self->name);
    json_member_text (out, "user", *self->identity->name ? self->identity->name : NULL);
    json_member_text (out, "address", self->address);
    json_member_text (out, "mode", MODES [self->mode]);
    json_member_text (out, "filter", filter.size > 0 ? filter.data + 1 : "");
    json_member_integer (out, "heartbeat_seconds", audience_heartbeat_seconds (self->audience));
    json_member_bool (out, "compressed", self->wire.gzip);
    json_member_integer (out, "age_seconds",
                         (loop_now (self->shared->loop).steady - self->began) / SECOND_US);
    json_member_text (out, "last_event_id", id);
    json_member_integer (out, "events_behind", (int64_t) client_events_behind (self));
    json_member_integer (out, "bytes_behind", (int64_t) client_bytes_behind (self));
    json_member_integer (out, "lag_ms", client_lag (self) / MS_US);
    json_member_integer (out, "queued_bytes", (int64_t) wire_queued (&self->wire));
    json_member_integer (out, "sent_bytes", (int64_t) self->wire.sent);
    json_member_integer (out, "events_missed", (int64_t) self->missed);
    json_member_integer (out, "conflated", (int64_t) self->conflated);
    json_member_integer (out, "events_resumed", (int64_t) self->resumed);
    json_close_object (out);
    buffer_clear (&filter);
}
