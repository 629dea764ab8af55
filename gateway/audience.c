// audience.c - see audience.h.
//
// SPDX-License-Identifier: MIT

#include "audience.h"

#include "../common/cleanup.h"
#include "../common/digest.h"
#include "notice.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_BYTES  262144  //  of one write to all
#define ID_PERIOD_US (5 * SECOND_US)
#define NOT_LIVE     SIZE_MAX

struct audience {
    fanout_t *shared;
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
    packing_t packing;
    loop_timer_t *tick;
};

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
        packing_leave (&self->packing, client);
        self->live [client->place] = self->live [--self->count];
        self->live [client->place]->place = client->place;
        client->mode = CLIENT_BEHIND;
        client->told = client->told > self->told ? client->told : self->told;
        client->cursor [LANE_DIRECT] = self->cursor;
        for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
            client->cursor [lane] =
                lane_is_used (self->filter, (lane_t) lane) ? self->base [lane] : self->cursor;
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

//  --- one block to all live members

typedef struct forms {
    frame_t *plain, *within, *alone;
    uint32_t crc;
} forms_t;

//  The form of the block for this client, made when the first one wants it.
static frame_t *
form_for (audience_t *self, const client_t *client, forms_t *forms)
{
    fanout_t *shared = self->shared;
    frame_t *plain = forms->plain;

    if (!self->gzip) {
        return plain;
    }
    if (client->context != 0 && !forms->within) {
        forms->within = packer_run (self->packing.packer, plain->bytes, plain->size);
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
    fanout_t *shared = self->shared;
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
        packing_refresh (&self->packing, self->live, self->count,
                         loop_now (self->shared->loop).steady);
        forms.crc = pack_crc (block->bytes, block->size);
        pack_sum_add (&self->packing.sum, forms.crc, block->size);
        metric_count (self->shared->plain, (double) block->size);
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
    metric_increment (self->shared->writes);
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
    fanout_t *shared = self->shared;
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
    uint64_t last = event_log_last (self->shared->log);

    if (audience_safe (self) + 1 < event_log_first (self->shared->log) || self->cursor > last) {
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
    self->told_at = loop_now (shared->loop).steady;
    self->beat_at = self->told_at + heartbeat_seconds * SECOND_US;
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
    notice_heartbeat (&shared->block, shared->log, &heartbeat);
    self->told = safe;
    self->told_at = loop_now (shared->loop).steady;
    send_bytes (self, &shared->block, true);
}

void
audience_beat (audience_t *self)
{
    time_us_t now = loop_now (self->shared->loop).steady;
    bool has_news = self->count > 0 && audience_safe (self) > self->told;

    if (now >= self->beat_at) {
        self->beat_at = now + self->heartbeat_seconds * SECOND_US;
        if (self->count > 0) {
            beat (self);
        }
    } else if (has_news && now - self->told_at >= ID_PERIOD_US) {
        self->told = audience_safe (self);
        self->told_at = now;
        notice_id (&self->shared->block, self->shared->log, self->told);
        send_bytes (self, &self->shared->block, false);
    }
}
