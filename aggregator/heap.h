// heap.h - a binary heap of things that know their place in it.
//
// The first is found at once; putting one in, and taking any one out, costs O(log n). Each thing
// has a size_t for its place (0: it is in no heap), whose offset the heap is told. Pure.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_HEAP_H
#define AGGREGATOR_HEAP_H

#include <stdbool.h>
#include <stddef.h>

typedef bool heap_before_fn (const void *a, const void *b);

typedef struct heap {
    void **items;
    size_t count, size;
    heap_before_fn *before;
    size_t place;  //  offsetof the place in a thing
} heap_t;

#define HEAP(before_fn, type, member) \
    ((heap_t){.before = (before_fn), .place = offsetof (type, member)})

void heap_clear (heap_t *self);  //  the things are not its own

void *heap_first (const heap_t *self);  //  null: empty
bool heap_has (const heap_t *self, const void *item);
void heap_push (heap_t *self, void *item);
void heap_remove (heap_t *self, void *item);  //  nothing when it is not in it
//  What it is ordered by has changed.
void heap_moved (heap_t *self, void *item);

#endif
