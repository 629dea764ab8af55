// SPDX-License-Identifier: MIT

#include "schedule.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

struct schedule {
    schedule_item_t **heap;
    size_t count, capacity;
    size_t running, running_max;
    retry_random_fn *random;
    void *argument;
};

schedule_t *
schedule_new (size_t running_max, retry_random_fn *random, void *argument)
{
    assert (running_max > 0 && random);

    schedule_t *self = calloc (1, sizeof *self);
    if (self) {
        self->running_max = running_max;
        self->random = random;
        self->argument = argument;
    }
    return self;
}

void
schedule_destroy (schedule_t **self_p)
{
    assert (self_p);

    schedule_t *self = *self_p;
    if (self) {
        free (self->heap);
        free (self);
        *self_p = NULL;
    }
}

static void
put (schedule_t *self, size_t place, schedule_item_t *item)
{
    self->heap [place] = item;
    item->place = place;
}

//  Moves the item at place up, then down, to where its due time belongs.
static void
settle (schedule_t *self, size_t place)
{
    schedule_item_t *item = self->heap [place];

    while (place > 0 && self->heap [(place - 1) / 2]->due > item->due) {
        put (self, place, self->heap [(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = place * 2 + 1;
        if (child + 1 < self->count && self->heap [child + 1]->due < self->heap [child]->due) {
            child++;
        }
        if (child >= self->count || self->heap [child]->due >= item->due) {
            break;
        }
        put (self, place, self->heap [child]);
        place = child;
    }
    put (self, place, item);
}

//  In whole milliseconds, so that a day times the dice fits 64 bits.
static time_us_t
random_up_to (schedule_t *self, time_us_t limit_us)
{
    uint64_t limit_ms = (uint64_t) (limit_us / MS_US);

    return (time_us_t) ((limit_ms * self->random (self->argument)) >> 32) * MS_US;
}

static int
make_room (schedule_t *self)
{
    if (self->count < self->capacity) {
        return 0;
    }
    size_t capacity = self->capacity ? self->capacity * 2 : 16;
    schedule_item_t **heap = realloc (self->heap, capacity * sizeof (schedule_item_t *));
    if (!heap) {
        return -ENOMEM;
    }
    self->heap = heap;
    self->capacity = capacity;
    return 0;
}

int
schedule_add (schedule_t *self, schedule_item_t *item, time_us_t interval_us, time_us_t now)
{
    assert (interval_us > 0);

    if (make_room (self) < 0) {
        return -ENOMEM;
    }
    time_us_t within =
        interval_us < SCHEDULE_FIRST_WITHIN_US ? interval_us : SCHEDULE_FIRST_WITHIN_US;
    *item = (schedule_item_t){.due = now + random_up_to (self, within), .interval_us = interval_us};
    put (self, self->count++, item);
    settle (self, item->place);
    return 0;
}

void
schedule_remove (schedule_t *self, schedule_item_t *item)
{
    size_t place = item->place;
    assert (place < self->count && self->heap [place] == item && "invariant 2");

    item->again = false;
    schedule_done (self, item);
    schedule_item_t *last = self->heap [--self->count];
    if (last != item) {
        put (self, place, last);
        settle (self, place);
    }
}

//  The second round has a random phase in the later half of the interval; each further one
//  is an interval after the one before, and those already past are skipped and counted.
static void
set_next (schedule_t *self, schedule_item_t *item, time_us_t now, uint64_t *overdue)
{
    if (!item->begun) {
        item->begun = true;
        item->due = now + item->interval_us / 2 + random_up_to (self, item->interval_us / 2);
    } else {
        time_us_t missed = (now - item->due) / item->interval_us;
        *overdue += (uint64_t) missed;
        item->due += (missed + 1) * item->interval_us;
    }
    settle (self, item->place);
}

schedule_item_t *
schedule_take (schedule_t *self, time_us_t now, uint64_t *overdue)
{
    while (self->count > 0 && self->heap [0]->due <= now) {
        schedule_item_t *item = self->heap [0];
        if (item->running) {
            ++*overdue;
            set_next (self, item, now, overdue);
            continue;
        }
        if (self->running == self->running_max) {
            break;
        }
        set_next (self, item, now, overdue);
        item->running = true;
        self->running++;
        return item;
    }
    return NULL;
}

void
schedule_done (schedule_t *self, schedule_item_t *item)
{
    if (item->running) {
        item->running = false;
        self->running--;
    }
    if (item->again) {
        item->again = item->begun = false;
        item->due = 0;  //  long past
        settle (self, item->place);
    }
}

void
schedule_set_interval (schedule_t *self, schedule_item_t *item, time_us_t interval_us,
                       time_us_t now)
{
    assert (interval_us > 0);

    item->interval_us = interval_us;
    if (item->due > now + interval_us) {
        item->due = now + interval_us;
        settle (self, item->place);
    }
}

void
schedule_make_due (schedule_t *self, schedule_item_t *item, time_us_t now)
{
    if (item->running) {
        item->again = true;
    } else if (item->due > now) {
        item->due = now;
        settle (self, item->place);
    }
}

time_us_t
schedule_next (const schedule_t *self)
{
    if (self->count == 0 || (self->running == self->running_max && !self->heap [0]->running)) {
        return SCHEDULE_NEVER;
    }
    return self->heap [0]->due;
}

size_t
schedule_running (const schedule_t *self)
{
    return self->running;
}

void
schedule_validate (const schedule_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        assert (self->heap [i]->place == i && "invariant 2");
        assert ((i == 0 || self->heap [(i - 1) / 2]->due <= self->heap [i]->due) && "invariant 1");
    }
    assert (self->running <= self->running_max && "invariant 3");
}
