// json_names.h - of members of one name the last counts: those before it are hidden. For json_doc.c.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_JSON_NAMES_H
#define COMMON_JSON_NAMES_H

#include "json_doc.h"

#include <string.h>

#define JSON_PAIRWISE_MOST 16  //  members that are compared each with each

static inline bool
json_names_are_alike (const json_node_t *a, const json_node_t *b)
{
    return a->name_size == b->name_size && memcmp (a->name, b->name, a->name_size) == 0;
}

//  Members from the first up to this one, whose name hides an equal one before it.
static inline void
json_names_hide_pairwise (json_node_t *first, json_node_t *last)
{
    for (json_node_t *each = first; each < last; each += each->span) {
        each->hidden |= json_names_are_alike (each, last);
    }
}

//  Of all members of an object, by a table. Names come from outside: those made to fall on one place of it
//  are sorted instead, so that no object costs the square of what it has. 0; 1 when they were; -ENOMEM.
int json_names_hide (json_node_t *begin, const json_node_t *end, size_t members);

#endif
