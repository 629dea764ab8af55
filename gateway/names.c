// names.c - see names.h.
//
// SPDX-License-Identifier: MIT

#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

//  Where the name is, or would stand.
static size_t
place_of (const name_set_t *self, const char *name, bool *found)
{
    size_t low = 0, high = self->count;

    *found = false;
    while (low < high && !*found) {
        size_t middle = (low + high) / 2;
        int order = strcmp (self->list [middle], name);
        *found = order == 0;
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return high;
}

int
names_add (name_set_t *self, const char *name, size_t most)
{
    bool found;
    size_t place = place_of (self, name, &found);

    if (found) {
        return 0;
    }
    if (self->count == most) {
        return -E2BIG;
    }
    char **list = realloc (self->list, (self->count + 1) * sizeof *list), *copy = strdup (name);
    self->list = list ? list : self->list;
    if (!list || !copy) {
        free (copy);
        return -ENOMEM;
    }
    memmove (list + place + 1, list + place, (self->count - place) * sizeof *list);
    list [place] = copy;
    self->count++;
    return 0;
}

bool
names_have (const name_set_t *self, const char *name)
{
    bool found;

    (void) place_of (self, name, &found);
    return found;
}

bool
names_allow (const name_set_t *self, const char *name)
{
    return self->count == 0 || names_have (self, name);
}

bool
names_copy (name_set_t *self, const name_set_t *other)
{
    self->list = calloc (other->count + 1, sizeof *self->list);
    bool copied = self->list != NULL;
    while (copied && self->count < other->count) {
        copied = (self->list [self->count] = strdup (other->list [self->count])) != NULL;
        self->count += copied;
    }
    return copied;
}

void
names_clear (name_set_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->list [i]);
    }
    free (self->list);
    *self = (name_set_t){0};
}

bool
names_equal (const name_set_t *self, const name_set_t *other)
{
    bool equal = self->count == other->count;

    for (size_t i = 0; equal && i < self->count; i++) {
        equal = strcmp (self->list [i], other->list [i]) == 0;
    }
    return equal;
}

void
names_write (const name_set_t *self, const char *before, buffer_t *out)
{
    for (size_t i = 0; i < self->count; i++) {
        buffer_format (out, "%s%s", i > 0 ? "," : before, self->list [i]);
    }
}
