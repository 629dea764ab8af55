// sources.h - whose messages have come, and up to which number; kept over a restart.
//
// A collector's name is its host's or its pod's, so that names come and go for years. Those that are
// followed are bounded: when there is no room for a new one, the one that was not heard for longest makes
// it, if that is long enough. A name that is not followed has its messages applied, but nobody sees when
// one does not come.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_SOURCES_H
#define AGGREGATOR_SOURCES_H

#include "../common/sequence.h"
#include "store.h"

#define SOURCES_SILENT_US (60 * MINUTE_US)

typedef struct source {
    sequence_t sequence;
    bool heard;          //  since it was saved
    time_us_t heard_at;  //  steady
} source_t;

typedef struct sources sources_t;

//  store is borrowed; null: nothing is kept. Null when memory is out.
sources_t *sources_new (size_t most, store_t *store);
void sources_destroy (sources_t **self_p);
//  Those of the store are as if heard now.
int sources_restore (sources_t *self, time_us_t steady, reason_t *why);

//  The source that is heard now; null: it cannot be followed.
source_t *sources_hear (sources_t *self, const char *name, time_us_t steady);
//  Null: it was never heard.
const source_t *sources_find (const sources_t *self, const char *name);

//  Hands those that were heard to the store.
void sources_save (sources_t *self);

#endif
