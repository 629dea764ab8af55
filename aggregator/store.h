// store.h - what survives the process: workers, the event log, meta; one LMDB environment.
//
// Narrow on purpose: put, delete, commit; scan. What a turn of the loop puts is gathered and
// written in one transaction by store_commit, before anyone is told of it. No transaction lives
// longer than a call. Values are bytes: what they mean is worker_store.c's and feed.c's.
//
// Durability: `process` survives the end of any process, also kill -9, for the kernel has each
// commit; it costs a few microseconds, but a loss of power costs what the kernel had not written
// yet, usually half a minute, and may damage the file (LMDB's MDB_NOSYNC; synced at the end).
// `power` syncs each commit, which takes milliseconds on a slow disk, and survives that too.
//
// S1 what was committed is found again, whole and in order
// S2 a commit that fails leaves the store as it was, and keeps what was to be written: the next
//    commit tries all of it again
// S3 the log is trimmed from its oldest end only, and never its newest event
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_STORE_H
#define AGGREGATOR_STORE_H

#include "../common/buffer.h"
#include "../common/clock.h"
#include "../common/envelope.h"
#include "../common/metrics.h"
#include "../common/reason.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct store store_t;

typedef enum store_durability { STORE_PROCESS, STORE_POWER } store_durability_t;

typedef struct store_settings {
    char path [1024];   //  a folder, made when it is not there
    int durability;     //  store_durability_t
    int64_t bytes_max;  //  the file grows up to it
    int64_t events_max, events_keep_hours;
    bool check;    //  every page and row before it is used: about a second for a GB
    bool salvage;  //  read alone, and as far as it goes: what is damaged is left out and logged
} store_settings_t;

//  Opens or makes it; brings an older format forward. Null and why: another process has it; a file
//  of a newer format; no store of ours; damaged, and how to go on. Nothing is changed then.
store_t *store_open (const store_settings_t *settings, metrics_t *metrics, reason_t *why);
void store_destroy (store_t **self_p);  //  syncs; what was not committed is lost

//  Made when the store was, and anew when it is found to be a copy: 8 hex digits.
const char *store_epoch (const store_t *self);
//  The number of the newest event committed, 0: none yet. And of the oldest held; last + 1: none.
uint64_t store_last (const store_t *self);
uint64_t store_first (const store_t *self);

//  Of a store that is loaded from a dump: its epoch goes on. Null: a new one. Committed at once.
int store_set_epoch (store_t *self, const char *epoch, reason_t *why);

//  A copy of the store in this folder, which is made, to another, while its owner goes on. Needs no
//  store_open; compacts.
int store_backup (const char *path, const char *copy, reason_t *why);

//  Rows by key: workers by id (worker_save), sources by name (what was last heard of them), blocks
//  of samples by worker, metric and place (history.h), jobs and alerts by id, what the webhook is yet
//  to take by the number of its event.
typedef enum store_table {
    STORE_WORKERS,
    STORE_SOURCES,
    STORE_SAMPLES,
    STORE_JOBS,
    STORE_ALERTS,
    STORE_LETTERS,
    STORE_TABLE_COUNT
} store_table_t;

//  Bytes are copied. What cannot be gathered (no memory) is said by the commit.
void store_put (store_t *self, store_table_t table, const char *key, const void *bytes,
                size_t size);
//  Likewise, of a value that is written here and needs no copy: appended to the buffer, which is the
//  store's, until store_end. No other call between the two.
buffer_t *store_begin (store_t *self, store_table_t table, const char *key);
void store_end (store_t *self);
void store_delete (store_t *self, store_table_t table, const char *key);
//  Numbers come in order, without gaps. at is wall time, by which old ones go.
void store_put_event (store_t *self, uint64_t seq, time_us_t at, const void *header,
                      size_t header_size, const void *body, size_t body_size);

//  Something was put and is not committed.
bool store_is_pending (const store_t *self);
//  0; or -ENOSPC (the disk, or bytes_max), -EIO, and why (S2).
int store_commit (store_t *self, reason_t *why);

//  To the disk, when something was committed since. Blocks.
void store_sync (store_t *self);

typedef void store_row_fn (void *argument, const char *key, const void *bytes, size_t size);
//  Those whose key begins with prefix, in the order of their keys; "" is all.
int store_each (store_t *self, store_table_t table, const char *prefix, store_row_fn *fn,
                void *argument, reason_t *why);

size_t store_count (const store_t *self, store_table_t table);

//  Events after this number, oldest first, at most limit. Bytes are borrowed during the call.
typedef void store_event_fn (void *argument, uint64_t seq, time_us_t at, const void *header,
                             size_t header_size, const void *body, size_t body_size);
int store_each_event (store_t *self, uint64_t after, size_t limit, store_event_fn *fn,
                      void *argument, reason_t *why);

#endif
