// history.h - samples of one worker for charts, in rings of fixed length.
//
// Two rings for each metric: one slot a minute for fine_minutes, and beyond it the mean of each
// THIN_MINUTES for thin_days. A slot holds the last value told within its minute; a slot in
// which nothing was told is a gap, not a 0. Memory is taken in blocks as time goes on, so a
// worker that was never read costs a few pointers. Times are those of the observations: a sample
// older than the ring is dropped, one from a minute that is past goes where it belongs.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_HISTORY_H
#define AGGREGATOR_HISTORY_H

#include "../common/json.h"
#include "../common/snapshot.h"

#define HISTORY_THIN_MINUTES 10

typedef enum history_metric {
    HISTORY_CPU,
    HISTORY_MEMORY,
    HISTORY_STORAGE,
    HISTORY_LABS,
    HISTORY_METRIC_COUNT
} history_metric_t;

typedef struct history_bounds {
    int64_t fine_minutes;  //  0: no history is kept
    int64_t thin_days;
} history_bounds_t;

typedef struct history history_t;

//  bounds is borrowed and stays. Null: out of memory.
history_t *history_new (const history_bounds_t *bounds);
void history_destroy (history_t **self_p);

//  The name is the snapshot's: cpu_utilization memory_utilization storage_utilization
//  cml_labs_count. HISTORY_METRIC_COUNT when no metric has this name.
const char *history_metric_name (history_metric_t metric);
history_metric_t history_metric_parse (const char *name);

//  What the snapshot knows of each metric, as told at that time.
void history_put (history_t *self, const snapshot_t *snapshot, time_us_t at);

//  The clock is now this: what was told of later times was told by a wrong one, and is gone. Else nothing
//  that comes would be taken until then.
void history_forget_future (history_t *self, time_us_t now);

//  An array of {at, value}, oldest first, not older than since (TIME_UNKNOWN: all): thinned ones,
//  then fine ones. At most limit, the newest of them.
void history_write (const history_t *self, history_metric_t metric, time_us_t since, size_t limit,
                    json_writer_t *out);

//  Blocks that have changed since they were last handed out, to be kept: a name of up to
//  HISTORY_NAME_SIZE, and bytes. At most once a minute of the samples' time, so that a block is not
//  written for each sample; all of them with force.
#define HISTORY_NAME_SIZE 64
typedef void history_block_fn (void *argument, const char *name, const void *bytes, size_t size);
void history_save (history_t *self, bool force, history_block_fn *fn, void *argument);

//  A block as it was handed out, in any order. One that is not ours, or of other bounds, is ignored.
void history_restore (history_t *self, const char *name, const void *bytes, size_t size);

//  Bytes it occupies.
size_t history_bytes (const history_t *self);

#endif
