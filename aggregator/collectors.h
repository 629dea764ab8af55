// collectors.h - what each collector says of itself in its heartbeats, and what of it was lost: who reads how
// much, what it asks of whom, and what that costs. Told in system.stats.
//
// Pure. A collector that has not been heard for three of its intervals is one no more. What is told is made
// anew when one comes or goes, else at most each COLLECTORS_EVERY: everybody who listens gets it, and
// calls are counted all the time.
//
// Bounded: COLLECTORS_MAX of them, COLLECTORS_ROWS_MAX rows of usage in all; sums are of each collector's whole.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_COLLECTORS_H
#define AGGREGATOR_COLLECTORS_H

#include "../common/observation.h"

#define COLLECTORS_MAX      64
#define COLLECTORS_ROWS_MAX 256
#define COLLECTORS_EVERY    (10 * SECOND_US)

typedef struct collectors collectors_t;

//  Null when memory is out.
collectors_t *collectors_new (void);
void collectors_destroy (collectors_t **self_p);

//  A heartbeat of this source; one that is no "/collector/<kind>/<id>" is none. at: when it was said, wall.
void collectors_take (collectors_t *self, const char *source, const collector_heartbeat_t *beat,
                      time_us_t at, time_us_t steady);

//  So many messages of this source never came.
void collectors_lose (collectors_t *self, const char *source, uint64_t count);

//  The time passes: who is silent goes, and what is told is made anew when that is due.
void collectors_look (collectors_t *self, time_us_t steady);

//  The member of the data of system.stats, as it was made last.
void collectors_write (const collectors_t *self, json_writer_t *json);

#endif
