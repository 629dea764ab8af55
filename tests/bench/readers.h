// readers.h - many readers of one stream in one epoll loop, and what they saw.
//
// Each reader counts the events it gets, and since it gets all of them from the first that was
// told after it came, its count says which event each is. So "all have had it" costs one
// subtraction an event and reader, and a lost, doubled or misplaced event shows at once: the
// number in its payload is not the one that was due. What it is to look like is payload.h.
//
// It parses nothing that it does not need: at millions of events a second the readers must not be
// what is measured.
//
// SPDX-License-Identifier: MIT

#ifndef BENCH_READERS_H
#define BENCH_READERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define READERS_MAX       19000  //  of 20,000 descriptors, the hard limit of many containers
#define READERS_IN_FLIGHT 65536

typedef struct readers readers_t;

typedef struct readers_counts {
    uint64_t events;  //  delivered: one for each reader that had it
    uint64_t bytes;   //  as they came, packed or not
    uint64_t reads;
    uint64_t wrong;   //  not the event that was due
    uint64_t closed;  //  by the other side
} readers_counts_t;

//  path begins with a slash. gzip: they ask for it, and unpack what comes. observed: the events are an aggregator's, of
//  what an observer (observer.h) has said, instead of payload.h's.
readers_t *readers_new (int port, const char *path, bool gzip, bool observed);
void readers_destroy (readers_t **self_p);

//  Opens or closes until there are so many, all of them answered. False: not within 30 s.
bool readers_resize (readers_t *self, size_t count);
//  The same for those that ask and then never read; their buffer is the smallest there is.
bool readers_resize_stopped (readers_t *self, size_t count);
size_t readers_count (const readers_t *self);

//  An event is about to be told: its number, which grows by one, is returned.
uint64_t readers_expect (readers_t *self);
//  Events told, and those that all readers have.
uint64_t readers_told (const readers_t *self);
uint64_t readers_complete (const readers_t *self);

//  Waits for at most so long and reads what is there. between is called after every few readers,
//  so that telling events does not wait until thousands are read.
typedef void readers_between_fn (void *argument);
void readers_turn (readers_t *self, int timeout_ms, readers_between_fn *between, void *argument);

readers_counts_t readers_counts (const readers_t *self);

//  Latency of every event from now on, or of none; and its quantile, -1 when there is none.
void readers_time (readers_t *self, bool on);
double readers_quantile_ms (const readers_t *self, double part);

#endif
