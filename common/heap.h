// heap.h - memory that was freed goes back to the system.
//
// A burst (a queue that fills while others have the processor, clients that stall and leave) leaves free memory between
// what is still used, and in the arenas of libzmq's threads, where messages were allocated that we freed. The
// allocator keeps it for ever, and a process that once had much looks as if it had it still. So from time to time what is
// resident is held against what is in use, and when much more is, all free pages are given back.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_HEAP_H
#define COMMON_HEAP_H

#include "loop.h"
#include "metrics.h"

typedef struct heap heap_t;

//  Looks every few seconds. Null when memory is out.
heap_t *heap_new (loop_t *loop, metrics_t *metrics);
void heap_destroy (heap_t **self_p);

//  Gives back if it is worth it: to look through the heap takes milliseconds. True when it did.
bool heap_give_back (void);

#endif
