// store_file.c - see store_file.h.
//
// SPDX-License-Identifier: MIT

#include "store_file.h"

#include "../common/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FORMAT      "cmlwatch store 1"
#define FORMAT_NAME "cmlwatch store "
#define MAP_FIRST   ((size_t) 64 * 1024 * 1024)
#define DISK_LEAST  ((size_t) 1024 * 1024)
#define PATH_MOST   1100
#define SALVAGE                                                                                  \
    "it may be damaged: keep the folder, `mdb_copy` it to another place or begin with an empty " \
    "one"

static const char *const TABLES [STORE_TABLE_COUNT] = {"workers", "sources", "samples", "jobs"};

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
    return 0;
}

static int
open_env (store_file_t *self, reason_t *why)
{
    unsigned flags = self->settings->durability == STORE_POWER ? 0 : MDB_NOSYNC;
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
        rc = mdb_env_set_maxdbs (self->env, 8);
    }
    if (rc == 0) {
        rc = mdb_env_set_mapsize (self->env, self->map_bytes);
    }
    if (rc == 0) {
        rc = mdb_env_open (self->env, self->settings->path, flags, 0644);
    }
    return rc == 0 ? 0 : store_file_explain (self, rc, "opening", why);
}

static int
put_meta (MDB_txn *txn, MDB_dbi meta, const char *name, const void *bytes, size_t size)
{
    MDB_val key = {strlen (name), (void *) (uintptr_t) name};
    MDB_val value = {size, (void *) (uintptr_t) bytes};

    return mdb_put (txn, meta, &key, &value, 0);
}

static int
get_meta (MDB_txn *txn, MDB_dbi meta, const char *name, MDB_val *value)
{
    MDB_val key = {strlen (name), (void *) (uintptr_t) name};

    return mdb_get (txn, meta, &key, value);
}

static int
make_new (store_file_t *self, MDB_txn *txn)
{
    uint32_t epoch = 0;
    ssize_t got = getrandom (&epoch, sizeof epoch, 0);

    (void) got;
    snprintf (self->epoch, sizeof self->epoch, "%08x", epoch);
    int rc = put_meta (txn, self->meta, "format", FORMAT, strlen (FORMAT));
    return rc ? rc : put_meta (txn, self->meta, "epoch", self->epoch, strlen (self->epoch));
}

//  1: it is new. 0: it is one of ours. Else why.
static int
check_format (store_file_t *self, MDB_txn *txn, bool empty, reason_t *why)
{
    MDB_val format, epoch;
    int rc = get_meta (txn, self->meta, "format", &format);

    if (rc == MDB_NOTFOUND && empty) {
        return 1;
    }
    if (rc == MDB_NOTFOUND ||
        (rc == 0 && (format.mv_size < strlen (FORMAT_NAME) ||
                     memcmp (format.mv_data, FORMAT_NAME, strlen (FORMAT_NAME)) != 0))) {
        return reason_set (why, -EBADMSG, "store %s: an LMDB file, but not one of cmlwatch's",
                           self->settings->path);
    }
    if (rc == 0 && (format.mv_size != strlen (FORMAT) ||
                    memcmp (format.mv_data, FORMAT, strlen (FORMAT)) != 0)) {
        return reason_set (why, -EPROTO,
                           "store %s: its format is '%.*s', this program knows '%s': it was "
                           "written by a newer one",
                           self->settings->path, (int) format.mv_size, (char *) format.mv_data,
                           FORMAT);
    }
    rc = rc ? rc : get_meta (txn, self->meta, "epoch", &epoch);
    if (rc || epoch.mv_size != ENVELOPE_EPOCH_SIZE - 1) {
        return store_file_explain (self, rc ? rc : MDB_CORRUPTED, "reading its epoch", why);
    }
    snprintf (self->epoch, sizeof self->epoch, "%.*s", (int) epoch.mv_size, (char *) epoch.mv_data);
    return 0;
}

static int
open_tables (store_file_t *self, reason_t *why)
{
    MDB_txn *txn = NULL;
    MDB_stat main_stat = {0};
    MDB_dbi main_table;
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);

    rc = rc ? rc : mdb_dbi_open (txn, NULL, 0, &main_table);
    rc = rc ? rc : mdb_stat (txn, main_table, &main_stat);
    rc = rc ? rc : mdb_dbi_open (txn, "meta", MDB_CREATE, &self->meta);
    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        rc = rc ? rc : mdb_dbi_open (txn, TABLES [table], MDB_CREATE, &self->tables [table]);
    }
    rc = rc ? rc : mdb_dbi_open (txn, "events", MDB_CREATE, &self->events);
    if (rc) {
        if (txn) {
            mdb_txn_abort (txn);
        }
        return store_file_explain (self, rc, "opening its tables", why);
    }
    int kind = check_format (self, txn, main_stat.ms_entries == 0, why);
    if (kind < 0) {
        mdb_txn_abort (txn);
        return kind;
    }
    rc = kind == 1 ? make_new (self, txn) : 0;
    if (rc) {
        mdb_txn_abort (txn);
        return store_file_explain (self, rc, "writing to it", why);
    }
    rc = mdb_txn_commit (txn);
    return rc ? store_file_explain (self, rc, "writing to it", why) : 0;
}

int
store_file_open (store_file_t *self, const store_settings_t *settings, reason_t *why)
{
    *self = (store_file_t){.settings = settings, .lock_fd = -1};
    int rc = lock_folder (self, why);

    rc = rc < 0 ? rc : open_env (self, why);
    return rc < 0 ? rc : open_tables (self, why);
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

int
store_file_set_epoch (store_file_t *self, const char *epoch, reason_t *why)
{
    MDB_txn *txn;

    if (strlen (epoch) != ENVELOPE_EPOCH_SIZE - 1 ||
        strspn (epoch, "0123456789abcdef") != ENVELOPE_EPOCH_SIZE - 1) {
        return reason_set (why, -EINVAL, "epoch '%.20s' is not 8 hex digits", epoch);
    }
    int rc = mdb_txn_begin (self->env, NULL, 0, &txn);
    if (rc == 0) {
        rc = put_meta (txn, self->meta, "epoch", epoch, strlen (epoch));
        rc = rc ? rc : mdb_txn_commit (txn);
    }
    if (rc) {
        return store_file_explain (self, rc, "writing its epoch", why);
    }
    snprintf (self->epoch, sizeof self->epoch, "%s", epoch);
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
