// client.c - see client.h.
//
// SPDX-License-Identifier: MIT

#include "client.h"

#include "../common/digest.h"
#include "audience.h"
#include "monitor.h"
#include "monitor_notice.h"

#include <string.h>

//  One client's, in one turn; the rest in the next.
#define TURN_BYTES 262144
#define TURN_STEPS 32
#define STEP_LOOKS 4096  //  at events, which its filter may all pass over

void
client_say (client_t *self)
{
    fanout_t *shared = self->shared;

    packing_leave (audience_packing (self->audience), self);
    wire_say (&self->wire, shared->alone, shared->words.data, shared->words.size);
    buffer_reset (&shared->words);
}

void
client_begin_state (client_t *self, image_t *image, filter_t *had)
{
    audience_catch_up (self->audience);
    image_release (&self->image);
    self->image = image_hold (image);
    self->image_at = self->workers = self->jobs = 0;
    self->digest = 0;
    self->had = had;
    self->mode = CLIENT_STATE;
    if (!had) {
        for (int lane = 0; lane < LANE_COUNT; lane++) {
            self->cursor [lane] = image->seq;
        }
        size_t workers, jobs;
        image_count (image, audience_filter (self->audience), &workers, &jobs);
        notice_state_begin (&self->shared->words, workers, jobs);
        client_say (self);
        metric_increment (self->shared->states);
    }
}

void
client_reset (client_t *self, const char *reason, const char *requested)
{
    uint64_t first = event_log_first (self->shared->log), last = event_log_last (self->shared->log);

    if (self->monitor && !monitor_has_joined (self)) {
        monitor_go_on (self, last);  //  it has had nothing yet
        return;
    }
    if (self->mode != CLIENT_WAITING || requested) {
        if (!requested && self->cursor [LANE_DIRECT] + 1 < first) {
            self->missed += first - 1 - self->cursor [LANE_DIRECT];
            metric_count (self->shared->missed, (double) (first - 1 - self->cursor [LANE_DIRECT]));
        }
        if (self->monitor) {
            monitor_notice_reset (&self->shared->words, self->shared->log, reason, requested);
        } else {
            notice_reset (&self->shared->words, self->shared->log, reason, requested);
        }
        client_say (self);
        metric_increment (self->shared->resets);
    }
    audience_leave (self);
    image_release (&self->image);
    filter_release (&self->had);
    self->told = self->exact = last;
    if (self->monitor) {
        monitor_drop_state (self);
    }
    fanout_await_state (self);
}

void
client_end (client_t *self, client_code_t code, const char *message, unsigned retry_ms)
{
    if (!self->ending) {
        self->ending = message;
        self->ends_code = code;
        self->retry_ms = retry_ms;
        audience_leave (self);
        client_pump (self);
    }
}

uint64_t
client_events_behind (const client_t *self)
{
    uint64_t last = event_log_last (self->shared->log);
    uint64_t at = audience_reached (self);

    return at < last ? last - at : 0;
}

size_t
client_bytes_behind (const client_t *self)
{
    return self->mode == CLIENT_BEHIND || self->mode == CLIENT_STATE
               ? event_log_bytes_after (self->shared->log, self->cursor [LANE_DIRECT])
               : 0;
}

time_us_t
client_lag (const client_t *self)
{
    if (self->mode == CLIENT_LIVE) {
        return 0;
    }
    const frame_t *next = event_log_get (self->shared->log, self->cursor [LANE_DIRECT] + 1);
    return next ? clock_now ().steady - next->time : 0;
}

void
client_beat (client_t *self)
{
    char digest [DIGEST_TEXT_SIZE];
    const filter_t *filter = audience_filter (self->audience);
    bool live = self->mode == CLIENT_LIVE;
    uint64_t safe = live ? audience_reached (self) : self->told;
    bool whole = live && safe == event_log_last (self->shared->log);
    heartbeat_t beat = {.cursor = safe,
                        .with_id = live && safe > self->told,
                        .missed = self->missed,
                        .conflated = self->conflated,
                        .lag = client_lag (self),
                        .digest =
                            whole ? notice_digest (digest, self->shared->replica, filter) : NULL};

    self->told = safe;
    self->beat_second = self->shared->second + audience_heartbeat_seconds (self->audience);
    if (audience_beats (self->audience)) {
        audience_say_beat (self->audience, &self->shared->words, &beat);
        client_say (self);
    }
}

//  --- the state

static const char *
digest_of_state (const client_t *self, char text [DIGEST_TEXT_SIZE])
{
    uint64_t all;

    if (!replica_digest (self->shared->replica, false, &all) ||
        !filter_wants_type (audience_filter (self->audience), EVENT_WORKER_SNAPSHOT)) {
        return NULL;
    }
    digest_text (text, self->digest);
    return text;
}

static void
end_state (client_t *self)
{
    char text [DIGEST_TEXT_SIZE];

    if (!self->had) {
        notice_state_end (&self->shared->words, self->image->epoch, self->image->seq, self->workers,
                          self->jobs, digest_of_state (self, text));
        client_say (self);
        self->told = self->image->seq;
    }
    filter_release (&self->had);
    image_release (&self->image);
    self->mode = CLIENT_BEHIND;
}

static bool
is_owed (const client_t *self, const frame_t *frame)
{
    return filter_wants (audience_filter (self->audience), frame) &&
           (!self->had || (frame->type != EVENT_SYSTEM_STATS && !filter_wants (self->had, frame)));
}

static void
count_part (client_t *self, const frame_t *frame)
{
    self->workers += frame->type == EVENT_WORKER_SNAPSHOT;
    self->jobs += frame->type == EVENT_JOB_SUBMITTED;
    self->digest += frame->digest;
}

static wire_result_t
write_state (client_t *self)
{
    if (self->monitor) {
        return monitor_write_state (self);
    }
    frame_t *frames [WIRE_FRAMES_MAX];
    size_t places [WIRE_FRAMES_MAX] = {0}, count = 0, taken = 0, at = self->image_at;

    for (; at < self->image->count && count < WIRE_FRAMES_MAX; at++) {
        if (is_owed (self, self->image->frames [at])) {
            places [count] = at;
            frames [count] =
                filter_form (audience_filter (self->audience), self->image->frames [at]);
            if (!frames [count++]) {
                return WIRE_GONE;
            }
        }
    }
    wire_result_t result = count == 0
                               ? WIRE_CLEAR
                               : wire_send_frames (&self->wire, self->shared->alone, frames, count,
                                                   loop_now (self->shared->loop).steady, &taken);
    for (size_t i = 0; i < taken; i++) {
        count_part (self, frames [i]);
        self->image_at = places [i] + 1;
    }
    if (taken == count) {
        self->image_at = at;
    }
    if (result != WIRE_GONE && self->image_at == self->image->count) {
        end_state (self);
    }
    return result;
}

//  --- what the log holds for it

//  Left out of what it gets, for a later one says it as well.
static bool
is_left_out (client_t *self, const frame_t *frame)
{
    return self->conflating && frame->seq > self->exact &&
           lane_is_superseded (self->shared->replica, audience_filter (self->audience), frame);
}

//  The next frames that it gets, how many events are left out before each and behind the last, and up
//  to where that goes.
typedef struct gathered {
    frame_t *frames [WIRE_FRAMES_MAX];
    size_t left_out [WIRE_FRAMES_MAX + 1];
    size_t count;
    uint64_t reached;
} gathered_t;

static void
gather (client_t *self, gathered_t *out)
{
    const filter_t *filter = audience_filter (self->audience);
    uint64_t seq = self->cursor [LANE_DIRECT], target = audience_cursor (self->audience);

    out->count = 0;
    out->left_out [0] = 0;
    target = target - seq < STEP_LOOKS ? target : seq + STEP_LOOKS;
    while (seq < target && out->count < WIRE_FRAMES_MAX) {
        frame_t *frame = event_log_get (self->shared->log, ++seq);
        if (!filter_wants (filter, frame) || lane_of (filter, frame) != LANE_DIRECT) {
            continue;
        }
        if (is_left_out (self, frame)) {
            out->left_out [out->count]++;
        } else if ((out->frames [out->count] = filter_form (filter, frame))) {
            out->left_out [++out->count] = 0;
        }
    }
    out->reached = seq;
}

//  So many of them went out; what was left out before the others is looked at again.
static void
count_taken (client_t *self, const gathered_t *gathered, size_t taken)
{
    size_t left_out = 0;

    for (size_t i = 0; i < taken + (taken == gathered->count); i++) {
        left_out += gathered->left_out [i];
    }
    self->conflated += left_out;
    metric_count (self->shared->conflated, (double) left_out);
    metric_count (self->shared->frames, (double) taken);
}

static wire_result_t
write_frames (client_t *self)
{
    gathered_t next;
    size_t taken = 0;

    gather (self, &next);
    wire_result_t result =
        next.count == 0
            ? WIRE_CLEAR
            : wire_send_frames (&self->wire, self->shared->alone, next.frames, next.count,
                                loop_now (self->shared->loop).steady, &taken);
    if (taken > 0) {
        self->cursor [LANE_DIRECT] = self->told = next.frames [taken - 1]->seq;
    }
    if (taken == next.count) {
        self->cursor [LANE_DIRECT] = next.reached;
    }
    count_taken (self, &next, taken);
    return result;
}

//  A piece of it; false: that was the last.
static bool
write_tick (client_t *self, lane_t lane, uint64_t to)
{
    fanout_t *shared = self->shared;
    const filter_t *filter = audience_filter (self->audience);

    if (lane_is_used (filter, lane) && self->cursor [lane] < to) {
        size_t count =
            lane_write_tick (shared, filter, lane, &self->cursor [lane], to, &shared->words);
        metric_count (shared->frames, (double) count);
        return self->cursor [lane] < to;
    }
    return false;
}

//  What its ticks have told, as far as it has had the rest: a job's progress never comes before it.
static void
write_ticks (client_t *self)
{
    const filter_t *filter = audience_filter (self->audience);

    for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
        uint64_t base = audience_base (self->audience, (lane_t) lane),
                 had = self->cursor [LANE_DIRECT];
        (void) write_tick (self, (lane_t) lane, base < had ? base : had);
        if (!lane_is_used (filter, (lane_t) lane)) {
            self->cursor [lane] = base;
        }
    }
}

void
client_tell_rest (client_t *self)
{
    for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
        while (write_tick (self, (lane_t) lane, self->cursor [LANE_DIRECT])) {
        }
    }
    if (self->shared->words.size > 0) {
        client_say (self);
    }
}

//  One that has a rhythm: the same without ids, and what its ticks have told.
static wire_result_t
write_in_rhythm (client_t *self)
{
    fanout_t *shared = self->shared;
    gathered_t next;

    gather (self, &next);
    for (size_t i = 0; i < next.count; i++) {
        buffer_append (&shared->words, next.frames [i]->bytes + next.frames [i]->id_size,
                       next.frames [i]->size - next.frames [i]->id_size);
    }
    self->cursor [LANE_DIRECT] = next.reached;
    count_taken (self, &next, next.count);
    write_ticks (self);
    if (shared->words.size > 0) {
        client_say (self);
    }
    return wire_flush (&self->wire, loop_now (shared->loop).steady);
}

static bool
has_all (const client_t *self)
{
    bool all = self->cursor [LANE_DIRECT] == audience_cursor (self->audience);

    for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
        all &= !lane_is_used (audience_filter (self->audience), (lane_t) lane) ||
               self->cursor [lane] >= audience_base (self->audience, (lane_t) lane);
    }
    return all;
}

//  It falls behind by more than it may, and not only for the moment that a burst takes: from now
//  on it gets the newest instead of everything.
static void
judge (client_t *self)
{
    fanout_t *shared = self->shared;

    if (!self->conflating && self->cursor [LANE_DIRECT] >= self->exact &&
        client_bytes_behind (self) > (size_t) shared->settings.queue_max_bytes &&
        client_lag (self) > shared->settings.slow_after_ms * MS_US) {
        self->conflating = true;
        metric_increment (shared->stepped_back);
    }
}

bool
client_is_held (const client_t *self)
{
    const event_log_t *log = self->shared->log;
    uint64_t first = event_log_first (log), last = event_log_last (log), at;

    if (self->mode == CLIENT_LIVE) {
        at = audience_reached (self);
        return at + 1 >= first && audience_cursor (self->audience) <= last;
    }
    bool held = self->cursor [LANE_DIRECT] + 1 >= first && self->cursor [LANE_DIRECT] <= last;
    for (int lane = LANE_SNAPSHOTS; lane < LANE_COUNT; lane++) {
        held &= !lane_is_used (audience_filter (self->audience), (lane_t) lane) ||
                self->cursor [lane] + 1 >= first ||
                self->cursor [lane] == audience_base (self->audience, (lane_t) lane);
    }
    return held;
}

static wire_result_t
write_past (client_t *self)
{
    if (!client_is_held (self)) {
        client_reset (self, "too old", NULL);
        return wire_flush (&self->wire, loop_now (self->shared->loop).steady);
    }
    judge (self);
    wire_result_t result = lane_has_rhythm (audience_filter (self->audience))
                               ? write_in_rhythm (self)
                               : write_frames (self);
    if (result == WIRE_CLEAR && !self->ending && has_all (self)) {
        self->conflating = false;
        result = audience_join (self) ? result : WIRE_GONE;
    }
    return result;
}

static void
say_farewell (client_t *self)
{
    if (self->monitor) {
        monitor_say_farewell (self);
    } else {
        notice_shutdown (&self->shared->words, self->ending, self->retry_ms);
        client_say (self);
        wire_finish (&self->wire);
    }
    self->farewell = true;
}

//  The next thing for a client whose wire is clear. False: there is nothing.
static bool
write_next (client_t *self, wire_result_t *result)
{
    time_us_t now = loop_now (self->shared->loop).steady;

    if (self->ending && !self->farewell && (self->mode != CLIENT_BEHIND || has_all (self))) {
        say_farewell (self);
        *result = wire_flush (&self->wire, now);
        return true;
    }
    if (self->farewell || self->mode == CLIENT_LIVE) {
        return false;
    }
    if (self->shared->second >= self->beat_second) {
        client_beat (self);
    } else if (self->mode == CLIENT_WAITING) {
        return false;
    }
    *result = wire_flush (&self->wire, now);
    if (*result == WIRE_CLEAR && self->mode != CLIENT_WAITING) {
        *result = self->mode == CLIENT_STATE ? write_state (self) : write_past (self);
    }
    if (*result == WIRE_CLEAR) {
        *result = wire_flush (&self->wire, now);
    }
    return true;
}

void
client_pump (client_t *self)
{
    uint64_t sent = self->wire.sent;
    wire_result_t result = wire_flush (&self->wire, loop_now (self->shared->loop).steady);
    bool more = true;

    for (int steps = TURN_STEPS;
         result == WIRE_CLEAR && more && steps > 0 && self->wire.sent - sent < TURN_BYTES;
         steps--) {
        more = write_next (self, &result);
    }
    if (result == WIRE_GONE) {
        fanout_close (self, "gone");
    } else if (result == WIRE_CLEAR && self->farewell &&
               !(self->monitor && monitor_lingers (self))) {
        fanout_close (self, self->monitor ? monitor_end_of (self) : "ended");
    } else {
        if (result == WIRE_FULL) {
            audience_leave (self);
        }
        fanout_watch (self, result == WIRE_FULL || more);
    }
}
