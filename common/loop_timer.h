// loop_timer.h - the loop's timers, a binary heap by due time. For loop.c alone; everyone
// else uses loop.h.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_LOOP_TIMER_H
#define COMMON_LOOP_TIMER_H

#include "loop.h"

typedef struct loop_timers {
    loop_timer_t **heap;
    size_t count, size;
} loop_timers_t;

loop_timers_t *loop_timers (loop_t *self);

//  Microseconds until the first is due, 0 when one is; -1 when none is set.
int64_t loop_timers_wait_us (const loop_timers_t *self, time_us_t steady);

//  Calls those that are due now; one that a handler sets to 0 waits for the next turn.
void loop_timers_fire (loop_timers_t *self, time_us_t steady);

//  Frees the heap; timers still made belong to their owners.
void loop_timers_clear (loop_timers_t *self);

#endif
