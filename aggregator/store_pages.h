// store_pages.h - is an LMDB file whole? For store*.c alone.
//
// LMDB trusts its file: a page that is not what it was ends the process, or hands out other bytes.
// So the file is walked before LMDB sees it: each page of each tree, by the layout of
// MDB_DATA_VERSION 1 on 64 bits (lmdb.h and mdb.c of LMDB 0.9: struct MDB_meta, MDB_db, MDB_page,
// MDB_node). No byte of it is followed without a look: a page number lies within the file and is
// claimed once, keys ascend within what their parents say, sizes add up, lists of free pages name
// none that is used, and the two meta pages are those of two commits in a row.
//
// What it cannot see is a changed byte of a value; that is the seal's part (store_seal.h).
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_STORE_PAGES_H
#define AGGREGATOR_STORE_PAGES_H

#include "../common/reason.h"

#include <lmdb.h>

//  Each value of each table, the table `meta` first. Borrowed; a negative errno and why refuses.
typedef int store_value_fn (void *argument, const char *table, const MDB_val *key,
                            const MDB_val *value, reason_t *why);

//  path is a data.mdb nobody writes to. 0: whole. 1: there is none, or nothing was written to it
//  yet. -EBADMSG and why: what is wrong, and where; or another errno when it cannot be read.
int store_pages_check (const char *path, store_value_fn *fn, void *argument, reason_t *why);

#endif
