// store_format.h - what is in a store's tables, by format, and how an older one becomes the newest;
// for store*.c alone.
//
//   1  rows as they are
//   2  every value but meta's `format` and `written_by` ends with a seal (store_seal.h)
//
// A store is brought forward in one transaction: it is of the one format or of the other, whatever
// happens. There is no way back but a dump.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_STORE_FORMAT_H
#define AGGREGATOR_STORE_FORMAT_H

#include "store_file.h"

#define STORE_FORMAT        2
#define STORE_FORMAT_SEALED 2  //  since when

//  Before LMDB opens it: every page and every seal. 0; or -EBADMSG and why. What is no store of
//  ours, or of a newer format, is not looked into: store_format_read says so.
int store_format_check (const char *folder, reason_t *why);

//  *format is 0 of an empty file. Else why: not one of cmlwatch's, of a newer format, damaged.
int store_format_read (store_file_t *self, MDB_txn *txn, bool is_empty, int *format, reason_t *why);

//  Makes it anew (format 0, with an epoch) or brings it forward. LMDB's code; MDB_MAP_FULL: abort,
//  grow, again.
int store_format_bring (store_file_t *self, MDB_txn *txn, int format);

//  LMDB's code.
int store_format_put_epoch (store_file_t *self, MDB_txn *txn, const char *epoch);
int store_format_get_epoch (store_file_t *self, MDB_txn *txn);
int store_format_make_epoch (store_file_t *self, MDB_txn *txn);

//  What is known of the file that it lies in, as told when it was opened last: *moved when that was
//  another. A store from before this was noted lies where it lies. LMDB's code.
int store_format_settle (store_file_t *self, MDB_txn *txn, const char *place, bool *moved);

#endif
