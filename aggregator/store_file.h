// store_file.h - the LMDB environment under a store: its folder, its owner, its format; for
// store*.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_STORE_FILE_H
#define AGGREGATOR_STORE_FILE_H

#include "store.h"

#include <lmdb.h>

typedef struct store_file {
    const store_settings_t *settings;  //  borrowed
    MDB_env *env;
    MDB_dbi meta, events, tables [STORE_TABLE_COUNT];
    bool lacks [STORE_TABLE_COUNT];  //  read alone, and from before the table was
    int lock_fd;                     //  held by one process at a time
    bool was_made;                   //  a store was here before
    int format;                      //  as it is now
    size_t map_bytes;
    char epoch [ENVELOPE_EPOCH_SIZE];
} store_file_t;

//  Checks (settings->check), opens, makes or brings forward; with settings->salvage reads alone.
//  Settings stay. 0; or a negative errno and why, and what is there is as it was. store_file_close
//  is due in both cases.
int store_file_open (store_file_t *self, const store_settings_t *settings, reason_t *why);
void store_file_close (store_file_t *self);

//  The map is full: a larger one, up to the bound; false when there is none. No transaction is open.
bool store_file_grow (store_file_t *self);

//  Of a row: takes its seal off. False: it is not what was written.
bool store_file_unseal (const store_file_t *self, const MDB_val *key, MDB_val *value);

//  epoch null: a new one.
int store_file_set_epoch (store_file_t *self, const char *epoch, reason_t *why);

//  LMDB's code as a negative errno and a sentence.
int store_file_explain (const store_file_t *self, int rc, const char *doing, reason_t *why);

#endif
