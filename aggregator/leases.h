// leases.h - which collector reads which worker or region.
//
// Pure. A collector that has asked within ttl_ms is alive; the work of a kind is shared over the
// live collectors of that kind by rendezvous hashing: each unit belongs to the collector with
// the highest hash of (collector, unit), so one that comes or goes moves only its own share.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_LEASES_H
#define AGGREGATOR_LEASES_H

#include "../common/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct leases leases_t;

leases_t *leases_new (time_us_t ttl_us, size_t collectors_max);
void leases_destroy (leases_t **self_p);

//  A collector of this kind asked. True when it is new. At collectors_max: false, and it gets
//  nothing until another has gone.
bool leases_renew (leases_t *self, const char *collector_id, const char *kind, time_us_t steady);

//  What it says of the files that its kind is to have alike ("": none). When that is news: another
//  live collector of the kind that says something else, borrowed; null when all agree.
const char *leases_take_lists (leases_t *self, const char *collector_id, const char *lists);

//  How many different ones the live collectors of the kind have; more than 1: they disagree.
size_t leases_lists (const leases_t *self, const char *kind);

bool leases_has (const leases_t *self, const char *collector_id);

//  It leaves, or its time is over. True when it was known.
bool leases_leave (leases_t *self, const char *collector_id);

//  Copies the names of one whose time is over; false: none.
bool leases_silent (const leases_t *self, time_us_t steady, char collector_id [201],
                    char kind [32]);

//  True when this collector owns the unit among the live ones of its kind.
bool leases_owns (const leases_t *self, const char *collector_id, const char *kind,
                  const char *unit);

//  The one that does, borrowed; null: there is none of the kind.
const char *leases_owner (const leases_t *self, const char *kind, const char *unit);

//  This collector has been told what it owns, as of now.
void leases_told (leases_t *self, const char *collector_id);

//  How many live collectors of the kind read the unit, by what each was last told.
size_t leases_readers (const leases_t *self, const char *kind, const char *unit);

//  The kinds that ever asked, at most LEASES_KINDS_MOST.
#define LEASES_KINDS_MOST 16
size_t leases_kinds (const leases_t *self);
const char *leases_kind (const leases_t *self, size_t place);

//  Grows with each that comes or goes.
uint64_t leases_revision (const leases_t *self);
size_t leases_count (const leases_t *self);

#endif
