// store_layout.c - see store_layout.h.
//
// SPDX-License-Identifier: MIT

#include "store_layout.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof (size_t) == 8, "the layout is that of 64 bits");

#define NODE_HEAD  8  //  size or page in lo, hi, flags; size of the key
#define META_MAGIC UINT32_C (0xBEEFC0DE)
#define META_SIZE  152

static uint16_t
get_16 (const uint8_t *at)
{
    uint16_t value;

    memcpy (&value, at, sizeof value);
    return value;
}

static uint32_t
get_32 (const uint8_t *at)
{
    uint32_t value;

    memcpy (&value, at, sizeof value);
    return value;
}

uint64_t
layout_number (const void *at)
{
    uint64_t value;

    memcpy (&value, at, sizeof value);
    return value;
}

void
layout_read_tree (tree_t *tree, const uint8_t *at, const char *name, size_t size)
{
    *tree = (tree_t){.flags = get_16 (at + 4),
                     .depth = get_16 (at + 6),
                     .entries = layout_number (at + 32),
                     .root = layout_number (at + 40)};
    snprintf (tree->name, sizeof tree->name, "%.*s", (int) size, name);
}

int
layout_read_meta (const layout_t *self, size_t at, meta_t *out, reason_t *why)
{
    const uint8_t *page = self->bytes + at;

    if (at + META_SIZE > self->size || get_32 (page + 16) != META_MAGIC ||
        get_16 (page + 10) != IS_META) {
        return reason_set (why, -EBADMSG, "it does not begin as an LMDB file does");
    }
    if (get_32 (page + 20) != 1) {
        return reason_set (why, -EBADMSG, "LMDB's data version is %" PRIu32 ", not 1",
                           get_32 (page + 20));
    }
    *out = (meta_t){.page_bytes = get_32 (page + 40),
                    .last = layout_number (page + 136),
                    .transaction = layout_number (page + 144)};
    layout_read_tree (&out->free, page + 40, "free pages", 10);
    layout_read_tree (&out->main, page + 88, "tables", 6);
    return 0;
}

static const uint8_t *
page_at (const layout_t *self, uint64_t page)
{
    return self->bytes + page * self->page_bytes;
}

static int
wrong (uint64_t page, const char *what, reason_t *why)
{
    return reason_set (why, -EBADMSG, "page %" PRIu64 ": %s", page, what);
}

int
layout_check_page (const layout_t *self, uint64_t number, unsigned kind, reason_t *why)
{
    const uint8_t *page = page_at (self, number);
    size_t lower = get_16 (page + 12), upper = get_16 (page + 14);

    if (layout_number (page) != number || get_16 (page + 10) != kind) {
        return wrong (number, "it is another kind of page than its place wants", why);
    }
    if (kind != IS_OVERFLOW &&
        (lower <= PAGE_HEAD || lower % 2 != 0 || lower > upper || upper > self->page_bytes)) {
        return wrong (number, "its bounds are wrong", why);
    }
    return 0;
}

size_t
layout_node_count (const layout_t *self, uint64_t page)
{
    return (size_t) (get_16 (page_at (self, page) + 12) - PAGE_HEAD) / 2;
}

size_t
layout_used (const layout_t *self, uint64_t page)
{
    return self->page_bytes - get_16 (page_at (self, page) + 14);
}

int
layout_read_node (const layout_t *self, uint64_t number, size_t index, bool branch, node_t *out,
                  reason_t *why)
{
    const uint8_t *page = page_at (self, number);
    size_t offset = get_16 (page + PAGE_HEAD + 2 * index), room = self->page_bytes;

    if (offset < get_16 (page + 14) || offset % 2 != 0 || offset + NODE_HEAD > room) {
        return wrong (number, "an entry lies outside of it", why);
    }
    const uint8_t *node = page + offset, *key = node + NODE_HEAD;
    uint64_t size = (uint64_t) get_16 (node) | (uint64_t) get_16 (node + 2) << 16;
    size_t key_size = get_16 (node + 6), here = 0;
    *out = (node_t){.key = {key_size, (void *) (uintptr_t) key}};
    if (branch) {
        out->page = size | (uint64_t) get_16 (node + 4) << 32;
    } else {
        out->flags = get_16 (node + 4);
        out->value = (MDB_val){size, (void *) (uintptr_t) (key + key_size)};
        here = out->flags & IS_BIG ? sizeof (uint64_t) : size;
    }
    if (out->flags & ~(unsigned) (IS_BIG | IS_TREE)) {
        return wrong (number, "an entry is of a kind that we do not write", why);
    }
    if (offset + NODE_HEAD + key_size + here > room) {
        return wrong (number, "an entry is longer than the page", why);
    }
    if (out->flags & IS_BIG) {
        out->page = layout_number (key + key_size);
    }
    out->used = (NODE_HEAD + key_size + here + 1) & ~(size_t) 1;
    return 0;
}

int
layout_read_big (const layout_t *self, node_t *node, uint32_t *pages, reason_t *why)
{
    const uint8_t *first = page_at (self, node->page);
    size_t needed = (PAGE_HEAD - 1 + node->value.mv_size) / self->page_bytes + 1;

    int rc = layout_check_page (self, node->page, IS_OVERFLOW, why);
    if (rc < 0) {
        return rc;
    }
    *pages = get_32 (first + 12);
    if (*pages < needed) {
        return wrong (node->page, "a value is larger than its pages", why);
    }
    node->value.mv_data = (void *) (uintptr_t) (first + PAGE_HEAD);
    return 0;
}
