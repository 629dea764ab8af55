// heap.c - see heap.h.
//
// SPDX-License-Identifier: MIT

#include "heap.h"

#include "cleanup.h"

#include <assert.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOOK_US     (10 * SECOND_US)
#define WORTH_BYTES ((size_t) 16 << 20)
#define WORTH_PART  4  //  of what is in use

struct heap {
    loop_timer_t *timer;
    metric_t *trims;
};

//  Of this process alone: the store's file, mapped, is the kernel's.
static size_t
resident_bytes (void)
{
    unsigned long all, resident = 0, shared = 0;
    FILE *file = fopen ("/proc/self/statm", "re");

    if (file) {
        if (fscanf (file, "%lu %lu %lu", &all, &resident, &shared) != 3) {
            resident = shared = 0;
        }
        fclose (file);
    }
    return resident > shared ? (resident - shared) * (size_t) sysconf (_SC_PAGESIZE) : 0;
}

bool
heap_give_back (void)
{
    struct mallinfo2 info = mallinfo2 ();  //  of all arenas
    size_t used = info.uordblks + info.hblkhd, resident = resident_bytes ();
    bool is_worth_it = resident > used + WORTH_BYTES + used / WORTH_PART;

    if (is_worth_it) {
        (void) malloc_trim (0);
    }
    return is_worth_it;
}

static void
on_timer (void *argument)
{
    heap_t *self = argument;

    if (heap_give_back ()) {
        metric_increment (self->trims);
    }
}

heap_t *
heap_new (loop_t *loop, metrics_t *metrics)
{
    _cleanup_ (heap_destroy) heap_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (loop, on_timer, self))) {
        return NULL;
    }
    self->trims = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_heap_trims_total",
                               "Times that much freed memory was given back to the system");
    loop_timer_every (self->timer, LOOK_US);
    return take_ptr (self);
}

void
heap_destroy (heap_t **self_p)
{
    assert (self_p);
    heap_t *self = *self_p;

    if (self) {
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}
