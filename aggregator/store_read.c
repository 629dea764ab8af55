// store_read.c - rows and events of a store, in their order; see store.h.
//
// SPDX-License-Identifier: MIT

#include "../common/log.h"
#include "store_state.h"

#include <stdio.h>

//  1: it is to be left out (salvage). Else 0, or LMDB's code.
static int
open_value (store_t *self, const MDB_val *key, MDB_val *value, size_t least)
{
    if (store_file_unseal (&self->file, key, value) && value->mv_size >= least) {
        return 0;
    }
    metric_increment (self->damaged);
    return self->settings.salvage ? 1 : MDB_CORRUPTED;
}

typedef struct scan {
    store_t *store;
    const char *prefix;
    store_row_fn *row_fn;      //  of a table's rows
    store_event_fn *event_fn;  //  or of events
    void *argument;
} scan_t;

//  MDB_NOTFOUND: no more of them.
static int
tell_row (scan_t *scan, const MDB_val *key, MDB_val *value)
{
    //  -fanalyzer: scans of rows name a prefix, those of events do not come here
    size_t size = strlen (scan->prefix);
    char name [512];

    if (key->mv_size < size || memcmp (key->mv_data, scan->prefix, size) != 0) {
        return MDB_NOTFOUND;
    }
    snprintf (name, sizeof name, "%.*s", (int) key->mv_size, (char *) key->mv_data);
    int rc = open_value (scan->store, key, value, 0);
    if (rc == 0) {
        scan->row_fn (scan->argument, name, value->mv_data, value->mv_size);
    } else if (rc == 1) {
        log_warn ("a damaged row is left out", LOG_TEXT ("key", name));
    }
    return rc < 0 ? rc : 0;
}

static int
tell_event (scan_t *scan, const MDB_val *key, MDB_val *value)
{
    event_head_t head;
    const char *bytes = (const char *) value->mv_data + sizeof head;

    int rc = open_value (scan->store, key, value, sizeof head);
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    memcpy (&head, value->mv_data, sizeof head);
    if (head.header_size > value->mv_size - sizeof head) {
        return MDB_CORRUPTED;
    }
    scan->event_fn (scan->argument, store_number (key), head.at, bytes, head.header_size,
                    bytes + head.header_size, value->mv_size - sizeof head - head.header_size);
    return 0;
}

//  From this key on.
static int
scan_table (scan_t *scan, MDB_dbi table, MDB_val key, size_t limit, const char *doing,
            reason_t *why)
{
    store_file_t *file = &scan->store->file;
    MDB_cursor_op op = key.mv_size ? MDB_SET_RANGE : MDB_FIRST;
    MDB_val value;
    MDB_txn *txn;
    MDB_cursor *cursor;
    int rc = mdb_txn_begin (file->env, NULL, MDB_RDONLY, &txn);

    if (rc) {
        return store_file_explain (file, rc, doing, why);
    }
    rc = mdb_cursor_open (txn, table, &cursor);
    if (rc == 0) {
        rc = mdb_cursor_get (cursor, &key, &value, op);
        for (size_t count = 0; rc == 0 && count < limit; count++) {
            rc = scan->event_fn ? tell_event (scan, &key, &value) : tell_row (scan, &key, &value);
            rc = rc ? rc : mdb_cursor_get (cursor, &key, &value, MDB_NEXT);
        }
        mdb_cursor_close (cursor);
    }
    mdb_txn_abort (txn);
    return rc == 0 || rc == MDB_NOTFOUND ? 0 : store_file_explain (file, rc, doing, why);
}

int
store_each (store_t *self, store_table_t table, const char *prefix, store_row_fn *fn,
            void *argument, reason_t *why)
{
    MDB_val from = {strlen (prefix), (void *) (uintptr_t) prefix};
    scan_t scan = {.store = self, .prefix = prefix, .row_fn = fn, .argument = argument};

    return self->file.lacks [table] ? 0
                                    : scan_table (&scan, self->file.tables [table], from, SIZE_MAX,
                                                  "reading its rows", why);
}

int
store_each_event (store_t *self, uint64_t after, size_t limit, store_event_fn *fn, void *argument,
                  reason_t *why)
{
    uint64_t first = store_swapped (after + 1);
    MDB_val from = {sizeof first, &first};
    scan_t scan = {.store = self, .event_fn = fn, .argument = argument};

    return scan_table (&scan, self->file.events, from, limit, "reading events", why);
}

size_t
store_count (const store_t *self, store_table_t table)
{
    MDB_txn *txn;
    MDB_stat stat = {0};

    if (mdb_txn_begin (self->file.env, NULL, MDB_RDONLY, &txn) == 0) {
        (void) mdb_stat (txn, self->file.tables [table], &stat);
        mdb_txn_abort (txn);
    }
    return stat.ms_entries;
}

typedef struct salvage {
    uint64_t first, last;
} salvage_t;

static void
see_event (void *argument, uint64_t seq, time_us_t at, const void *header, size_t header_size,
           const void *body, size_t body_size)
{
    (void) at, (void) header, (void) header_size, (void) body, (void) body_size;
    salvage_t *seen = argument;

    seen->first = seq == seen->last + 1 ? seen->first : seq;
    seen->last = seq;
}

//  Events are of use from the newest gap on: nobody can be told exactly what went before.
int
store_pass_damaged (store_t *self, reason_t *why)
{
    salvage_t seen = {.first = self->first, .last = self->first - 1};

    int rc = store_each_event (self, self->first - 1, SIZE_MAX, see_event, &seen, why);
    if (seen.first > self->first || seen.last < self->last) {
        log_warn ("damaged events are left out, and those before them",
                  LOG_INTEGER ("from", self->first), LOG_INTEGER ("to", self->last),
                  LOG_INTEGER ("first_kept", seen.first), LOG_INTEGER ("last_kept", seen.last));
    }
    self->first = seen.first;
    self->last = seen.last;
    return rc;
}
