// store_pages.c - see store_pages.h.
//
// SPDX-License-Identifier: MIT

#include "store_pages.h"

#include "store_layout.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MOST  32     //  LMDB's own CURSOR_STACK
#define BEYOND_MOST 65536  //  pages allotted, freed and so never written at the file's end
#define TABLES_MOST 16

typedef struct walk {
    layout_t file;
    uint64_t last;     //  page
    uint8_t *claimed;  //  a bit for each page
    tree_t tree;       //  that is walked
    uint64_t entries;  //  of the tree so far
    tree_t tables [TABLES_MOST];
    size_t tables_count;
    store_value_fn *fn;
    void *argument;
    reason_t *why;
} walk_t;

typedef int take_fn (walk_t *self, uint64_t page, const node_t *node);

//  Low is the least key that may stand here, high the first that may not; null: any.
typedef struct bounds {
    const MDB_val *low, *high;
} bounds_t;

static int
wrong (const walk_t *self, uint64_t page, const char *what)
{
    return reason_set (self->why, -EBADMSG, "page %" PRIu64 " of '%s': %s", page, self->tree.name,
                       what);
}

static bool
is_in_file (const walk_t *self, uint64_t first, uint64_t count)
{
    uint64_t pages = self->file.size / self->file.page_bytes;

    return first >= 2 && first < pages && count <= pages - first;
}

//  Pages that are of use to one place alone. Free ones may lie beyond the end of the file.
static int
claim (walk_t *self, uint64_t first, uint64_t count, bool free)
{
    if (first < 2 || first > self->last || count == 0 || count > self->last + 1 - first) {
        return wrong (self, first, "there is no such page");
    }
    if (!free && !is_in_file (self, first, count)) {
        return wrong (self, first, "the file ends before it");
    }
    for (uint64_t page = first; page < first + count; page++) {
        if (self->claimed [page / 8] >> (page % 8) & 1) {
            return wrong (self, page, "it is used twice");
        }
        self->claimed [page / 8] = (uint8_t) (self->claimed [page / 8] | 1u << page % 8);
    }
    return 0;
}

static int
compare (const walk_t *self, const MDB_val *a, const MDB_val *b)
{
    if (self->tree.flags & INTEGER_KEYS) {
        uint64_t first = layout_number (a->mv_data), second = layout_number (b->mv_data);
        return (first > second) - (first < second);
    }
    size_t common = a->mv_size < b->mv_size ? a->mv_size : b->mv_size;
    int order = memcmp (a->mv_data, b->mv_data, common);
    return order ? order : (a->mv_size > b->mv_size) - (a->mv_size < b->mv_size);
}

static int
check_key (const walk_t *self, uint64_t page, const MDB_val *key, const MDB_val *low, bool low_too,
           const MDB_val *high)
{
    if (self->tree.flags & INTEGER_KEYS && key->mv_size != sizeof (uint64_t)) {
        return wrong (self, page, "a key is no number");
    }
    int above = low ? compare (self, key, low) : 1;
    if (above < 0 || (above == 0 && !low_too) || (high && compare (self, key, high) >= 0)) {
        return wrong (self, page, "its keys are out of order");
    }
    return 0;
}

static int
check_sum (const walk_t *self, uint64_t page, size_t sum)
{
    return sum == layout_used (&self->file, page)
               ? 0
               : wrong (self, page, "its entries do not fill what they are said to");
}

//  --- a tree

//  Its value may have pages of its own.
static int
read_entry (walk_t *self, uint64_t page, size_t index, node_t *out)
{
    uint32_t pages;

    int rc = layout_read_node (&self->file, page, index, false, out, self->why);
    if (rc < 0 || !(out->flags & IS_BIG)) {
        return rc;
    }
    rc = claim (self, out->page, 1, false);
    rc = rc < 0 ? rc : layout_read_big (&self->file, out, &pages, self->why);
    return rc < 0 || pages == 1 ? rc : claim (self, out->page + 1, pages - 1, false);
}

static int
walk_leaf (walk_t *self, uint64_t page, bounds_t bounds, take_fn *take)
{
    size_t count = layout_node_count (&self->file, page), sum = 0;
    MDB_val before = {0};

    for (size_t i = 0; i < count; i++) {
        node_t node;
        int rc = read_entry (self, page, i, &node);
        rc = rc < 0
                 ? rc
                 : check_key (self, page, &node.key, i ? &before : bounds.low, i == 0, bounds.high);
        rc = rc < 0 ? rc : take (self, page, &node);
        if (rc < 0) {
            return rc;
        }
        sum += node.used;
        before = node.key;
        self->entries++;
    }
    return check_sum (self, page, sum);
}

static int walk_page (walk_t *self, uint64_t page, unsigned level, bounds_t bounds, take_fn *take);

static int
walk_branch (walk_t *self, uint64_t page, unsigned level, bounds_t bounds, take_fn *take)
{
    size_t count = layout_node_count (&self->file, page), sum = 0;
    node_t node, next = {0};

    int rc = layout_read_node (&self->file, page, 0, true, &node, self->why);
    for (size_t i = 0; i < count && rc == 0; i++) {
        bool is_last = i + 1 == count;
        //  The first key of a branch is not looked at by LMDB and may be anything.
        const MDB_val *low = i ? &node.key : bounds.low;
        if (!is_last) {
            rc = layout_read_node (&self->file, page, i + 1, true, &next, self->why);
            rc = rc < 0 ? rc : check_key (self, page, &next.key, low, i == 0, bounds.high);
        }
        bounds_t within = {low, is_last ? bounds.high : &next.key};
        rc = rc < 0 ? rc : walk_page (self, node.page, level - 1, within, take);
        sum += node.used;
        node = next;
    }
    return rc < 0 ? rc : check_sum (self, page, sum);
}

static int
walk_page (walk_t *self, uint64_t page, unsigned level, bounds_t bounds, take_fn *take)
{
    int rc = claim (self, page, 1, false);

    rc = rc < 0
             ? rc
             : layout_check_page (&self->file, page, level == 1 ? IS_LEAF : IS_BRANCH, self->why);
    if (rc < 0) {
        return rc;
    }
    return level == 1 ? walk_leaf (self, page, bounds, take)
                      : walk_branch (self, page, level, bounds, take);
}

static int
walk_tree (walk_t *self, const tree_t *tree, unsigned flags, take_fn *take)
{
    self->tree = *tree;
    self->entries = 0;
    if (tree->flags != flags) {
        return wrong (self, tree->root, "the table is of a kind that we do not write");
    }
    if (tree->root == NO_PAGE) {
        return tree->entries == 0 && tree->depth == 0
                   ? 0
                   : wrong (self, tree->root, "it has entries and no page");
    }
    if (tree->depth == 0 || tree->depth > DEPTH_MOST) {
        return wrong (self, tree->root, "its depth is wrong");
    }
    int rc = walk_page (self, tree->root, tree->depth, (bounds_t){NULL, NULL}, take);
    return rc < 0 || self->entries == tree->entries
               ? rc
               : wrong (self, tree->root, "it has more or fewer entries than it says");
}

//  --- the trees there are

static int
take_value (walk_t *self, uint64_t page, const node_t *node)
{
    if (node->flags & IS_TREE) {
        return wrong (self, page, "a table within a table");
    }
    return self->fn (self->argument, self->tree.name, &node->key, &node->value, self->why);
}

static int
take_table (walk_t *self, uint64_t page, const node_t *node)
{
    if (!(node->flags & IS_TREE)) {
        return take_value (self, page, node);
    }
    if (node->flags & IS_BIG || node->value.mv_size != TREE_BYTES ||
        node->key.mv_size >= NAME_SIZE || self->tables_count == TABLES_MOST) {
        return wrong (self, page, "a table of it is not one");
    }
    layout_read_tree (&self->tables [self->tables_count++], node->value.mv_data, node->key.mv_data,
                      node->key.mv_size);
    return 0;
}

//  A list of free pages: how many, and their numbers.
static int
take_free (walk_t *self, uint64_t page, const node_t *node)
{
    const uint64_t *at = node->value.mv_data;  //  at even addresses: read by bytes
    uint64_t room = node->value.mv_size / sizeof *at;

    if (room == 0 || layout_number (at) > room - 1 || node->flags & IS_TREE) {
        return wrong (self, page, "a list of free pages is longer than its place");
    }
    int rc = 0;
    for (uint64_t i = 1, count = layout_number (at); rc == 0 && i <= count; i++) {
        rc = claim (self, layout_number ((const char *) at + i * sizeof *at), 1, true);
    }
    return rc;
}

//  The table `meta` first, which says how to read the others.
static int
walk_tables (walk_t *self)
{
    int rc = 0;

    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < self->tables_count && rc == 0; i++) {
            bool is_meta = strcmp (self->tables [i].name, "meta") == 0;
            if (is_meta == (round == 0)) {
                rc = walk_tree (self, &self->tables [i], 0, take_value);
            }
        }
    }
    return rc;
}

//  --- the two meta pages

//  No list of free pages is of a commit that was after the one it is found in.
static int
check_newest_free (walk_t *self, const meta_t *meta)
{
    uint64_t page = meta->free.root;
    node_t node = {0};

    self->tree = meta->free;
    for (unsigned level = meta->free.depth; page != NO_PAGE && level > 0; level--) {
        if (!is_in_file (self, page, 1)) {
            return wrong (self, page, "there is no such page");
        }
        int rc = layout_check_page (&self->file, page, level == 1 ? IS_LEAF : IS_BRANCH, self->why);
        size_t count = rc < 0 ? 0 : layout_node_count (&self->file, page);
        rc = rc < 0 ? rc
                    : layout_read_node (&self->file, page, count - 1, level > 1, &node, self->why);
        if (rc < 0) {
            return rc;
        }
        if (level == 1 && (node.key.mv_size != sizeof (uint64_t) ||
                           layout_number (node.key.mv_data) > meta->transaction)) {
            return wrong (self, page, "it is newer than the commit that it is of");
        }
        page = node.page;
    }
    return 0;
}

//  0 and the newer one; 1: nothing was ever written.
static int
choose_meta (walk_t *self, meta_t *newest)
{
    meta_t metas [2];

    int rc = layout_read_meta (&self->file, 0, &metas [0], self->why);
    if (rc < 0) {
        return rc;
    }
    size_t page_bytes = metas [0].page_bytes;
    if (page_bytes < 512 || page_bytes > 65536 || page_bytes & (page_bytes - 1)) {
        return reason_set (self->why, -EBADMSG, "its pages are said to have %zu bytes", page_bytes);
    }
    self->file.page_bytes = page_bytes;
    rc = layout_read_meta (&self->file, page_bytes, &metas [1], self->why);
    if (rc < 0) {
        return rc;
    }
    uint64_t even = metas [0].transaction, odd = metas [1].transaction;
    *newest = metas [odd > even];
    if (even == 0 && odd == 0 && newest->main.root == NO_PAGE && newest->free.root == NO_PAGE) {
        return 1;
    }
    if (metas [1].page_bytes != page_bytes || even % 2 != 0 || odd % 2 != 1 ||
        (even != odd + 1 && odd != even + 1)) {
        return reason_set (self->why, -EBADMSG,
                           "its two meta pages are not those of two commits in a row (%" PRIu64
                           " and %" PRIu64 ")",
                           even, odd);
    }
    rc = check_newest_free (self, &metas [0]);
    return rc < 0 ? rc : check_newest_free (self, &metas [1]);
}

static int
check_all (walk_t *self)
{
    meta_t meta;

    int rc = choose_meta (self, &meta);
    if (rc != 0 || self->file.page_bytes == 0) {
        return rc;
    }
    uint64_t pages = self->file.size / self->file.page_bytes;
    if (meta.last < 1 || meta.last >= pages + BEYOND_MOST) {
        return reason_set (self->why, -EBADMSG, "its last page is said to be %" PRIu64, meta.last);
    }
    self->last = meta.last;
    self->claimed = calloc (1, meta.last / 8 + 1);
    if (!self->claimed) {
        return reason_set (self->why, -ENOMEM, "out of memory");
    }
    rc = walk_tree (self, &meta.free, INTEGER_KEYS, take_free);
    rc = rc < 0 ? rc : walk_tree (self, &meta.main, 0, take_table);
    return rc < 0 ? rc : walk_tables (self);
}

static int
check_mapped (const void *bytes, size_t size, store_value_fn *fn, void *argument, reason_t *why)
{
    walk_t walk = {
        .file = {.bytes = bytes, .size = size}, .fn = fn, .argument = argument, .why = why};

    int rc = check_all (&walk);
    free (walk.claimed);
    return rc;
}

int
store_pages_check (const char *path, store_value_fn *fn, void *argument, reason_t *why)
{
    struct stat found;
    void *bytes = MAP_FAILED;

    int fd = open (path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? 1 : reason_set (why, -errno, "%s", strerror (errno));
    }
    int rc = fstat (fd, &found) < 0 ? reason_set (why, -errno, "%s", strerror (errno)) : 0;
    if (rc == 0 && found.st_size > 0) {
        bytes = mmap (NULL, (size_t) found.st_size, PROT_READ, MAP_SHARED, fd, 0);
        rc = bytes == MAP_FAILED ? reason_set (why, -errno, "%s", strerror (errno)) : 0;
    }
    (void) close (fd);
    if (bytes == MAP_FAILED) {
        return rc < 0 ? rc : 1;  //  it is empty
    }
    (void) madvise (bytes, (size_t) found.st_size, MADV_WILLNEED);
    rc = check_mapped (bytes, (size_t) found.st_size, fn, argument, why);
    (void) munmap (bytes, (size_t) found.st_size);
    return rc;
}
