// store_format.c - see store_format.h.
//
// SPDX-License-Identifier: MIT

#include "store_format.h"

#include "../common/buffer.h"
#include "../common/cleanup.h"
#include "../common/log.h"
#include "../common/program.h"
#include "store_pages.h"
#include "store_seal.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#define NAME        "cmlwatch store "
#define FORMAT_SIZE 32
#define PATH_MOST   1100

//  --- rows of the table meta

static MDB_val
text_value (const char *text)
{
    return (MDB_val){strlen (text), (void *) (uintptr_t) text};
}

static int
put_plain (const store_file_t *self, MDB_txn *txn, const char *name, const char *text)
{
    MDB_val key = text_value (name), value = text_value (text);

    return mdb_put (txn, self->meta, &key, &value, 0);
}

static int
put_sealed (MDB_txn *txn, MDB_dbi table, MDB_val key, MDB_val value)
{
    uint32_t seal = store_seal (&key, &value);
    MDB_val place = {value.mv_size + sizeof seal, NULL};

    int rc = mdb_put (txn, table, &key, &place, MDB_RESERVE);
    if (rc == 0) {
        if (value.mv_data) {
            memcpy (place.mv_data, value.mv_data, value.mv_size);
        }
        memcpy ((char *) place.mv_data + value.mv_size, &seal, sizeof seal);
    }
    return rc;
}

int
store_format_put_epoch (store_file_t *self, MDB_txn *txn, const char *epoch)
{
    return put_sealed (txn, self->meta, text_value ("epoch"), text_value (epoch));
}

int
store_format_get_epoch (store_file_t *self, MDB_txn *txn)
{
    MDB_val key = text_value ("epoch"), epoch;

    int rc = mdb_get (txn, self->meta, &key, &epoch);
    if (rc) {
        return rc;
    }
    if ((self->format >= STORE_FORMAT_SEALED && !store_unseal (&key, &epoch)) ||
        epoch.mv_size != ENVELOPE_EPOCH_SIZE - 1) {
        return MDB_CORRUPTED;
    }
    snprintf (self->epoch, sizeof self->epoch, "%.*s", (int) epoch.mv_size, (char *) epoch.mv_data);
    return 0;
}

int
store_format_settle (store_file_t *self, MDB_txn *txn, const char *place, bool *moved)
{
    MDB_val key = text_value ("place"), known, now = text_value (place);

    int rc = mdb_get (txn, self->meta, &key, &known);
    if (rc && rc != MDB_NOTFOUND) {
        return rc;
    }
    if (rc == 0 && !store_unseal (&key, &known)) {
        return MDB_CORRUPTED;
    }
    bool same =
        rc == 0 && known.mv_size == now.mv_size && memcmp (known.mv_data, place, now.mv_size) == 0;
    *moved = rc == 0 && !same;
    return same ? 0 : put_sealed (txn, self->meta, key, now);
}

static bool
is_key (const MDB_val *key, const char *name)
{
    return key->mv_size == strlen (name) && memcmp (key->mv_data, name, key->mv_size) == 0;
}

//  Of a value of meta's `format`; -1: not one of ours.
static int
parse_format (const MDB_val *value)
{
    char text [FORMAT_SIZE];
    int format, used = 0;

    if (value->mv_size >= sizeof text) {
        return -1;
    }
    snprintf (text, sizeof text, "%.*s", (int) value->mv_size, (char *) value->mv_data);
    return sscanf (text, NAME "%9d%n", &format, &used) == 1 && used == (int) value->mv_size &&
                   format >= 1
               ? format
               : -1;
}

//  --- before it is opened

static int
check_value (void *argument, const char *table, const MDB_val *key, const MDB_val *value,
             reason_t *why)
{
    int *format = argument;
    bool is_meta = strcmp (table, "meta") == 0;
    MDB_val unsealed = *value;

    if (is_meta && is_key (key, "format")) {
        *format = parse_format (value);
        return 0;
    }
    if (*format < STORE_FORMAT_SEALED || *format > STORE_FORMAT ||
        (is_meta && is_key (key, "written_by")) || store_unseal (key, &unsealed)) {
        return 0;
    }
    return reason_set (why, -EBADMSG, "a row of '%s' is not what was written", table);
}

int
store_format_check (const char *folder, reason_t *why)
{
    char path [PATH_MOST];
    int format = -1;
    reason_t what = {0};

    snprintf (path, sizeof path, "%s/data.mdb", folder);
    int rc = store_pages_check (path, check_value, &format, &what);
    return rc < 0 ? reason_set (why, rc, "%s", what.text) : 0;
}

//  --- when it is

//  Who wrote what we cannot read; "" when it does not say.
static void
read_writer (const store_file_t *self, MDB_txn *txn, char *out, size_t size)
{
    MDB_val key = text_value ("written_by"), value;

    *out = '\0';
    if (mdb_get (txn, self->meta, &key, &value) == 0 && value.mv_size < size) {
        snprintf (out, size, " by %.*s", (int) value.mv_size, (char *) value.mv_data);
    }
    for (; *out; out++) {
        *out = isprint ((unsigned char) *out) ? *out : '?';
    }
}

int
store_format_read (store_file_t *self, MDB_txn *txn, bool is_empty, int *format, reason_t *why)
{
    MDB_val key = text_value ("format"), value = {0};
    char writer [100];

    int rc = mdb_get (txn, self->meta, &key, &value);
    if (rc == MDB_NOTFOUND && is_empty) {
        *format = 0;
        return 0;
    }
    *format = rc == 0 ? parse_format (&value) : -1;
    if (*format < 1) {
        return reason_set (why, -EBADMSG, "store %s: an LMDB file, but not one of cmlwatch's",
                           self->settings->path);
    }
    if (*format > STORE_FORMAT) {
        read_writer (self, txn, writer, sizeof writer);
        return reason_set (why, -EPROTO,
                           "store %s: its format is '" NAME "%d', written by a newer program%s; "
                           "this one (%s) knows '" NAME
                           "%d': go on with that one, or load a dump made by it",
                           self->settings->path, *format, writer, program_version (), STORE_FORMAT);
    }
    return 0;
}

int
store_format_make_epoch (store_file_t *self, MDB_txn *txn)
{
    uint32_t epoch = 0;
    ssize_t got = getrandom (&epoch, sizeof epoch, 0);

    (void) got;
    snprintf (self->epoch, sizeof self->epoch, "%08x", epoch);
    return store_format_put_epoch (self, txn, self->epoch);
}

//  --- forward

//  The cursor is set anew after each row: where it stands after a write is LMDB's affair.
static int
seal_table (MDB_txn *txn, MDB_dbi table)
{
    _cleanup_ (buffer_clear) buffer_t bytes = {0};
    MDB_cursor *cursor;
    MDB_val key, value;
    int rc = mdb_cursor_open (txn, table, &cursor);

    if (rc) {
        return rc;
    }
    rc = mdb_cursor_get (cursor, &key, &value, MDB_FIRST);
    while (rc == 0) {
        buffer_reset (&bytes);  //  what the map holds moves when it is written to
        buffer_append (&bytes, key.mv_data, key.mv_size);
        buffer_append (&bytes, value.mv_data, value.mv_size);
        if (buffer_failed (&bytes)) {
            rc = ENOMEM;
            break;
        }
        key.mv_data = bytes.data;
        value.mv_data = bytes.data + key.mv_size;
        rc = put_sealed (txn, table, key, value);
        rc = rc ? rc : mdb_cursor_get (cursor, &key, &value, MDB_SET_KEY);
        rc = rc ? rc : mdb_cursor_get (cursor, &key, &value, MDB_NEXT);
    }
    mdb_cursor_close (cursor);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

static int
from_1_to_2 (store_file_t *self, MDB_txn *txn)
{
    int rc = store_format_get_epoch (self, txn);

    rc = rc ? rc : store_format_put_epoch (self, txn, self->epoch);
    for (int table = 0; table < STORE_TABLE_COUNT && rc == 0; table++) {
        rc = seal_table (txn, self->tables [table]);
    }
    return rc ? rc : seal_table (txn, self->events);
}

typedef int step_fn (store_file_t *self, MDB_txn *txn);

//  From the format of its place to the next.
static step_fn *const STEPS [STORE_FORMAT] = {store_format_make_epoch, from_1_to_2};

int
store_format_bring (store_file_t *self, MDB_txn *txn, int format)
{
    char name [FORMAT_SIZE];
    int rc = 0;

    if (format > 0 && format < STORE_FORMAT) {
        log_info ("the store is brought to a newer format", LOG_TEXT ("path", self->settings->path),
                  LOG_INTEGER ("from", format), LOG_INTEGER ("to", STORE_FORMAT));
    }
    self->format = format;
    for (int at = format; at < STORE_FORMAT && rc == 0; at = at == 0 ? STORE_FORMAT : at + 1) {
        rc = STEPS [at](self, txn);
    }
    self->format = STORE_FORMAT;
    if (format == STORE_FORMAT || rc) {
        return rc;
    }
    snprintf (name, sizeof name, NAME "%d", STORE_FORMAT);
    rc = put_plain (self, txn, "format", name);
    return rc ? rc : put_plain (self, txn, "written_by", program_version ());
}
