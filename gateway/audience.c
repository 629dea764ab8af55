// audience.c - see audience.h.
//
// SPDX-License-Identifier: MIT

#include "audience.h"

#include "../common/cleanup.h"
#include "../common/digest.h"
#include "audience_state.h"
#include "monitor_notice.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES  65536  //  of one write to all; who cannot take it holds it
#define ID_PERIOD_US (5 * SECOND_US)
#define NOT_LIVE     SIZE_MAX

static bool
is_live (const client_t *client)
{
    return client->mode == CLIENT_LIVE;
}

bool
audience_join (client_t *client)
{
    audience_t *self = client->audience;

    assert (!is_live (client));
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 8;
        client_t **live = realloc (self->live, room * sizeof (client_t *));
        if (!live) {
            return false;
        }
        self->live = live;
        self->room = room;
    }
    client->place = self->count;
    self->live [self->count++] = client;
    client->mode = CLIENT_LIVE;
    if (client->beat_second < self->beat_second) {
        self->beat_second = client->beat_second;  //  nobody waits longer than it asked for
    }
    if (client->told < audience_safe (self)) {
        client->told = audience_safe (self);
        if (!client->monitor) {
            notice_id (&client->shared->words, client->shared->log, client->told);
            client_say (client);
        }
    }
    return true;
}

void
audience_leave (client_t *client)
{
    audience_t *self = client->audience;

    if (is_live (client)) {
        packing_leave (&self->packing, client);
        self->live [client->place] = self->live [--self->count];
        self->live [client->place]->place = client->place;
        client->mode = CLIENT_BEHIND;
        client->beat_second = self->beat_second;
        client->told = client->told > self->told ? client->told : self->told;
        sweep_shuffle (&self->sweep, self->count);
        if (!self->sweeps) {
            client->cursor [LANE_DIRECT] = self->cursor;
        }
        for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
            client->cursor [lane] = lane_is_used (self->filter, (lane_t) lane)
                                        ? self->base [lane]
                                        : client->cursor [LANE_DIRECT];
        }
    }
}

const filter_t *
audience_filter (const audience_t *self)
{
    return self->filter;
}

filter_t *
audience_filter_shared (audience_t *self)
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

uint64_t
audience_reached (const client_t *client)
{
    return is_live (client) && !client->audience->sweeps ? audience_safe (client->audience)
                                                         : client->cursor [LANE_DIRECT];
}

//  --- a turn

static void
count_delivery (audience_t *self, size_t frames, time_us_t oldest)
{
    fanout_t *shared = self->shared;

    metric_count (shared->frames, (double) (frames * self->count));
    metric_observe_times (
        shared->delay, (double) (clock_now ().steady - oldest) / (double) SECOND_US, self->count);
}

//  What of the log up to last is told at once, block by block. One event alone goes as it is.
static void
send_direct (audience_t *self, uint64_t last)
{
    fanout_t *shared = self->shared;
    frame_t *only = NULL;
    size_t count = 0;
    uint64_t newest = self->told;
    time_us_t oldest = 0;

    while (self->cursor < last && shared->block.size < BLOCK_BYTES) {
        frame_t *frame = event_log_get (shared->log, ++self->cursor);
        if (!filter_wants (self->filter, frame) || lane_of (self->filter, frame) != LANE_DIRECT ||
            !(frame = filter_form (self->filter, frame))) {
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
            audience_send_block (self, only, false);
        } else {
            audience_send_bytes (self, &shared->block, false);
        }
        count_delivery (self, count, oldest);
    }
}

//  Its last piece may wait in the block, for what goes with it.
static void
send_tick (audience_t *self, lane_t lane)
{
    fanout_t *shared = self->shared;

    while (self->base [lane] < self->cursor && self->count > 0) {
        size_t count = lane_write_tick (shared, self->filter, lane, &self->base [lane],
                                        self->cursor, &shared->block);
        metric_count (shared->frames, (double) (count * self->count));
        if (shared->block.size >= BLOCK_BYTES) {
            audience_send_bytes (self, &shared->block, false);
        }
    }
    self->base [lane] = self->cursor;
}

static void
send_ticks (audience_t *self)
{
    fanout_t *shared = self->shared;
    time_us_t now = loop_now (shared->loop).steady, next = 0;

    for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
        if (!lane_is_used (self->filter, (lane_t) lane) || self->base [lane] == self->cursor) {
            continue;
        }
        if (now >= self->due [lane]) {
            send_tick (self, (lane_t) lane);
            self->due [lane] = now + lane_period (self->filter, (lane_t) lane);
        } else if (next == 0 || self->due [lane] < next) {
            next = self->due [lane];
        }
    }
    if (audience_safe (self) > self->told) {
        self->told = audience_safe (self);
        self->told_at = now;
        notice_id (&shared->block, shared->log, self->told);
    }
    audience_send_bytes (self, &shared->block, false);
    if (next > 0) {
        loop_timer_after (self->tick, next - now);
    }
}

static void
on_tick (void *argument)
{
    audience_t *self = argument;

    if (self->count > 0 && self->rhythm) {  //  a sweep goes on at the turn's end
        send_ticks (self);
    }
}

//  Nobody listens: those that are behind find what they want in the log.
static void
pass_over (audience_t *self, uint64_t last)
{
    self->cursor = self->told = last;
    sweep_clear (&self->sweep);
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

//  False: there is nobody to serve.
static bool
begin_turn (audience_t *self, uint64_t last)
{
    //  Of those that sweep, each is looked at when it is visited.
    bool lost = !self->sweeps && audience_safe (self) + 1 < event_log_first (self->shared->log);

    if (lost || self->cursor > last) {
        lose (self);
    }
    if (self->count == 0) {
        pass_over (self, last);
    }
    return self->count > 0;
}

static void
serve_all (audience_t *self, uint64_t last)
{
    while (self->cursor < last && self->count > 0) {
        send_direct (self, last);
    }
    self->cursor = last;
    if (self->rhythm && self->count > 0) {
        send_ticks (self);
    }
}

//  A part of the members, or all.
static void
sweep (audience_t *self, size_t most)
{
    if (sweep_go (&self->sweep, self->shared, self->filter, self->live, &self->count, most)) {
        self->told_at = loop_now (self->shared->loop).steady;
    }
    if (sweep_is_done (&self->sweep)) {
        self->told = self->sweep.newest > self->told ? self->sweep.newest : self->told;
    }
}

void
audience_catch_up (audience_t *self)
{
    uint64_t last = event_log_last (self->shared->log);

    if (begin_turn (self, last) && self->sweeps) {
        self->cursor = last;
        sweep_aim (&self->sweep, last, self->count);
    } else if (self->count > 0) {
        serve_all (self, last);
    }
}

void
audience_turn (audience_t *self)
{
    size_t slices = 0;

    audience_catch_up (self);
    while (!sweep_is_done (&self->sweep) && slices < SWEEP_SLICES_MAX &&
           (slices == 0 || !loop_is_wanted (self->shared->loop))) {
        sweep (self, SWEEP_SLICE);
        slices++;
    }
    if (!sweep_is_done (&self->sweep)) {
        loop_timer_after (self->tick, 0);  //  the rest in the next turn, which is not to wait
    }
}

void
audience_settle (audience_t *self)
{
    audience_catch_up (self);
    while (!sweep_is_done (&self->sweep)) {
        sweep (self, SWEEP_SLICE);
    }
}

//  --- its life

audience_t *
audience_new (fanout_t *shared, filter_t **filter_p, int64_t heartbeat_seconds, bool gzip)
{
    audience_t *self = calloc (1, sizeof *self);

    if (!self || !(self->tick = loop_timer_new (shared->loop, on_tick, self))) {
        free (self);
        return NULL;
    }
    self->shared = shared;
    self->filter = take_ptr (*filter_p);
    self->heartbeat_seconds = heartbeat_seconds;
    self->gzip = gzip;
    self->rhythm = lane_has_rhythm (self->filter);
    self->sweeps = !gzip && !self->rhythm;
    self->told_at = loop_now (shared->loop).steady;
    self->beat_second = shared->second + heartbeat_seconds;
    if (gzip && shared->packers < (size_t) shared->settings.packers_max &&
        (self->packing.packer = packer_new ())) {
        shared->packers++;
    }
    pass_over (self, event_log_last (shared->log));
    return self;
}

void
audience_destroy (audience_t **self_p)
{
    audience_t *self = *self_p;

    if (self) {
        assert (self->members == 0);
        self->shared->packers -= self->packing.packer != NULL;
        packer_destroy (&self->packing.packer);
        sweep_clear (&self->sweep);
        loop_timer_destroy (&self->tick);
        filter_release (&self->filter);
        free (self->live);
        free (self);
        *self_p = NULL;
    }
}

void
audience_admit (audience_t *self, client_t *client)
{
    assert (!client->audience);
    self->members++;
    client->audience = self;
}

void
audience_dismiss (client_t *client)
{
    audience_leave (client);
    client->audience->members--;
    client->audience = NULL;
}

packing_t *
audience_packing (audience_t *self)
{
    return &self->packing;
}

size_t
audience_members (const audience_t *self)
{
    return self->members;
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

bool
audience_beats (const audience_t *self)
{
    return !self->filter->monitor || filter_wants_type (self->filter, EVENT_HEARTBEAT);
}

void
audience_say_beat (const audience_t *self, buffer_t *out, const heartbeat_t *heartbeat)
{
    if (self->filter->monitor) {
        monitor_notice_heartbeat (out, self->shared->log, heartbeat);
    } else {
        notice_heartbeat (out, self->shared->log, heartbeat);
    }
}

static void
beat (audience_t *self)
{
    fanout_t *shared = self->shared;
    char digest [DIGEST_TEXT_SIZE];
    uint64_t safe = audience_safe (self);
    heartbeat_t heartbeat = {.cursor = safe,
                             .with_id = safe > self->told,
                             .digest = safe == event_log_last (shared->log)
                                           ? notice_digest (digest, shared->replica, self->filter)
                                           : NULL};

    beat_counted (self);
    audience_say_beat (self, &shared->block, &heartbeat);
    self->told = safe;
    self->told_at = loop_now (shared->loop).steady;
    audience_send_bytes (self, &shared->block, true);
}

//  Where the filter has let nothing through for long.
static void
tell_id (audience_t *self)
{
    audience_settle (self);
    if (audience_safe (self) > self->told) {
        self->told = audience_safe (self);
        self->told_at = loop_now (self->shared->loop).steady;
        notice_id (&self->shared->block, self->shared->log, self->told);
        audience_send_bytes (self, &self->shared->block, false);
    }
}

void
audience_beat (audience_t *self)
{
    time_us_t now = loop_now (self->shared->loop).steady;

    audience_catch_up (self);
    bool has_news = self->count > 0 && !self->filter->monitor && audience_safe (self) > self->told;
    if (self->shared->second >= self->beat_second) {
        self->beat_second = self->shared->second + self->heartbeat_seconds;
        audience_settle (self);
        if (self->count > 0 && audience_beats (self)) {
            beat (self);
        }
    } else if (has_news && now - self->told_at >= ID_PERIOD_US) {
        tell_id (self);
    }
}
