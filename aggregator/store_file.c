// store_file.c - see store_file.h.
//
// SPDX-License-Identifier: MIT

#include "store_file.h"

#include "../common/log.h"
#include "store_format.h"
#include "store_seal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MAP_FIRST  ((size_t) 64 * 1024 * 1024)
#define DISK_LEAST ((size_t) 1024 * 1024)
#define PATH_MOST  1100
#define SALVAGE                                                                            \
    "it is damaged: keep the folder; go on with a backup, or load into an empty one what " \
    "`--salvage` or `mdb_copy` can still read of it"

static const char *const TABLES [STORE_TABLE_COUNT] = {"workers", "sources", "samples",
                                                       "jobs",    "alerts",  "letters"};

//  LMDB calls a write that was cut short an input/output error.
static bool
is_disk_full (const char *path)
{
    struct statvfs disk;

    return statvfs (path, &disk) == 0 && disk.f_bavail * disk.f_frsize < DISK_LEAST;
}

int
store_file_explain (const store_file_t *self, int rc, const char *doing, reason_t *why)
{
    const char *path = self->settings->path;

    if (rc == EIO && is_disk_full (path)) {
        rc = ENOSPC;
    }
    if (rc == MDB_MAP_FULL || rc == ENOSPC) {
        return reason_set (why, -ENOSPC, "store %s: %s: %s", path, doing,
                           rc == ENOSPC ? "the disk is full"
                                        : "it is as large as store_bytes_max lets it be");
    }
    if (rc == MDB_INVALID || rc == MDB_CORRUPTED || rc == MDB_PAGE_NOTFOUND ||
        rc == MDB_VERSION_MISMATCH || rc == MDB_PANIC) {
        return reason_set (why, -EBADMSG, "store %s: %s: %s; %s", path, doing, mdb_strerror (rc),
                           SALVAGE);
    }
    return reason_set (why, -EIO, "store %s: %s: %s", path, doing, mdb_strerror (rc));
}

static int
lock_folder (store_file_t *self, reason_t *why)
{
    char path [PATH_MOST];
    struct stat found;

    if (mkdir (self->settings->path, 0755) < 0 && errno != EEXIST) {
        return reason_set (why, -errno, "store %s: cannot be made: %s", self->settings->path,
                           strerror (errno));
    }
    snprintf (path, sizeof path, "%s/owner", self->settings->path);
    self->lock_fd = open (path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (self->lock_fd < 0) {
        return reason_set (why, -errno, "store %s: %s", path, strerror (errno));
    }
    if (flock (self->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        return reason_set (why, -EBUSY, "store %s: another aggregator has it",
                           self->settings->path);
    }
    self->was_made = fstat (self->lock_fd, &found) == 0 && found.st_size > 0;
    return 0;
}

static int
open_env (store_file_t *self, reason_t *why)
{
    unsigned flags = (self->settings->durability == STORE_POWER ? 0u : MDB_NOSYNC) |
                     (self->settings->salvage ? MDB_RDONLY : 0u);
    char path [PATH_MOST];
    struct stat found = {0};

    snprintf (path, sizeof path, "%s/data.mdb", self->settings->path);
    self->map_bytes = MAP_FIRST;
    if (stat (path, &found) == 0) {
        while (self->map_bytes < (size_t) found.st_size * 2) {
            self->map_bytes *= 2;
        }
    }
    int rc = mdb_env_create (&self->env);
    if (rc == 0) {
        rc = mdb_env_set_maxdbs (self->env, STORE_TABLE_COUNT + 2);
    }
    if (rc == 0) {
        rc = mdb_env_set_mapsize (self->env, self->map_bytes);
    }
    if (rc == 0) {
        rc = mdb_env_open (self->env, self->settings->path, flags, 0644);
    }
    return rc == 0 ? 0 : store_file_explain (self, rc, "opening", why);
}

//  One that we know is not there, and one is that we do not know: its name is not what was written, and a table
//  made anew would hide what it holds. A program before us lacks tables and has no others, one after us has more
//  and lacks none.
static bool
has_lost_table (MDB_txn *txn, size_t tables)
{
    size_t known = STORE_TABLE_COUNT + 2, found = 0;
    MDB_dbi table;

    if (mdb_dbi_open (txn, "meta", 0, &table) != 0) {
        return false;  //  it is none of ours, or new
    }
    found += 1u + (mdb_dbi_open (txn, "events", 0, &table) == 0);
    for (int i = 0; i < STORE_TABLE_COUNT; i++) {
        found += mdb_dbi_open (txn, TABLES [i], 0, &table) == 0;
    }
    return found < known && tables > found;
}

static int
open_handles (store_file_t *self, MDB_txn *txn, bool *is_empty)
{
    unsigned create = self->settings->salvage ? 0 : MDB_CREATE;
    MDB_stat main_stat = {0};
    MDB_dbi main_table;

    int rc = mdb_dbi_open (txn, NULL, 0, &main_table);
    rc = rc ? rc : mdb_stat (txn, main_table, &main_stat);
    if (rc == 0 && create && has_lost_table (txn, main_stat.ms_entries)) {
        return MDB_CORRUPTED;
    }
    rc = rc ? rc : mdb_dbi_open (txn, "meta", create, &self->meta);
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        int opened = rc ? rc : mdb_dbi_open (txn, TABLES [table], create, &self->tables [table]);
        //  A store that is only read may be from before the table was.
        self->lacks [table] = opened == MDB_NOTFOUND && !create;
        rc = self->lacks [table] ? 0 : opened;
    }
    *is_empty = main_stat.ms_entries == 0;
    return rc ? rc : mdb_dbi_open (txn, "events", create, &self->events);
}

//  Inode and time of birth of its file: those of a copy are others, wherever it is put. Empty: not known.
static void
read_place (const store_file_t *self, char *place, size_t size)
{
    char path [PATH_MOST];
    struct statx found;

    snprintf (path, sizeof path, "%s/data.mdb", self->settings->path);
    *place = '\0';
    if (statx (AT_FDCWD, path, 0, STATX_INO | STATX_BTIME, &found) == 0) {
        bool is_dated = found.stx_mask & STATX_BTIME;
        snprintf (place, size, "%ju %jd.%09u", (uintmax_t) found.stx_ino,
                  is_dated ? (intmax_t) found.stx_btime.tv_sec : 0,
                  is_dated ? found.stx_btime.tv_nsec : 0);
    }
}

//  A copy (a backup, a folder that was moved to another disk) begins an epoch: whoever followed the
//  store after it was copied holds numbers that it gives again, and has to take the whole state.
static int
settle_epoch (store_file_t *self, MDB_txn *txn)
{
    char place [80];
    bool moved = false;
    int rc = 0;

    read_place (self, place, sizeof place);
    if (*place) {
        rc = store_format_settle (self, txn, place, &moved);
    }
    if (rc || !moved) {
        return rc ? rc : store_format_get_epoch (self, txn);
    }
    log_warn ("the store is a copy: a new epoch begins, and clients take the whole state",
              LOG_TEXT ("path", self->settings->path));
    return store_format_make_epoch (self, txn);
}

//  LMDB's code; or 0 and *refused, why says it.
static int
settle_format (store_file_t *self, MDB_txn *txn, int *refused, reason_t *why)
{
    bool is_empty;

    int rc = open_handles (self, txn, &is_empty);
    if (rc) {
        return rc;
    }
    *refused = store_format_read (self, txn, is_empty, &self->format, why);
    if (*refused < 0) {
        return 0;
    }
    if (self->settings->salvage) {
        return store_format_get_epoch (self, txn);
    }
    rc = store_format_bring (self, txn, self->format);
    return rc ? rc : settle_epoch (self, txn);
}

static int
open_tables (store_file_t *self, reason_t *why)
{
    int rc, refused;

    do {
        MDB_txn *txn = NULL;
        refused = 0;
        rc = mdb_txn_begin (self->env, NULL, self->settings->salvage ? MDB_RDONLY : 0, &txn);
        rc = rc ? rc : settle_format (self, txn, &refused, why);
        if (txn && (rc || refused)) {
            mdb_txn_abort (txn);
        } else if (txn) {
            rc = mdb_txn_commit (txn);
        }
    } while (rc == MDB_MAP_FULL && store_file_grow (self));
    if (refused < 0) {
        return refused;
    }
    return rc ? store_file_explain (self, rc, "opening its tables", why) : 0;
}

//  What the folder is known to have held is not made anew because its file has become empty.
static int
check_file (store_file_t *self, reason_t *why)
{
    char path [PATH_MOST];
    struct stat found;
    reason_t what = {0};

    snprintf (path, sizeof path, "%s/data.mdb", self->settings->path);
    if (stat (path, &found) == 0 && found.st_size == 0 && self->was_made) {
        return reason_set (why, -EBADMSG, "store %s: data.mdb is empty, though it held a store; %s",
                           self->settings->path, SALVAGE);
    }
    int rc = self->settings->check ? store_format_check (self->settings->path, &what) : 0;
    return rc < 0 ? reason_set (why, rc, "store %s: %s; %s", self->settings->path, what.text,
                                rc == -EBADMSG ? SALVAGE : "see to it that it can be read")
                  : 0;
}

//  The owner's file says that a store was made here.
static void
note_made (store_file_t *self)
{
    if (!self->was_made && !self->settings->salvage) {
        ssize_t written = pwrite (self->lock_fd, self->epoch, strlen (self->epoch), 0);
        (void) written;  //  a hint: what it guards is rare
    }
}

int
store_file_open (store_file_t *self, const store_settings_t *settings, reason_t *why)
{
    *self = (store_file_t){.settings = settings, .lock_fd = -1};
    int rc = lock_folder (self, why);

    rc = rc < 0 ? rc : check_file (self, why);
    rc = rc < 0 ? rc : open_env (self, why);
    rc = rc < 0 ? rc : open_tables (self, why);
    if (rc == 0) {
        note_made (self);
    }
    return rc;
}

void
store_file_close (store_file_t *self)
{
    if (self->env) {
        mdb_env_close (self->env);
    }
    if (self->lock_fd >= 0) {
        close (self->lock_fd);
    }
}

bool
store_file_grow (store_file_t *self)
{
    size_t larger = self->map_bytes * 2;

    if (larger > (size_t) self->settings->bytes_max) {
        larger = (size_t) self->settings->bytes_max;
    }
    if (larger <= self->map_bytes || mdb_env_set_mapsize (self->env, larger) != 0) {
        return false;
    }
    self->map_bytes = larger;
    log_info ("the store's map has grown", LOG_TEXT ("path", self->settings->path),
              LOG_INTEGER ("bytes", larger));
    return true;
}

bool
store_file_unseal (const store_file_t *self, const MDB_val *key, MDB_val *value)
{
    return self->format < STORE_FORMAT_SEALED || store_unseal (key, value);
}

int
store_file_set_epoch (store_file_t *self, const char *epoch, reason_t *why)
{
    MDB_txn *txn;

    if (epoch && (strlen (epoch) != ENVELOPE_EPOCH_SIZE - 1 ||
                  strspn (epoch, "0123456789abcdef") != ENVELOPE_EPOCH_SIZE - 1)) {
        return reason_set (why, -EINVAL, "epoch '%.20s' is not 8 hex digits", epoch);
    }
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc == 0) {
        rc =
            epoch ? store_format_put_epoch (self, txn, epoch) : store_format_make_epoch (self, txn);
        rc = rc ? rc : mdb_txn_commit (txn);
    }
    if (rc) {
        return store_file_explain (self, rc, "writing its epoch", why);
    }
    if (epoch) {
        snprintf (self->epoch, sizeof self->epoch, "%s", epoch);
    }
    return 0;
}

int
store_backup (const char *path, const char *copy, reason_t *why)
{
    MDB_env *env = NULL;

    if (mkdir (copy, 0755) < 0) {
        return reason_set (why, -errno, "backup %.400s: cannot be made: %s", copy,
                           strerror (errno));
    }
    int rc = mdb_env_create (&env);
    rc = rc ? rc : mdb_env_open (env, path, MDB_RDONLY, 0644);
    rc = rc ? rc : mdb_env_copy2 (env, copy, MDB_CP_COMPACT);
    if (env) {
        mdb_env_close (env);
    }
    return rc ? reason_set (why, -EIO, "backup of %.400s to %.400s: %s", path, copy,
                            mdb_strerror (rc))
              : 0;
}
