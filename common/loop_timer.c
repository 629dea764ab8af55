// loop_timer.c - see loop_timer.h.
//
// SPDX-License-Identifier: MIT

#include "loop_timer.h"

#include <assert.h>
#include <stdlib.h>

#define NOWHERE SIZE_MAX

struct loop_timer {
    loop_t *loop;
    loop_fn *fn;
    void *argument;
    time_us_t due;     //  steady
    time_us_t period;  //  0: once
    bool stood;        //  see loop_timer_stood_still
    size_t at;         //  place in the heap, NOWHERE when not set
};

static void
place (loop_timers_t *self, size_t at, loop_timer_t *timer)
{
    self->heap [at] = timer;
    timer->at = at;
}

static void
sift_up (loop_timers_t *self, size_t at, loop_timer_t *timer)
{
    while (at > 0 && self->heap [(at - 1) / 2]->due > timer->due) {
        place (self, at, self->heap [(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    place (self, at, timer);
}

static void
sift_down (loop_timers_t *self, size_t at, loop_timer_t *timer)
{
    for (size_t child; (child = 2 * at + 1) < self->count; at = child) {
        if (child + 1 < self->count && self->heap [child + 1]->due < self->heap [child]->due) {
            child++;
        }
        if (self->heap [child]->due >= timer->due) {
            break;
        }
        place (self, at, self->heap [child]);
    }
    place (self, at, timer);
}

loop_timer_t *
loop_timer_new (loop_t *loop, loop_fn *fn, void *argument)
{
    loop_timer_t *self = calloc (1, sizeof *self);

    if (self) {
        *self = (loop_timer_t){.loop = loop, .fn = fn, .argument = argument, .at = NOWHERE};
    }
    return self;
}

void
loop_timer_stop (loop_timer_t *self)
{
    loop_timers_t *timers = loop_timers (self->loop);
    size_t at = self->at;

    if (at == NOWHERE) {
        return;
    }
    self->at = NOWHERE;
    loop_timer_t *last = timers->heap [--timers->count];
    if (last != self) {
        sift_up (timers, at, last);
        sift_down (timers, last->at, last);
    }
}

void
loop_timer_destroy (loop_timer_t **self_p)
{
    assert (self_p);

    if (*self_p) {
        loop_timer_stop (*self_p);
        free (*self_p);
        *self_p = NULL;
    }
}

static void
set (loop_timer_t *self, time_us_t due)
{
    loop_timers_t *timers = loop_timers (self->loop);

    loop_timer_stop (self);
    if (timers->count == timers->size) {
        size_t size = timers->size ? timers->size * 2 : 16;
        loop_timer_t **heap = realloc (timers->heap, size * sizeof (loop_timer_t *));
        assert (heap && "a timer is a few bytes; without them nothing goes on");
        timers->heap = heap;
        timers->size = size;
    }
    //  A microsecond is long: what is set to now must not be due again in this very turn.
    time_us_t turn = loop_now (self->loop).steady;
    self->due = due > turn ? due : turn + 1;
    sift_up (timers, timers->count++, self);
}

void
loop_timer_after (loop_timer_t *self, time_us_t delay_us)
{
    self->period = 0;
    set (self, clock_now ().steady + (delay_us > 0 ? delay_us : 0));
}

void
loop_timer_every (loop_timer_t *self, time_us_t period_us)
{
    assert (period_us > 0);
    set (self, clock_now ().steady + period_us);
    self->period = period_us;
}

bool
loop_timer_is_set (const loop_timer_t *self)
{
    return self->at != NOWHERE;
}

bool
loop_timer_stood_still (const loop_timer_t *self)
{
    return self->stood;
}

int64_t
loop_timers_wait_us (const loop_timers_t *self, time_us_t steady)
{
    if (self->count == 0) {
        return -1;
    }
    return self->heap [0]->due > steady ? self->heap [0]->due - steady : 0;
}

void
loop_timers_fire (loop_timers_t *self, time_us_t steady)
{
    while (self->count > 0 && self->heap [0]->due <= steady) {
        loop_timer_t *timer = self->heap [0];
        loop_timer_stop (timer);
        if (timer->period > 0) {
            //  The next time that is not over already: a stall makes no burst (traps 7).
            time_us_t missed = (steady - timer->due) / timer->period;
            timer->stood = missed > 0 && !timer->stood;
            set (timer, timer->due + (missed + 1) * timer->period);
        }
        timer->fn (timer->argument);  //  may destroy the timer: it is not touched after
    }
}

void
loop_timers_clear (loop_timers_t *self)
{
    free (self->heap);
    *self = (loop_timers_t){0};
}
