// names.h - a set of names: regions, workers, types of jobs.
//
// In order, each once, so that asking is a binary search and equal sets are written equally.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_NAMES_H
#define GATEWAY_NAMES_H

#include "../common/buffer.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct name_set {
    char **list;
    size_t count;
} name_set_t;

//  0, also when it is in it already; -E2BIG when there are most of them; -ENOMEM.
int names_add (name_set_t *self, const char *name, size_t most);
bool names_have (const name_set_t *self, const char *name);
//  As names_have; an empty set has all.
bool names_allow (const name_set_t *self, const char *name);
bool names_equal (const name_set_t *self, const name_set_t *other);
//  self is empty before. False when memory is out; self is then to be cleared.
bool names_copy (name_set_t *self, const name_set_t *other);
void names_clear (name_set_t *self);
//  `before` and the names, apart by commas; nothing when there are none.
void names_write (const name_set_t *self, const char *before, buffer_t *out);

#endif
