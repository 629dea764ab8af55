// feed_client.c - see feed_client.h.
//
// SPDX-License-Identifier: MIT

#include "feed_client.h"

#include "../common/cleanup.h"
#include "../common/json.h"
#include "../common/log.h"
#include "feed_past.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SILENCE_US    (2 * SECOND_US)
#define GIVE_UP_US    (5 * SECOND_US)  //  ticks come several times a second
#define PAGE          1000
#define ANSWER_MS     5000
#define REJOIN_LEAST  50  //  ms; a random pause keeps many gateways from asking at once
#define REJOIN_SPREAD 200
#define BUFFER_FIRST  256

typedef enum join { JOIN_WAITING, JOIN_ASKING, JOIN_JOINED } join_t;

typedef struct buffered {
    feed_header_t header;
    char *json;
    size_t size;
} buffered_t;

struct feed_client {
    loop_t *loop;
    bus_subscriber_t *subscriber;
    bus_client_t *control;
    loop_timer_t *rejoin, *watch;
    replica_t *replica;
    event_log_t *log;
    feed_listener_t listener;
    join_t join;
    bool first_page;
    bool asked;  //  a page is on its way: the next join waits, so that it is not taken for its own
    buffered_t *buffer;  //  of a join: none of it is kept when it is over
    size_t count, room, max;
    char epoch [ENVELOPE_EPOCH_SIZE];  //  of the state that is being taken, and its number
    uint64_t seq;
    feed_past_t *past;
    time_us_t heard, connected;  //  steady
    metric_t *joins, *gaps, *malformed, *overflow, *reconnects;
};

static void
drop_buffer (feed_client_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->buffer [i].json);
    }
    free (self->buffer);
    self->buffer = NULL;
    self->count = self->room = 0;
    feed_past_drop (self->past);
}

static void
start_over (feed_client_t *self, const char *reason)
{
    uint32_t random = 0;
    ssize_t got = getrandom (&random, sizeof random, 0);

    (void) got;
    drop_buffer (self);
    self->join = JOIN_WAITING;
    log_info ("joining the feed", LOG_TEXT ("reason", reason));
    loop_timer_after (self->rejoin, (REJOIN_LEAST + (time_us_t) (random % REJOIN_SPREAD)) * MS_US);
}

//  What of an event a replica keeps besides snapshots.
static void
take_data (feed_client_t *self, const feed_header_t *header, const char *json, size_t size)
{
    size_t data_size;
    const char *data = frame_data_of (json, size, &data_size);

    if (header->type == EVENT_SYSTEM_STATS) {
        replica_set_stats (self->replica, data, data_size);
    } else if (replica_jobs_is_event (header->type)) {
        event_log_supersede (
            self->log, replica_jobs_apply (replica_jobs (self->replica), header, data, data_size),
            header->type);
    }
}

static void
apply_event (feed_client_t *self, const feed_header_t *header, const char *json, size_t size)
{
    buffer_t snapshot = {0};

    if (!event_log_append (self->log, header, json, size)) {
        return;
    }
    take_data (self, header, json, size);
    if (header->snapshot_size > 0 && header->snapshot_offset + header->snapshot_size < size) {
        buffer_append (&snapshot, json + header->snapshot_offset, header->snapshot_size);
        buffer_append (&snapshot, "}", 1);
        (void) replica_put (self->replica, header, snapshot.data, snapshot.size);
        buffer_clear (&snapshot);
    }
}

static void
apply (feed_client_t *self, const feed_header_t *header, const char *json, size_t size)
{
    uint64_t last = event_log_last (self->log);

    if (strcmp (header->epoch, event_log_epoch (self->log)) != 0) {
        start_over (self, "another epoch");
        return;
    }
    if (header->kind == FEED_EVENT && header->seq > last + 1) {
        metric_increment (self->gaps);
        start_over (self, "gap");
    } else if (header->kind == FEED_TICK && header->seq > last) {
        metric_increment (self->gaps);
        start_over (self, "gap at the tail");
    } else if (header->kind == FEED_EVENT) {
        apply_event (self, header, json, size);
    } else if (header->kind == FEED_STATE) {
        (void) replica_put (self->replica, header, json, size);
    } else if (header->kind == FEED_GONE) {
        replica_remove (self->replica, header);
    }
}

//  Null: as many as may be are kept, or memory is out.
static buffered_t *
next_slot (feed_client_t *self)
{
    if (self->count == self->room && self->room < self->max) {
        size_t room = self->room ? 2 * self->room : BUFFER_FIRST;
        room = room < self->max ? room : self->max;
        buffered_t *buffer = realloc (self->buffer, room * sizeof *buffer);
        if (buffer) {
            self->buffer = buffer;
            self->room = room;
        }
    }
    return self->count < self->room ? &self->buffer [self->count] : NULL;
}

static void
keep (feed_client_t *self, const feed_header_t *header, const char *json, size_t size)
{
    if (header->kind == FEED_TICK) {
        return;
    }
    buffered_t *slot = next_slot (self);
    if (!slot || !(slot->json = malloc (size + 1))) {
        metric_increment (self->overflow);
        start_over (self, "more came during the join than feed_buffer_max");
        return;
    }
    if (size > 0) {
        memcpy (slot->json, json, size);
    }
    slot->header = *header;
    slot->size = size;
    self->count++;
}

static void ask_page (feed_client_t *self, const char *cursor);

static void
on_message (void *argument, const bus_message_t *message)
{
    feed_client_t *self = argument;
    feed_header_t header;
    reason_t why = {0};

    if (feed_header_parse (&header, message->bytes [0], message->size [0], &why) < 0) {
        metric_increment (self->malformed);
        log_warn ("feed message refused", LOG_TEXT ("reason", why.text));
        return;
    }
    self->heard = loop_now (self->loop).steady;
    const char *json = message->frames > 1 ? message->bytes [1] : "";
    size_t size = message->frames > 1 ? message->size [1] : 0;
    if (self->join == JOIN_JOINED) {
        arrivals_note (self->listener.arrivals, &header);
        apply (self, &header, json, size);
    } else if (self->join == JOIN_ASKING) {
        keep (self, &header, json, size);
    } else if (!loop_timer_is_set (self->rejoin) && !self->asked) {
        self->join = JOIN_ASKING;
        self->first_page = true;
        keep (self, &header, json, size);
        ask_page (self, "");
    }
}

//  What came meanwhile; it may begin another join, with a buffer of its own.
static void
apply_kept (feed_client_t *self)
{
    buffered_t *buffer = take_ptr (self->buffer);
    size_t count = self->count;

    self->count = self->room = 0;
    for (size_t i = 0; i < count; i++) {
        const buffered_t *kept = &buffer [i];
        bool is_new =
            kept->header.kind != FEED_EVENT || kept->header.seq > event_log_last (self->log);
        if (self->join == JOIN_JOINED && is_new) {
            apply (self, &kept->header, kept->json, kept->size);
        }
        free (kept->json);
    }
    free (buffer);
}

static void
finish_join (feed_client_t *self)
{
    replica_end (self->replica);
    feed_past_end (self->past, self->log);
    self->join = JOIN_JOINED;
    metric_increment (self->joins);
    apply_kept (self);
    if (self->join == JOIN_JOINED) {
        log_info ("joined the feed", LOG_TEXT ("epoch", event_log_epoch (self->log)),
                  LOG_INTEGER ("workers", replica_size (self->replica)));
        self->listener.reset (self->listener.argument);
    }
}

static void
take_pairs (feed_client_t *self, zmsg_t *payload)
{
    zframe_t *head, *body;

    while ((head = zmsg_pop (payload)) && (body = zmsg_pop (payload))) {
        feed_header_t header;
        if (feed_header_parse (&header, (const char *) zframe_data (head), zframe_size (head),
                               NULL) == 0) {
            (void) replica_put (self->replica, &header, (const char *) zframe_data (body),
                                zframe_size (body));
        }
        zframe_destroy (&head);
        zframe_destroy (&body);
    }
    zframe_destroy (&head);
}

static void ask_events (feed_client_t *self);

static void
on_events (void *argument, const bus_answer_t *answer)
{
    feed_client_t *self = argument;
    int64_t first = 0;

    self->asked = false;
    if (self->join != JOIN_ASKING) {
        return;
    }
    if (answer->code == -ETIMEDOUT) {
        start_over (self, answer->error);
        return;
    }
    (void) json_get_integer (answer->json, "first", &first);
    if (answer->code == 0 && first > 0 &&
        feed_past_take (self->past, (uint64_t) first, answer->payload)) {
        ask_events (self);
    } else {
        finish_join (self);
    }
}

static void
ask (feed_client_t *self, const char *operation, const buffer_t *json, bus_answer_fn *fn)
{
    self->asked =
        bus_client_ask (self->control, operation, json->data, json->size, ANSWER_MS, fn, self) == 0;
    if (!self->asked) {
        start_over (self, "too many questions wait");
    }
}

static void
ask_events (feed_client_t *self)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_member_integer (&json, "after", (int64_t) feed_past_after (self->past));
    json_member_integer (&json, "limit", PAGE);
    json_close_object (&json);
    ask (self, "events", &out, on_events);
    buffer_clear (&out);
}

static void
on_page (void *argument, const bus_answer_t *answer)
{
    feed_client_t *self = argument;
    int64_t seq;
    const char *epoch = json_get_text (answer->json, "epoch"),
               *cursor = json_get_text (answer->json, "next_cursor");

    self->asked = false;
    if (self->join != JOIN_ASKING) {
        return;
    }
    if (answer->code < 0 || !epoch || !json_get_integer (answer->json, "seq", &seq)) {
        start_over (self, answer->error ? answer->error : "an answer without epoch or seq");
        return;
    }
    if (self->first_page) {
        replica_begin (self->replica);
        snprintf (self->epoch, sizeof self->epoch, "%s", epoch);
        self->seq = (uint64_t) seq;
        self->first_page = false;
        replica_put_jobs (self->replica, json_get_array (answer->json, "jobs"));
    } else if (strcmp (epoch, self->epoch) != 0) {
        start_over (self, "another epoch between two pages");
        return;
    }
    struct json_object *stats = json_get_object (answer->json, "stats");
    if (stats) {
        const char *text = json_object_to_json_string_ext (
            stats, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
        replica_set_stats (self->replica, text, strlen (text));
    }
    take_pairs (self, answer->payload);
    if (cursor) {
        ask_page (self, cursor);
    } else if (feed_past_begin (self->past, self->log, self->epoch, self->seq)) {
        ask_events (self);
    } else {
        finish_join (self);
    }
}

static void
ask_page (feed_client_t *self, const char *cursor)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_member_text (&json, "cursor", cursor);
    json_member_integer (&json, "limit", PAGE);
    json_close_object (&json);
    ask (self, "state", &out, on_page);
    buffer_clear (&out);
}

//  The pause is over: the next message on the feed starts the join.
static void
on_rejoin (void *argument)
{
    (void) argument;
}

//  A connection that nobody has closed and on which nothing comes is as good as none.
static void
on_watch (void *argument)
{
    feed_client_t *self = argument;
    time_us_t now = loop_now (self->loop).steady;

    if (now - self->heard > GIVE_UP_US && now - self->connected > GIVE_UP_US &&
        bus_subscriber_reconnect (self->subscriber)) {
        self->connected = now;
        metric_increment (self->reconnects);
    }
}

feed_client_t *
feed_client_new (loop_t *loop, const char *feed, const char *control, const bus_keys_t *keys,
                 int64_t high_water_mark, int64_t buffer_max, int64_t replay_max,
                 replica_t *replica, event_log_t *log, const feed_listener_t *listener,
                 metrics_t *metrics, reason_t *why)
{
    static const char *const EVERYTHING [] = {"", NULL};
    _cleanup_ (feed_client_destroy) feed_client_t *self = calloc (1, sizeof *self);

    if (!self || !(self->rejoin = loop_timer_new (loop, on_rejoin, self)) ||
        !(self->watch = loop_timer_new (loop, on_watch, self)) ||
        !(self->past = feed_past_new (replay_max))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->loop = loop;
    self->max = (size_t) buffer_max;
    self->replica = replica;
    self->log = log;
    self->listener = *listener;
    self->heard = -SILENCE_US;
    self->joins = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_joins_total",
                               "Times the state was taken anew");
    self->gaps = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_feed_gaps_total",
                              "Gaps seen in the feed");
    self->malformed = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_feed_malformed_total",
                                   "Feed messages that could not be read");
    self->overflow =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_feed_buffer_overflow_total",
                     "Joins given up because the buffer was full");
    self->reconnects =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_feed_reconnects_total",
                     "Connections to the feed given up because nothing came");
    self->control = bus_client_new (loop, control, keys, metrics, why);
    self->subscriber = self->control ? bus_subscriber_new (loop, BUS_CONNECT, feed, EVERYTHING,
                                                           (int) high_water_mark, keys, NULL,
                                                           on_message, self, metrics, why)
                                     : NULL;
    if (!self->subscriber) {
        return NULL;
    }
    self->connected = loop_now (loop).steady;
    loop_timer_every (self->watch, SECOND_US);
    return take_ptr (self);
}

void
feed_client_destroy (feed_client_t **self_p)
{
    assert (self_p);
    feed_client_t *self = *self_p;

    if (self) {
        bus_subscriber_destroy (&self->subscriber);
        bus_client_destroy (&self->control);
        loop_timer_destroy (&self->rejoin);
        loop_timer_destroy (&self->watch);
        if (self->past) {
            drop_buffer (self);
        }
        feed_past_destroy (&self->past);
        free (self);
        *self_p = NULL;
    }
}

bool
feed_client_has_joined (const feed_client_t *self)
{
    return self->join == JOIN_JOINED;
}

time_us_t
feed_client_silence_us (const feed_client_t *self)
{
    return clock_now ().steady - self->heard;
}

bool
feed_client_is_ready (const feed_client_t *self, reason_t *why)
{
    if (self->join != JOIN_JOINED) {
        reason_set (why, -EAGAIN, "the feed has not been joined");
        return false;
    }
    if (feed_client_silence_us (self) > SILENCE_US) {
        reason_set (why, -EAGAIN, "the feed is silent for %lld ms",
                    (long long) (feed_client_silence_us (self) / MS_US));
        return false;
    }
    return true;
}
