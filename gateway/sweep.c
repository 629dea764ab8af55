// sweep.c - see sweep.h.
//
// SPDX-License-Identifier: MIT

#include "sweep.h"

#include "audience.h"

#define RUN_BYTES 65536  //  of one write; who cannot take it holds it

void
sweep_clear (sweep_t *self)
{
    frame_release (&self->run.bytes);
    *self = (sweep_t){0};
}

void
sweep_aim (sweep_t *self, uint64_t target, size_t members)
{
    if (target != self->target) {
        self->target = target;
        self->todo = members;
    }
}

void
sweep_shuffle (sweep_t *self, size_t members)
{
    self->todo = self->todo > 0 ? members : 0;
}

bool
sweep_is_done (const sweep_t *self)
{
    return self->todo == 0;
}

//  --- the run

static void
count_run (sweep_run_t *run, fanout_t *shared)
{
    if (run->delivered > 0) {
        metric_count (shared->frames, (double) (run->count * run->delivered));
        metric_observe_times (shared->delay,
                              (double) (clock_now ().steady - run->oldest) / (double) SECOND_US,
                              run->delivered);
        run->delivered = 0;
    }
}

static void
add_frame (sweep_run_t *run, frame_t *frame, buffer_t *block)
{
    run->newest = frame->seq;
    if (run->count++ == 0) {
        run->oldest = frame->time;
        run->bytes = frame_hold (frame);  //  one alone goes as it is
        return;
    }
    if (run->count == 2) {
        buffer_append (block, run->bytes->bytes, run->bytes->size);
    }
    buffer_append (block, frame->bytes, frame->size);
}

//  False: the log does not hold all of it, or memory is out.
static bool
make_run (sweep_t *self, fanout_t *shared, const filter_t *filter, uint64_t from)
{
    sweep_run_t *run = &self->run;
    buffer_t *block = &shared->block;

    count_run (run, shared);
    frame_release (&run->bytes);
    *run = (sweep_run_t){.from = from, .to = from};
    while (run->to < self->target && !run->is_cut) {
        frame_t *frame = event_log_get (shared->log, run->to + 1);
        if (!frame) {
            buffer_reset (block);
            return false;
        }
        run->to++;
        if (filter_wants (filter, frame) && (frame = filter_form (filter, frame))) {
            add_frame (run, frame, block);
        }
        run->is_cut = block->size >= RUN_BYTES;
    }
    if (run->count > 1) {
        frame_release (&run->bytes);
        run->bytes = buffer_failed (block) ? NULL : frame_of_bytes (block->data, block->size);
        buffer_reset (block);
    }
    self->newest = run->newest > self->newest ? run->newest : self->newest;
    run->made = run->count == 0 || run->bytes;
    metric_count (shared->writes, run->count > 0 ? 1 : 0);
    return run->made;
}

static bool
fits (const sweep_t *self, uint64_t from)
{
    const sweep_run_t *run = &self->run;

    return run->made && run->from == from && (run->to == self->target || run->is_cut);
}

//  --- a visit

static bool
visit (sweep_t *self, fanout_t *shared, const filter_t *filter, client_t *client, size_t members)
{
    sweep_run_t *run = &self->run;
    uint64_t from = client->cursor [LANE_DIRECT];

    if (from == self->target) {
        return false;
    }
    if (!fits (self, from) && !make_run (self, shared, filter, from)) {
        run->made = false;
        audience_leave (client);
        fanout_watch (client, true);
        return false;
    }
    client->cursor [LANE_DIRECT] = run->to;
    if (run->to < self->target) {
        self->todo = members;
    }
    if (run->count == 0) {
        return false;
    }
    client->told = run->newest;
    run->delivered++;
    wire_result_t result = wire_send (&client->wire, run->bytes, loop_now (shared->loop).steady);
    if (result == WIRE_GONE) {
        fanout_close (client, "gone");
    } else if (result == WIRE_FULL) {
        audience_leave (client);
        fanout_watch (client, true);
    }
    return true;
}

bool
sweep_go (sweep_t *self, fanout_t *shared, const filter_t *filter, client_t *const *live,
          const size_t *count, size_t most)
{
    bool any = false;

    for (; most > 0 && self->todo > 0 && *count > 0; most--) {
        self->next = self->next < *count ? self->next : 0;
        client_t *client = live [self->next];
        self->todo--;
        client_fetch (live [self->next + 1 < *count ? self->next + 1 : 0]);
        any |= visit (self, shared, filter, client, *count);
        self->next += self->next < *count && live [self->next] == client;
    }
    if (*count == 0) {
        self->todo = 0;
    }
    count_run (&self->run, shared);
    return any;
}
