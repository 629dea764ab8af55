// store.c - see store.h.
//
// Keys: workers by id, events by number (big-endian, so that their order is the numbers'), meta by
// name. An event's value is its time, the size of its header, header and body.
//
// SPDX-License-Identifier: MIT

#include "store.h"

#include "../common/cleanup.h"
#include "store_seal.h"
#include "store_state.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TRIM_MOST 2000  //  events dropped by age in one commit, so that none takes long
static int
read_ends (store_t *self, reason_t *why)
{
    MDB_txn *txn = NULL;
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_txn_begin (self->file.env, NULL, MDB_RDONLY, &txn);

    rc = rc ? rc : mdb_cursor_open (txn, self->file.events, &cursor);
    if (rc == 0) {
        rc = mdb_cursor_get (cursor, &key, &value, MDB_LAST);
        self->last = rc == 0 ? store_number (&key) : 0;
        rc = rc ? rc : mdb_cursor_get (cursor, &key, &value, MDB_FIRST);
        self->first = rc == 0 ? store_number (&key) : 1;
        mdb_cursor_close (cursor);
    }
    if (txn) {
        mdb_txn_abort (txn);
    }
    return rc == 0 || rc == MDB_NOTFOUND
               ? 0
               : store_file_explain (&self->file, rc, "reading its events", why);
}

static void
add_metrics (store_t *self, metrics_t *metrics)
{
    self->commits = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_store_commits_total",
                                 "Transactions committed");
    self->failures = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_store_failures_total",
                                  "Commits that failed and are tried again");
    self->written = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_store_written_bytes_total",
                                 "Bytes of rows written");
    self->used = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_store_map_bytes",
                              "Size to which the file may grow without a new map");
    self->held = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_store_events",
                              "Events held for clients that come back");
    self->trimmed = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_store_events_trimmed_total",
                                 "Events dropped by count or age");
    self->damaged = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_store_damaged_rows_total",
                                 "Rows found that are not what was written");
}

store_t *
store_open (const store_settings_t *settings, metrics_t *metrics, reason_t *why)
{
    _cleanup_ (store_destroy) store_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "store: out of memory");
        return NULL;
    }
    self->settings = *settings;
    add_metrics (self, metrics);
    self->first = 1;
    if (store_file_open (&self->file, &self->settings, why) < 0 || read_ends (self, why) < 0 ||
        (settings->salvage && store_pass_damaged (self, why) < 0)) {
        return NULL;
    }
    metric_set (self->used, (double) self->file.map_bytes);
    return take_ptr (self);
}

void
store_destroy (store_t **self_p)
{
    assert (self_p);
    store_t *self = *self_p;

    if (self) {
        if (self->file.env) {
            store_sync (self);
        }
        store_file_close (&self->file);
        free (self->operations);
        buffer_clear (&self->bytes);
        free (self);
        *self_p = NULL;
    }
}

const char *
store_epoch (const store_t *self)
{
    return self->file.epoch;
}

uint64_t
store_last (const store_t *self)
{
    return self->last;
}

uint64_t
store_first (const store_t *self)
{
    return self->first;
}

//  --- gathering

static operation_t *
add_operation (store_t *self, operation_kind_t kind)
{
    if (self->count == self->size) {
        size_t size = self->size ? self->size * 2 : 256;
        operation_t *operations = realloc (self->operations, size * sizeof *operations);
        assert (operations && "a row of a turn's list; without it nothing goes on");
        self->operations = operations;
        self->size = size;
    }
    operation_t *operation = &self->operations [self->count++];
    *operation = (operation_t){.kind = kind, .key = self->bytes.size};
    return operation;
}

static void
add_key (store_t *self, operation_t *operation, const void *key, size_t size)
{
    buffer_append (&self->bytes, key, size);
    operation->key_size = size;
    operation->value = self->bytes.size;
}

//  Key and value lie one after the other.
static void
seal (store_t *self, operation_t *operation)
{
    if (!buffer_failed (&self->bytes)) {
        MDB_val key = {operation->key_size, self->bytes.data + operation->key};
        MDB_val value = {self->bytes.size - operation->value, self->bytes.data + operation->value};
        uint32_t sum = store_seal (&key, &value);
        buffer_append (&self->bytes, &sum, sizeof sum);
        operation->value_size = self->bytes.size - operation->value;
    }
}

buffer_t *
store_begin (store_t *self, store_table_t table, const char *key)
{
    operation_t *operation = add_operation (self, PUT_ROW);

    operation->table = table;
    add_key (self, operation, key, strlen (key));
    return &self->bytes;
}

void
store_end (store_t *self)
{
    seal (self, &self->operations [self->count - 1]);
}

void
store_put (store_t *self, store_table_t table, const char *key, const void *bytes, size_t size)
{
    buffer_append (store_begin (self, table, key), bytes, size);
    store_end (self);
}

void
store_delete (store_t *self, store_table_t table, const char *key)
{
    operation_t *operation = add_operation (self, DELETE_ROW);

    operation->table = table;
    add_key (self, operation, key, strlen (key));
}

bool
store_is_pending (const store_t *self)
{
    return self->count > 0;
}

void
store_put_event (store_t *self, uint64_t seq, time_us_t at, const void *header, size_t header_size,
                 const void *body, size_t body_size)
{
    operation_t *operation = add_operation (self, PUT_EVENT);
    event_head_t head = {.at = at, .header_size = (uint32_t) header_size};
    uint64_t key = store_swapped (seq);

    operation->seq = seq;
    add_key (self, operation, &key, sizeof key);
    buffer_append (&self->bytes, &head, sizeof head);
    buffer_append (&self->bytes, header, header_size);
    buffer_append (&self->bytes, body, body_size);
    seal (self, operation);
}

//  --- committing

//  events stays at their end, so that none is looked for from the root.
static int
apply (store_t *self, MDB_txn *txn, MDB_cursor *events, const operation_t *operation)
{
    MDB_val key = {operation->key_size, self->bytes.data + operation->key};
    MDB_val value = {operation->value_size, self->bytes.data + operation->value};
    int rc;

    switch (operation->kind) {
    case PUT_ROW: return mdb_put (txn, self->file.tables [operation->table], &key, &value, 0);
    case PUT_EVENT: return mdb_cursor_put (events, &key, &value, MDB_APPEND);
    case DELETE_ROW: break;
    }
    rc = mdb_del (txn, self->file.tables [operation->table], &key, NULL);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static bool
is_over (const store_t *self, const MDB_val *value, size_t count, time_us_t now)
{
    event_head_t head;

    memcpy (&head, value->mv_data, sizeof head);
    return count > (size_t) self->settings.events_max ||
           now - head.at > self->settings.events_keep_hours * 60 * MINUTE_US;
}

//  S3. Too many go at once, too old ones a bounded number at a time.
static int
trim (store_t *self, MDB_cursor *events, time_us_t now, uint64_t *first, size_t *dropped)
{
    MDB_stat stat;
    MDB_val key, value;
    int rc = mdb_stat (mdb_cursor_txn (events), self->file.events, &stat);

    if (rc) {
        return rc;
    }
    size_t count = stat.ms_entries;
    rc = mdb_cursor_get (events, &key, &value, MDB_FIRST);
    while (rc == 0 && count > 1 && *dropped < TRIM_MOST && is_over (self, &value, count, now)) {
        rc = mdb_cursor_del (events, 0);
        count--;
        ++*dropped;
        rc = rc ? rc : mdb_cursor_get (events, &key, &value, MDB_FIRST);
    }
    if (rc == 0) {
        *first = store_number (&key);
    }
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
write_all (store_t *self, uint64_t *first, size_t *dropped)
{
    MDB_txn *txn;
    MDB_cursor *events;  //  the transaction's end closes it
    int rc = mdb_txn_begin (self->file.env, NULL, 0, &txn);

    if (rc) {
        return rc;
    }
    rc = mdb_cursor_open (txn, self->file.events, &events);
    for (size_t i = 0; i < self->count && rc == 0; i++) {
        rc = apply (self, txn, events, &self->operations [i]);
    }
    rc = rc ? rc : trim (self, events, clock_now ().wall, first, dropped);
    if (rc) {
        mdb_txn_abort (txn);
        return rc;
    }
    return mdb_txn_commit (txn);
}

static void
settle (store_t *self, uint64_t first, size_t dropped)
{
    for (size_t i = 0; i < self->count; i++) {
        if (self->operations [i].kind == PUT_EVENT) {
            self->last = self->operations [i].seq;
        }
    }
    self->first = first;
    metric_increment (self->commits);
    metric_count (self->written, (double) self->bytes.size);
    metric_count (self->trimmed, (double) dropped);
    metric_set (self->held, (double) (self->last + 1 - self->first));
    self->unsynced = true;
    self->count = 0;
    buffer_reset (&self->bytes);
}

int
store_commit (store_t *self, reason_t *why)
{
    uint64_t first = self->first;
    size_t dropped = 0;
    int rc = 0;

    if (self->count == 0) {
        return 0;
    }
    assert (!buffer_failed (&self->bytes) && "a turn's rows fit into memory");
    do {
        first = self->first;
        dropped = 0;
        rc = write_all (self, &first, &dropped);
    } while (rc == MDB_MAP_FULL && store_file_grow (&self->file));
    metric_set (self->used, (double) self->file.map_bytes);
    if (rc) {
        metric_increment (self->failures);
        return store_file_explain (&self->file, rc, "committing", why);
    }
    settle (self, first, dropped);
    return 0;
}

void
store_sync (store_t *self)
{
    if (self->unsynced) {
        self->unsynced = false;
        (void) mdb_env_sync (self->file.env, 1);
    }
}

int
store_set_epoch (store_t *self, const char *epoch, reason_t *why)
{
    return store_file_set_epoch (&self->file, epoch, why);
}
