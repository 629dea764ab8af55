// audience.c - see audience.h.
//
// SPDX-License-Identifier: MIT

#include "audience.h"

#include "../common/digest.h"
#include "notice.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES  262144     //  of one write to all
#define RESTART_US   SECOND_US  //  those outside the packer's context wait at most so long
#define ID_PERIOD_US (5 * SECOND_US)
#define NOT_LIVE     SIZE_MAX

struct audience {
    audiences_t *all;
    audience_t *previous, *next;
    char *key;
    filter_t *filter;
    int64_t heartbeat_seconds;
    bool gzip, rhythm;
    size_t members;
    client_t **live;
    size_t count, room;
    uint64_t cursor, base [LANE_COUNT];
    time_us_t due [LANE_COUNT];  //  steady, the lane's next tick
    uint64_t told;               //  the last id that all live members have
    time_us_t told_at, beat_at;
    packer_t *packer;  //  null: its runs are made alone
    unsigned context;  //  counts the packer's restarts
    time_us_t restarted;
    pack_sum_t sum;  //  of all that went to its live members
    loop_timer_t *tick;
};

struct audiences {
    fanout_t *shared;
    zhashx_t *by_key;
    audience_t *first;
    bool forsaken;  //  some audience has no member any more
};

static bool
is_live (const client_t *client)
{
    return client->mode == CLIENT_LIVE;
}

void
audience_leave_context (client_t *client)
{
    if (client->context != 0) {
        pack_sum_t since = pack_sum_since (&client->audience->sum, &client->entered);
        pack_sum_add (&client->wire.sum, since.crc, since.size);
        client->context = 0;
    }
}

bool
audience_join (client_t *client)
{
    audience_t *self = client->audience;

    assert (!is_live (client));
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 8;
        client_t **live = realloc (self->live, room * sizeof *live);
        if (!live) {
            return false;
        }
        self->live = live;
        self->room = room;
    }
    client->place = self->count;
    self->live [self->count++] = client;
    client->mode = CLIENT_LIVE;
    if (client->told < audience_safe (self)) {
        client->told = audience_safe (self);
        notice_id (&client->shared->words, client->shared->log, client->told);
        client_say (client);
    }
    return true;
}

void
audience_leave (client_t *client)
{
    audience_t *self = client->audience;

    if (is_live (client)) {
        audience_leave_context (client);
        self->live [client->place] = self->live [--self->count];
        self->live [client->place]->place = client->place;
        client->mode = CLIENT_BEHIND;
        client->told = client->told > self->told ? client->told : self->told;
        client->cursor [LANE_DIRECT] = self->cursor;
        for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
            client->cursor [lane] = self->base [lane];
        }
    }
}

const filter_t *
audience_filter (const audience_t *self)
{
    return self->filter;
}

int64_t
audience_heartbeat_seconds (const audience_t *self)
{
    return self->heartbeat_seconds;
}

uint64_t
audience_cursor (const audience_t *self)
{
    return self->cursor;
}

uint64_t
audience_base (const audience_t *self, lane_t lane)
{
    return self->base [lane];
}

uint64_t
audience_safe (const audience_t *self)
{
    uint64_t safe = self->cursor;

    for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
        if (lane_is_used (self->filter, (lane_t) lane) && self->base [lane] < safe) {
            safe = self->base [lane];
        }
    }
    return safe;
}

//  --- one block to all live members

//  All who are live are within the context now: the next run refers to nothing before it.
static void
restart (audience_t *self)
{
    fanout_t *shared = self->all->shared;

    packer_restart (self->packer);
    self->context++;
    self->restarted = loop_now (shared->loop).steady;
    for (size_t i = 0; i < self->count; i++) {
        audience_leave_context (self->live [i]);
        self->live [i]->context = self->context;
        self->live [i]->entered = self->sum;
    }
}

typedef struct forms {
    frame_t *plain, *within, *alone;
    uint32_t crc;
} forms_t;

static void
need_restart (audience_t *self)
{
    time_us_t now = loop_now (self->all->shared->loop).steady;
    size_t outside = 0;

    if (now - self->restarted >= RESTART_US) {
        for (size_t i = 0; i < self->count; i++) {
            outside += self->live [i]->context == 0;
        }
        if (outside > 0) {
            restart (self);
        }
    }
}

//  The form of the block for this client, made when the first one wants it.
static frame_t *
form_for (audience_t *self, const client_t *client, forms_t *forms)
{
    fanout_t *shared = self->all->shared;
    frame_t *plain = forms->plain;

    if (!self->gzip) {
        return plain;
    }
    if (client->context != 0 && !forms->within) {
        forms->within = packer_run (self->packer, plain->bytes, plain->size);
        metric_count (shared->packed, forms->within ? (double) forms->within->size : 0);
    }
    if (client->context == 0 && !forms->alone) {
        packed_t *packed = packer_alone (shared->alone, plain->bytes, plain->size);
        forms->alone = packed ? frame_of_bytes (packed->bytes, packed->size) : NULL;
        metric_count (shared->packed, forms->alone ? (double) forms->alone->size : 0);
        free (packed);
    }
    return client->context != 0 ? forms->within : forms->alone;
}

static void
write_to (audience_t *self, client_t *client, forms_t *forms)
{
    fanout_t *shared = self->all->shared;
    frame_t *frame = form_for (self, client, forms);

    if (self->gzip && client->context == 0) {
        pack_sum_add (&client->wire.sum, forms->crc, forms->plain->size);
    }
    wire_result_t result =
        frame ? wire_send (&client->wire, frame, loop_now (shared->loop).steady) : WIRE_GONE;
    if (result == WIRE_GONE) {
        fanout_close (client, "gone");
    } else if (result == WIRE_FULL) {
        audience_leave (client);
        fanout_watch (client, true);
    }
}

//  To all, or to those whose counts are none. A member that goes is replaced by the last one.
static void
send_block (audience_t *self, frame_t *block, bool only_whole)
{
    forms_t forms = {.plain = block};

    if (self->gzip) {
        if (self->packer) {
            need_restart (self);
        }
        forms.crc = pack_crc (block->bytes, block->size);
        pack_sum_add (&self->sum, forms.crc, block->size);
        metric_count (self->all->shared->plain, (double) block->size);
    }
    for (size_t i = 0; i < self->count;) {
        client_t *client = self->live [i];
        if (only_whole && (client->missed || client->conflated)) {
            i++;
            continue;
        }
        write_to (self, client, &forms);
        i += i < self->count && self->live [i] == client;
    }
    metric_increment (self->all->shared->writes);
    frame_release (&forms.within);
    frame_release (&forms.alone);
}

static void
send_bytes (audience_t *self, buffer_t *bytes, bool only_whole)
{
    frame_t *block = bytes->size > 0 && !buffer_failed (bytes)
                         ? frame_of_bytes (bytes->data, bytes->size)
                         : NULL;

    buffer_reset (bytes);
    if (block) {
        send_block (self, block, only_whole);
        frame_release (&block);
    }
}

//  --- a turn

static void
count_delivery (audience_t *self, size_t frames, time_us_t oldest)
{
    fanout_t *shared = self->all->shared;

    metric_count (shared->frames, (double) (frames * self->count));
    metric_observe_times (
        shared->delay, (double) (clock_now ().steady - oldest) / (double) SECOND_US, self->count);
}

//  What of the log up to last is told at once, block by block. One event alone goes as it is.
static void
send_direct (audience_t *self, uint64_t last)
{
    fanout_t *shared = self->all->shared;
    frame_t *only = NULL;
    size_t count = 0;
    uint64_t newest = self->told;
    time_us_t oldest = 0;

    while (self->cursor < last && shared->block.size < BLOCK_BYTES) {
        frame_t *frame = event_log_get (shared->log, ++self->cursor);
        if (!filter_wants (self->filter, frame) || lane_of (self->filter, frame) != LANE_DIRECT) {
            continue;
        }
        size_t skip = self->rhythm ? frame->id_size : 0;
        newest = frame->seq;
        if (count++ > 0 && only) {
            buffer_append (&shared->block, only->bytes + skip, only->size - skip);
        }
        only = count == 1 && !self->rhythm ? frame : NULL;
        if (count == 1) {
            oldest = frame->time;
        }
        if (!only) {
            buffer_append (&shared->block, frame->bytes + skip, frame->size - skip);
        }
    }
    if (count > 0) {
        self->told = self->rhythm ? self->told : newest;
        self->told_at = loop_now (shared->loop).steady;
        if (only) {
            send_block (self, only, false);
        } else {
            send_bytes (self, &shared->block, false);
        }
        count_delivery (self, count, oldest);
    }
}

static void
send_ticks (audience_t *self)
{
    fanout_t *shared = self->all->shared;
    time_us_t now = loop_now (shared->loop).steady, next = 0;

    for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
        if (!lane_is_used (self->filter, (lane_t) lane) || self->base [lane] == self->cursor) {
            continue;
        }
        if (now >= self->due [lane]) {
            size_t count = lane_write_tick (shared, self->filter, (lane_t) lane, self->base [lane],
                                            self->cursor, &shared->block);
            self->base [lane] = self->cursor;
            self->due [lane] = now + lane_period (self->filter, (lane_t) lane);
            metric_count (shared->frames, (double) (count * self->count));
        } else if (next == 0 || self->due [lane] < next) {
            next = self->due [lane];
        }
    }
    if (audience_safe (self) > self->told) {
        self->told = audience_safe (self);
        self->told_at = now;
        notice_id (&shared->block, shared->log, self->told);
    }
    send_bytes (self, &shared->block, false);
    if (next > 0) {
        loop_timer_after (self->tick, next - now);
    }
}

static void
on_tick (void *argument)
{
    audience_t *self = argument;

    if (self->count > 0) {
        send_ticks (self);
    }
}

//  Nobody listens: those that are behind find what they want in the log.
static void
pass_over (audience_t *self, uint64_t last)
{
    self->cursor = self->told = last;
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        self->base [lane] = last;
    }
}

//  Not what its members need next is held: each finds that by itself.
static void
lose (audience_t *self)
{
    while (self->count > 0) {
        client_t *client = self->live [self->count - 1];
        audience_leave (client);
        fanout_watch (client, true);
    }
}

void
audience_turn (audience_t *self)
{
    uint64_t last = event_log_last (self->all->shared->log);

    if (audience_safe (self) + 1 < event_log_first (self->all->shared->log) ||
        self->cursor > last) {
        lose (self);
    }
    if (self->count == 0) {
        pass_over (self, last);
        return;
    }
    while (self->cursor < last && self->count > 0) {
        send_direct (self, last);
    }
    self->cursor = last;
    if (self->rhythm && self->count > 0) {
        send_ticks (self);
    }
}

//  --- all of them

static void
forget (audiences_t *self, audience_t *audience)
{
    if (audience->previous) {
        audience->previous->next = audience->next;
    } else {
        self->first = audience->next;
    }
    if (audience->next) {
        audience->next->previous = audience->previous;
    }
    zhashx_delete (self->by_key, audience->key);
    self->shared->packers -= audience->packer != NULL;
    packer_destroy (&audience->packer);
    loop_timer_destroy (&audience->tick);
    filter_release (&audience->filter);
    free (audience->live);
    free (audience->key);
    free (audience);
}

//  Takes the filter and the key over when it succeeds.
static audience_t *
add (audiences_t *self, client_t *client, filter_t *filter, int64_t heartbeat_seconds, char *key)
{
    fanout_t *shared = self->shared;
    audience_t *audience = calloc (1, sizeof *audience);

    if (!audience || !(audience->tick = loop_timer_new (shared->loop, on_tick, audience))) {
        free (audience);
        return NULL;
    }
    audience->all = self;
    audience->key = key;
    audience->filter = filter;
    audience->heartbeat_seconds = heartbeat_seconds;
    audience->gzip = client->wire.gzip;
    audience->rhythm = lane_has_rhythm (filter);
    audience->told_at = loop_now (shared->loop).steady;
    audience->beat_at = audience->told_at + heartbeat_seconds * SECOND_US;
    if (audience->gzip && shared->packers < (size_t) shared->settings.packers_max &&
        (audience->packer = packer_new ())) {
        shared->packers++;
    }
    pass_over (audience, event_log_last (shared->log));
    audience->next = self->first;
    if (self->first) {
        self->first->previous = audience;
    }
    self->first = audience;
    zhashx_insert (self->by_key, key, audience);
    return audience;
}

int
audiences_admit (audiences_t *self, client_t *client, filter_t **filter_p,
                 int64_t heartbeat_seconds)
{
    buffer_t key = {0};

    filter_write_key (*filter_p, &key);
    buffer_format (&key, "&heartbeat=%" PRId64 "%s", heartbeat_seconds,
                   client->wire.gzip ? "&gzip" : "");
    if (buffer_failed (&key)) {
        buffer_clear (&key);
        return -ENOMEM;
    }
    audience_t *audience = zhashx_lookup (self->by_key, key.data);
    if (audience) {
        buffer_clear (&key);
        filter_release (filter_p);
    } else if ((audience = add (self, client, *filter_p, heartbeat_seconds, key.data))) {
        *filter_p = NULL;
    } else {
        buffer_clear (&key);
        return -ENOMEM;
    }
    audience->members++;
    client->audience = audience;
    return 0;
}

void
audiences_dismiss (audiences_t *self, client_t *client)
{
    audience_leave (client);
    self->forsaken |= --client->audience->members == 0;
    client->audience = NULL;
}

audiences_t *
audiences_new (fanout_t *shared)
{
    audiences_t *self = calloc (1, sizeof *self);

    if (self) {
        self->shared = shared;
        self->by_key = zhashx_new ();
    }
    return self;
}

void
audiences_destroy (audiences_t **self_p)
{
    audiences_t *self = *self_p;

    if (self) {
        while (self->first) {
            forget (self, self->first);
        }
        zhashx_destroy (&self->by_key);
        free (self);
        *self_p = NULL;
    }
}

size_t
audiences_count (const audiences_t *self)
{
    return zhashx_size (self->by_key);
}

//  Those whose last member has gone; not while one of them is being served.
static void
sweep (audiences_t *self)
{
    for (audience_t *audience = self->first, *next; self->forsaken && audience; audience = next) {
        next = audience->next;
        if (audience->members == 0) {
            forget (self, audience);
        }
    }
    self->forsaken = false;
}

void
audiences_turn (audiences_t *self)
{
    for (audience_t *audience = self->first; audience; audience = audience->next) {
        audience_turn (audience);
    }
    sweep (self);
}

//  --- heartbeats

static void
beat_counted (audience_t *self)
{
    for (size_t i = 0; i < self->count;) {
        client_t *client = self->live [i];
        if (client->missed || client->conflated) {
            client_beat (client);
            client_pump (client);
        }
        i += i < self->count && self->live [i] == client;
    }
}

static void
beat (audience_t *self)
{
    fanout_t *shared = self->all->shared;
    char digest [DIGEST_TEXT_SIZE];
    uint64_t safe = audience_safe (self);
    heartbeat_t heartbeat = {.cursor = safe,
                             .with_id = safe > self->told,
                             .digest = safe == event_log_last (shared->log)
                                           ? notice_digest (digest, shared->replica, self->filter)
                                           : NULL};

    beat_counted (self);
    notice_heartbeat (&shared->block, shared->log, &heartbeat);
    self->told = safe;
    self->told_at = loop_now (shared->loop).steady;
    send_bytes (self, &shared->block, true);
}

void
audiences_beat (audiences_t *self)
{
    time_us_t now = loop_now (self->shared->loop).steady;

    for (audience_t *audience = self->first; audience; audience = audience->next) {
        if (now >= audience->beat_at) {
            audience->beat_at = now + audience->heartbeat_seconds * SECOND_US;
            if (audience->count > 0) {
                beat (audience);
            }
        } else if (audience->count > 0 && audience_safe (audience) > audience->told &&
                   now - audience->told_at >= ID_PERIOD_US) {
            audience->told = audience_safe (audience);
            audience->told_at = now;
            notice_id (&self->shared->block, self->shared->log, audience->told);
            send_bytes (audience, &self->shared->block, false);
        }
    }
    sweep (self);
}
