// hub.c - see hub.h.
//
// SPDX-License-Identifier: MIT

#include "hub.h"

#include "../common/cleanup.h"
#include "hub_state.h"
#include "monitor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define BEAT_US SECOND_US

static time_us_t
now_of (const hub_t *self)
{
    return loop_now (self->shared.loop).steady;
}

//  --- what clients and audiences ask of the hub

static void
unlink_client (hub_t *self, client_t *client)
{
    if (client->previous) {
        client->previous->next = client->next;
    } else {
        self->clients = client->next;
    }
    if (client->next) {
        client->next->previous = client->previous;
    }
    metric_set (self->clients_now, (double) --self->count);
    size_t *streams = zhashx_lookup (self->by_user, client->identity->name);
    if (streams && --*streams == 0) {
        zhashx_delete (self->by_user, client->identity->name);
    }
}

void
fanout_close (client_t *client, const char *reason)
{
    hub_t *self = client->shared->hub;

    metric_increment (metrics_with (
        self->shared.metrics, METRIC_COUNTER, "cmlwatch_gateway_closed_total",
        "Streams closed, by reason; memory: held_max_bytes", METRIC_LABELS ("reason", reason)));
    admission_forget (self->admission, client);
    self->ahead -= client->ahead != NULL;
    audience_dismiss (client);
    loop_unwatch (self->shared.loop, client->wire.fd);
    if (client->monitor) {
        monitor_give_back (client, reason);
    } else {
        MHD_resume_connection (client->connection);  //  its handler then answers MHD_NO
    }
    if (self->on_resumed) {
        self->on_resumed (self->resumed_argument);
    }
    unlink_client (self, client);
    self->sent += client->wire.sent;
    client_free (&client);
    if (self->held && self->count == 0) {
        self->held = false;
        loop_release (self->shared.loop);
    }
}

void
fanout_await_state (client_t *client)
{
    client->mode = CLIENT_WAITING;
    admission_await (client->shared->hub->admission, client);
}

bool
fanout_await_event (client_t *client, const char *id)
{
    hub_t *self = client->shared->hub;
    int64_t wait_ms = self->shared.settings.ahead_wait_ms;

    if (wait_ms == 0 || !(client->ahead = strdup (id))) {
        return false;
    }
    client->mode = CLIENT_WAITING;
    client->ahead_until = now_of (self) + wait_ms * MS_US;
    self->ahead++;
    return true;
}

static void
on_descriptor (void *argument, uint32_t events)
{
    client_t *client = argument;

    if (client->monitor) {
        monitor_on_descriptor (client, events);
    } else if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        fanout_close (client, "gone");
    } else {
        client_pump (client);
    }
}

//  A stream says nothing.
static uint32_t
events_of (const client_t *client)
{
    return EPOLLRDHUP | (client->watched_for_room ? EPOLLOUT : 0u) |
           (client->watched_for_words ? EPOLLIN : 0u);
}

void
fanout_watch (client_t *client, bool for_room)
{
    bool for_words = client->monitor && monitor_listens (client);

    if (client->watched_for_room != for_room || client->watched_for_words != for_words) {
        client->watched_for_room = for_room;
        client->watched_for_words = for_words;
        (void) loop_watch (client->shared->loop, client->wire.fd, events_of (client), on_descriptor,
                           client);
    }
}

//  --- turns and beats

void
hub_reset (hub_t *self)
{
    bool same = strcmp (self->epoch, event_log_epoch (self->shared.log)) == 0;

    snprintf (self->epoch, sizeof self->epoch, "%s", event_log_epoch (self->shared.log));
    for (client_t *client = self->clients, *next; client; client = next) {
        next = client->next;
        if (client->mode != CLIENT_WAITING && (!same || !client_is_held (client))) {
            client_reset (client, "the state was taken anew", NULL);
            client_pump (client);
        }
    }
}

void
hub_follow (hub_t *self, hub_current_fn *is_current, void *argument)
{
    self->is_current = is_current;
    self->current_argument = argument;
}

//  That we do not know a number says nothing while we do not hear the aggregator: the time runs from then on.
static bool
is_waited_for (hub_t *self, client_t *client)
{
    if (self->is_current && !self->is_current (self->current_argument)) {
        client->ahead_until = now_of (self) + self->shared.settings.ahead_wait_ms * MS_US;
    }
    return now_of (self) < client->ahead_until;
}

//  Those who know more than we do: as soon as we know it too, they go on; if we never do, the number was
//  another store's and they begin anew.
static void
serve_ahead (hub_t *self)
{
    for (client_t *client = self->clients, *next; client && self->ahead > 0; client = next) {
        next = client->next;
        uint64_t seq = 0;
        const char *why =
            client->ahead ? event_log_check (self->shared.log, client->ahead, &seq) : NULL;
        if (!client->ahead ||
            (why && strcmp (why, EVENT_LOG_AHEAD) == 0 && is_waited_for (self, client))) {
            continue;
        }
        if (why) {
            client_reset (client, why, client->ahead);
        } else {
            metric_increment (self->shared.resumed);
            client_resume (client, seq);
        }
        free (client->ahead);
        client->ahead = NULL;
        self->ahead--;
        client_pump (client);
    }
}

static void
on_turn_end (void *argument)
{
    hub_t *self = argument;

    if (strcmp (self->epoch, event_log_epoch (self->shared.log)) != 0) {
        hub_reset (self);
    }
    audiences_turn (self->audiences);
    serve_ahead (self);
    admission_serve (self->admission);
    hub_bound_memory (self);
}

//  A client that has had something to take, and took nothing.
static bool
is_stalled (const hub_t *self, const client_t *client)
{
    return client->watched_for_room && now_of (self) - client->wire.moved >
                                           self->shared.settings.stall_timeout_seconds * SECOND_US;
}

//  The timer keeps its phase, but each turn wakes a little late, now more, now less. So what is due
//  is told in whole seconds: as a time, it would be due just behind a beat, and wait for the next.
static void
on_beat (void *argument)
{
    hub_t *self = argument;

    self->shared.second = (now_of (self) - self->began) / SECOND_US;
    audiences_beat (self->audiences);
    serve_ahead (self);
    for (client_t *client = self->clients, *next; client; client = next) {
        next = client->next;
        if (is_stalled (self, client)) {
            fanout_close (client, "stalled");
        } else if (!client->ending && client->ends_at > 0 && now_of (self) >= client->ends_at) {
            client_end (client, client->ends_code, client->ends_with,
                        client_choose_retry (CLIENT_RETRY_SPREAD_MS));
        } else if (client->monitor) {
            monitor_on_second (client);
        } else if (client->mode == CLIENT_WAITING && !client->watched_for_room) {
            client_pump (client);
        }
    }
    admission_tidy (self->admission);
}

//  All come back to some gateway: not faster than it can give states.
static uint32_t
drain_spread (const hub_t *self)
{
    size_t ms = self->count * 1000 / (size_t) self->shared.settings.states_per_second;

    return (uint32_t) (ms > CLIENT_RETRY_SPREAD_MS ? ms : CLIENT_RETRY_SPREAD_MS);
}

static void
end_all (void *argument)
{
    hub_t *self = argument;
    uint32_t spread = drain_spread (self);

    audiences_turn (self->audiences);
    if (self->count > 0) {
        self->held = true;
        loop_hold (self->shared.loop);
    }
    for (client_t *client = self->clients, *next; client; client = next) {
        next = client->next;
        client_end (client, CLIENT_AWAY, "the gateway ends", client_choose_retry (spread));
    }
    if (self->delayed) {
        self->delayed = false;
        loop_release (self->shared.loop);
    }
}

//  /readyz is red from now on; whoever balances load has a moment to see it.
static void
on_drain (void *argument)
{
    hub_t *self = argument;

    if (self->shared.settings.drain_delay_ms == 0) {
        end_all (self);
        return;
    }
    self->delayed = true;
    loop_hold (self->shared.loop);
    loop_timer_after (self->delay, self->shared.settings.drain_delay_ms * MS_US);
}

//  --- its own life

static void
on_collect (void *argument)
{
    hub_t *self = argument;
    uint64_t sent = self->sent;
    size_t queued = 0, behind = 0, monitors = 0;

    for (const client_t *client = self->clients; client; client = client->next) {
        sent += client->wire.sent;
        queued += wire_queued (&client->wire);
        behind += client->mode == CLIENT_BEHIND;
        monitors += client->monitor != NULL;
    }
    metric_count (self->bytes, (double) (sent - self->counted));
    self->counted = sent;
    metric_set (self->queued, (double) queued);
    metric_set (self->held_now, (double) self->shared.held);
    metric_set (self->behind, (double) behind);
    metric_set (self->monitors, (double) monitors);
    metric_set (self->waiting, (double) admission_waiting (self->admission));
    metric_set (self->images, (double) admission_images (self->admission));
    metric_set (self->audiences_now, (double) audiences_count (self->audiences));
}

static void
add_gauges (hub_t *self, metrics_t *metrics)
{
    const struct {
        metric_t **slot;
        const char *name, *help;
    } GAUGES [] = {
        {&self->clients_now, "cmlwatch_gateway_clients", "Open streams"},
        {&self->waiting, "cmlwatch_gateway_clients_waiting", "Streams that wait for a full state"},
        {&self->behind, "cmlwatch_gateway_clients_behind", "Streams that catch up with the log"},
        {&self->monitors, "cmlwatch_gateway_monitors", "Open streams that are monitors'"},
        {&self->queued, "cmlwatch_gateway_queued_bytes",
         "Bytes handed to streams' connections that their sockets did not take yet"},
        {&self->held_now, "cmlwatch_gateway_held_bytes",
         "Memory held for what sockets did not take; held_max_bytes bounds it, by closing streams"},
        {&self->audiences_now, "cmlwatch_gateway_audiences", "Distinct wishes among the streams"},
        {&self->images, "cmlwatch_gateway_images", "Full states held for streams to read"},
    };

    for (size_t i = 0; i < sizeof GAUGES / sizeof *GAUGES; i++) {
        *GAUGES [i].slot = metrics_add (metrics, METRIC_GAUGE, GAUGES [i].name, GAUGES [i].help);
    }
}

static void
destroy_count (void **count_p)
{
    free (*count_p);
    *count_p = NULL;
}

hub_t *
hub_new (loop_t *loop, const hub_settings_t *settings, replica_t *replica, event_log_t *log,
         metrics_t *metrics, reason_t *why)
{
    _cleanup_ (hub_destroy) hub_t *self = calloc (1, sizeof *self);

    if (self) {
        self->shared = (fanout_t){.hub = self,
                                  .loop = loop,
                                  .settings = *settings,
                                  .replica = replica,
                                  .log = log,
                                  .alone = packer_new (),
                                  .metrics = metrics};
        self->beat = loop_timer_new (loop, on_beat, self);
        self->delay = loop_timer_new (loop, end_all, self);
        self->by_user = zhashx_new ();
        zhashx_set_destructor (self->by_user, destroy_count);
        self->audiences = audiences_new (&self->shared);
        self->admission = admission_new (&self->shared);
    }
    if (!self || !self->shared.alone || !self->beat || !self->delay || !self->audiences ||
        !self->admission) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    add_gauges (self, metrics);
    fanout_add_counters (&self->shared);
    self->bytes = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_sent_bytes_total",
                               "Bytes written to streams");
    metrics_on_collect (metrics, on_collect, self);
    self->began = clock_now ().steady;
    loop_timer_every (self->beat, BEAT_US);
    loop_on_turn_end (loop, on_turn_end, self);
    loop_on_drain (loop, on_drain, self);
    return take_ptr (self);
}

void
hub_close_all (hub_t *self)
{
    while (self->clients) {
        fanout_close (self->clients, "shutdown");
    }
}

void
hub_destroy (hub_t **self_p)
{
    assert (self_p);
    hub_t *self = *self_p;

    if (self) {
        hub_close_all (self);
        loop_forget (self->shared.loop, self);
        loop_timer_destroy (&self->beat);
        loop_timer_destroy (&self->delay);
        zhashx_destroy (&self->by_user);
        admission_destroy (&self->admission);
        audiences_destroy (&self->audiences);
        packer_destroy (&self->shared.alone);
        buffer_clear (&self->shared.words);
        buffer_clear (&self->shared.block);
        free (self);
        *self_p = NULL;
    }
}

void
hub_on_resumed (hub_t *self, loop_fn *fn, void *argument)
{
    self->on_resumed = fn;
    self->resumed_argument = argument;
}

//  --- a client comes

static void
link_client (hub_t *self, client_t *client)
{
    client->next = self->clients;
    if (self->clients) {
        self->clients->previous = client;
    }
    self->clients = client;
    metric_set (self->clients_now, (double) ++self->count);
    size_t *streams = zhashx_lookup (self->by_user, client->identity->name);
    if (!streams && (streams = calloc (1, sizeof *streams))) {
        zhashx_insert (self->by_user, client->identity->name, streams);
    }
    if (streams) {
        ++*streams;
    }
}

int
hub_add (hub_t *self, const hub_request_t *request)
{
    filter_t *filter = request->filter;
    client_t *client = client_new (&self->shared, request);

    if (!client || loop_watch (self->shared.loop, client->wire.fd, events_of (client),
                               on_descriptor, client) < 0) {
        filter_release (&filter);
        client_free (&client);
        return -ENOMEM;
    }
    if (audiences_admit (self->audiences, client, &filter, request->heartbeat_seconds) < 0) {
        loop_unwatch (self->shared.loop, client->wire.fd);
        filter_release (&filter);
        client_free (&client);
        return -ENOMEM;
    }
    link_client (self, client);
    audience_catch_up (client->audience);
    client_start (client, request);
    if (self->held) {
        client_end (client, CLIENT_AWAY, "the gateway ends",
                    client_choose_retry (drain_spread (self)));
        return 0;
    }
    client_pump (client);
    admission_serve (self->admission);
    return 0;
}
