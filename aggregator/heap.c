// heap.c - see heap.h. Places are counted from 1; the parent of n is n / 2.
//
// SPDX-License-Identifier: MIT

#include "heap.h"

#include <assert.h>
#include <stdlib.h>

static size_t *
place_of (const heap_t *self, const void *item)
{
    return (size_t *) (void *) ((char *) (void *) item + self->place);
}

static void
set (heap_t *self, size_t place, void *item)
{
    self->items [place - 1] = item;
    *place_of (self, item) = place;
}

static size_t
up (heap_t *self, size_t place)
{
    void *item = self->items [place - 1];

    while (place > 1 && self->before (item, self->items [place / 2 - 1])) {
        set (self, place, self->items [place / 2 - 1]);
        place /= 2;
    }
    set (self, place, item);
    return place;
}

static void
down (heap_t *self, size_t place)
{
    void *item = self->items [place - 1];

    for (size_t child; (child = place * 2) <= self->count; place = child) {
        if (child < self->count && self->before (self->items [child], self->items [child - 1])) {
            child++;
        }
        if (!self->before (self->items [child - 1], item)) {
            break;
        }
        set (self, place, self->items [child - 1]);
    }
    set (self, place, item);
}

void
heap_clear (heap_t *self)
{
    free (self->items);
    self->items = NULL;
    self->count = self->size = 0;
}

void *
heap_first (const heap_t *self)
{
    return self->count ? self->items [0] : NULL;
}

bool
heap_has (const heap_t *self, const void *item)
{
    size_t place = *place_of (self, item);

    return place > 0 && place <= self->count && self->items [place - 1] == item;
}

void
heap_push (heap_t *self, void *item)
{
    if (self->count == self->size) {
        size_t size = self->size ? self->size * 2 : 16;
        void **items = realloc (self->items, size * sizeof *items);
        assert (items && "a pointer for each thing; without it nothing goes on");
        self->items = items;
        self->size = size;
    }
    self->items [self->count++] = item;
    up (self, self->count);
}

void
heap_moved (heap_t *self, void *item)
{
    down (self, up (self, *place_of (self, item)));
}

void
heap_remove (heap_t *self, void *item)
{
    if (!heap_has (self, item)) {
        return;
    }
    size_t place = *place_of (self, item);
    void *last = self->items [--self->count];

    *place_of (self, item) = 0;
    if (last != item) {
        set (self, place, last);
        heap_moved (self, last);
    }
}
