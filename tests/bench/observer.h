// observer.h - a collector of the benchmark's own: what it observes carries the number of the observation.
//
// The number is the observed value, 10.000 to 99.999 percent of a processor, which grows by a thousandth from one to
// the next and is taken on by the aggregator as it is. So whoever has the event that is told of it knows which
// observation it is of, when that was published, and whether one is missing.
//
// SPDX-License-Identifier: MIT

#ifndef BENCH_OBSERVER_H
#define BENCH_OBSERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OBSERVER_VALUES   90000  //  of them, after which they begin anew
#define OBSERVER_TOPIC    "utilization.observed"
#define OBSERVER_EVENT    "worker.metrics.updated"
#define OBSERVER_IN_EVENT "\"cloudwatch_cpu_utilization\":"
#define OBSERVER_IN_TOPIC "\"cpu_percent\":"

typedef struct observer observer_t;

//  Connects to an aggregator's ingest; so many workers take turns. Ends the program with a sentence when it cannot.
observer_t *observer_new (const char *ingest, size_t workers);
void observer_destroy (observer_t **self_p);

//  Somebody subscribes, and has been told of the workers.
bool observer_is_heard (observer_t *self);
//  Publishes the observation of this number. False: the socket is full.
bool observer_tell (observer_t *self, uint64_t seq);

//  The number that this text (of JSON, with the value behind key) is of, when none over last is told yet and it is
//  among the OBSERVER_VALUES before it; 0: it has none.
uint64_t observer_find (const char *text, size_t size, const char *key, uint64_t last);

#endif
