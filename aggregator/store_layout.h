// store_layout.h - the parts of an LMDB file, read with care; for store_pages.c alone.
//
// Data version 1 on 64 bits, as in mdb.c of LMDB 0.9: struct MDB_meta, MDB_db, MDB_page, MDB_node.
// What is read lies within its page, or -EBADMSG and why.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_STORE_LAYOUT_H
#define AGGREGATOR_STORE_LAYOUT_H

#include "../common/reason.h"

#include <lmdb.h>
#include <stdbool.h>
#include <stdint.h>

#define PAGE_HEAD  16  //  number, pad, flags, lower and upper (or how many pages)
#define TREE_BYTES 48
#define NO_PAGE    UINT64_MAX
#define NAME_SIZE  64

enum { IS_BRANCH = 0x01, IS_LEAF = 0x02, IS_OVERFLOW = 0x04, IS_META = 0x08 };  //  of a page
enum { IS_BIG = 0x01, IS_TREE = 0x02 };                                         //  of a node
enum { INTEGER_KEYS = 0x08 };                                                   //  of a tree

typedef struct layout {
    const uint8_t *bytes;
    size_t size, page_bytes;
} layout_t;

typedef struct tree {  //  MDB_db
    char name [NAME_SIZE];
    uint16_t flags, depth;
    uint64_t entries, root;
} tree_t;

typedef struct meta {  //  MDB_meta
    uint32_t page_bytes;
    tree_t free, main;
    uint64_t last, transaction;
} meta_t;

typedef struct node {
    MDB_val key, value;
    uint64_t page;  //  of a branch: the child; of a big value: where it begins
    unsigned flags;
    size_t used;  //  what it takes in its page
} node_t;

//  at is where the meta page begins.
int layout_read_meta (const layout_t *self, size_t at, meta_t *out, reason_t *why);
void layout_read_tree (tree_t *tree, const uint8_t *at, const char *name, size_t size);

//  The page is within the file. Kind is what its place wants.
int layout_check_page (const layout_t *self, uint64_t page, unsigned kind, reason_t *why);
size_t layout_node_count (const layout_t *self, uint64_t page);
//  What its entries are said to take in all.
size_t layout_used (const layout_t *self, uint64_t page);
int layout_read_node (const layout_t *self, uint64_t page, size_t index, bool branch, node_t *out,
                      reason_t *why);
//  Of a value that has pages of its own, which are checked: its bytes, and how many pages it has.
int layout_read_big (const layout_t *self, node_t *node, uint32_t *pages, reason_t *why);

uint64_t layout_number (const void *at);

#endif
