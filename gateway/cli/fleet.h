// fleet.h - the workers as a stream tells of them: what `cmlwatch top` shows.
//
// Pure: it is given events and times, and reads no clock and no socket. A full state replaces what
// is here when it has come to its end and not before, so nothing is ever emptied. A terminated
// worker is none, as in the digest (common/digest.h).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_FLEET_H
#define GATEWAY_CLI_FLEET_H

#include "../../common/worker_row.h"

#include <stddef.h>
#include <stdint.h>

typedef struct fleet fleet_t;

typedef enum fleet_kind {  //  what one looks for; each is a counter and a filter
    FLEET_ALL,
    FLEET_RUNNING,
    FLEET_ATTENTION,  //  runs, and its service or a source is in error
    FLEET_STALE,      //  a source was not heard of in its time
    FLEET_STOPPED,
    FLEET_IDLE,  //  runs without a lab, and nobody has used it for an hour
    FLEET_KIND_COUNT
} fleet_kind_t;

extern const char *const FLEET_KINDS [FLEET_KIND_COUNT];

typedef struct fleet_choice {
    const char *search;  //  in name, region, ids, status, whatever its case; "" finds all
    fleet_kind_t kind;
    worker_column_t sort;
    bool reverse;
} fleet_choice_t;

//  Null when memory is out.
fleet_t *fleet_new (void);
void fleet_destroy (fleet_t **self_p);
//  As it is now, to be looked at while the other goes on. Null when memory is out.
fleet_t *fleet_copy (const fleet_t *self);

//  A full state comes: what is not told of until its end is no more.
void fleet_begin (fleet_t *self);
void fleet_end (fleet_t *self);

//  An event's type and data. True when something of it is shown.
bool fleet_apply (fleet_t *self, const char *type, struct json_object *data);

//  The digest (common/digest.h) of the snapshot that was applied last of this worker. True when a full
//  state says something else of it than was known: that is repaired.
bool fleet_take_digest (fleet_t *self, const char *id, uint64_t digest);
//  The whole's. False while a full state comes, for it is half of two.
bool fleet_digest (const fleet_t *self, uint64_t *digest);

size_t fleet_size (const fleet_t *self);
void fleet_count (const fleet_t *self, time_us_t now, size_t counts [FLEET_KIND_COUNT]);

//  The chosen, in order; valid until the next call with this fleet, or its next event. How many.
size_t fleet_select (fleet_t *self, const fleet_choice_t *choice, time_us_t now,
                     const worker_row_t *const **list);

//  Null when there is none.
const worker_row_t *fleet_find (const fleet_t *self, const char *id);

bool fleet_is_kind (const worker_row_t *row, fleet_kind_t kind, time_us_t now);

#endif
