// feed.h - numbers events, writes each once, and publishes what a turn gathered.
//
// An event's JSON is written straight into the message that goes out: no tree, no copy. What
// was begun in a turn leaves at its end (feed_flush), when the store has it: nobody is told of
// what could be forgotten. While the store cannot take it, it is held and tried again. A tick goes out at least every tick_ms with the last number published, so
// that gateways see silence and loss at the tail. Frames: common/feed_frame.h.
//
// F1 numbers grow by one from 1 and are never reused within an epoch
// F2 a tick never names a number that was not published before it
// F3 what is published was committed before
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_FEED_H
#define AGGREGATOR_FEED_H

#include "../common/bus_keys.h"
#include "../common/feed_frame.h"
#include "../common/job.h"
#include "../common/json.h"
#include "../common/loop.h"
#include "../common/metrics.h"
#include "causes.h"
#include "store.h"
#include "worker.h"

#define FEED_HEARD_MOST 1000  //  words of subscribers in a turn

typedef struct feed feed_t;

//  store is borrowed and gives epoch and numbers; null: nothing is kept, and the epoch is new. keys:
//  null: not encrypted.
feed_t *feed_open (loop_t *loop, const char *endpoint, const bus_keys_t *keys, int64_t tick_ms,
                   int64_t high_water_mark, store_t *store, metrics_t *metrics, reason_t *why);
void feed_destroy (feed_t **self_p);

//  From here on events carry the trace of their cause. Borrowed; null: none do.
void feed_follow (feed_t *self, causes_t *causes);
causes_t *feed_causes (const feed_t *self);

const char *feed_epoch (const feed_t *self);
uint64_t feed_sequence (const feed_t *self);  //  the last number given

//  Begins an event: the returned writer stands inside its data object, where worker_id is
//  written already when there is a worker. source is null for the catalogue's own. Every begin
//  is followed by one end, with no other call between.
json_writer_t *feed_begin (feed_t *self, event_type_t type, const char *source,
                           const worker_t *worker);
//  Likewise for an event of a job: job_id is written already. The header has its type, priority,
//  region and worker.
json_writer_t *feed_begin_job (feed_t *self, event_type_t type, const job_t *job);
void feed_end (feed_t *self);

//  A worker.snapshot event, complete. Both that and feed_state give back the snapshot's bytes without
//  their last brace, for who needs them too; borrowed until the next call.
worker_text_t feed_snapshot (feed_t *self, const worker_t *worker, const char *reason);

//  For replicas only: the worker as it is now, without an event; and that it left the state.
worker_text_t feed_state (feed_t *self, const worker_t *worker);
void feed_gone (feed_t *self, const worker_t *worker);

//  The header and the JSON of a worker's state as feed_state sends them, for `state` answers.
void feed_write_state (const feed_t *self, const worker_t *worker, time_us_t wall, buffer_t *header,
                       buffer_t *json);

void feed_flush (feed_t *self);

//  Something waits for the store, and why: no more should be taken in meanwhile.
bool feed_is_held (const feed_t *self, reason_t *why);

#endif
