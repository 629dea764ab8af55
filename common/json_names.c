// json_names.c - see json_names.h.
//
// SPDX-License-Identifier: MIT

#include "json_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MOST 4  //  for each place of the table; names by chance want one for four
#define HASH_START 2166136261u
#define HASH_PRIME 16777619u

//  FNV-1a.
static uint32_t
hash_of (const char *name, uint32_t size)
{
    uint32_t hash = HASH_START;

    for (uint32_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char) name [i]) * HASH_PRIME;
    }
    return hash;
}

//  By name; of equal ones the later is behind.
static int
by_name (const void *a, const void *b)
{
    const json_node_t *first = *(json_node_t *const *) a, *second = *(json_node_t *const *) b;
    uint32_t size = first->name_size < second->name_size ? first->name_size : second->name_size;
    int order = memcmp (first->name, second->name, size);

    return order                                   ? order
           : first->name_size != second->name_size ? (first->name_size < second->name_size ? -1 : 1)
           : first < second                        ? -1
                                                   : first > second;
}

//  Slower than a table, and as fast whatever the names are.
static void
hide_sorted (json_node_t **list, json_node_t *begin, const json_node_t *end)
{
    size_t count = 0;

    for (json_node_t *each = begin; each < end; each += each->span) {
        list [count++] = each;
    }
    qsort (list, count, sizeof (json_node_t *), by_name);
    for (size_t i = 1; i < count; i++) {
        list [i - 1]->hidden |= json_names_are_alike (list [i - 1], list [i]);
    }
}

//  A table of the members that were last seen with a name. False: looked so often for free places that
//  the names were made to fall on one.
static bool
hide_hashed (json_node_t **table, size_t size, json_node_t *begin, const json_node_t *end)
{
    size_t steps = 0;

    for (json_node_t *each = begin; each < end; each += each->span) {
        size_t place = hash_of (each->name, each->name_size) & (size - 1);
        while (table [place] && !json_names_are_alike (table [place], each)) {
            if (++steps > size * STEPS_MOST) {
                return false;
            }
            place = (place + 1) & (size - 1);
        }
        if (table [place]) {
            table [place]->hidden = true;
        }
        table [place] = each;
    }
    return true;
}

int
json_names_hide (json_node_t *begin, const json_node_t *end, size_t members)
{
    size_t size = 64;

    while (size < members * 2) {
        size *= 2;
    }
    json_node_t **table = calloc (size, sizeof (json_node_t *));
    if (!table) {
        return -ENOMEM;
    }
    int rc = 0;
    if (!hide_hashed (table, size, begin, end)) {
        hide_sorted (table, begin, end);
        rc = 1;
    }
    free (table);
    return rc;
}
