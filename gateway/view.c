// view.c - see view.h.
//
// SPDX-License-Identifier: MIT

#include "view.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 128

view_t *
view_new (void)
{
    view_t *self = calloc (1, sizeof *self);

    if (self) {
        self->references = 1;
    }
    return self;
}

view_t *
view_hold (view_t *self)
{
    self->references++;
    return self;
}

void
view_release (view_t **self_p)
{
    view_t *self = *self_p;

    if (self && --self->references == 0) {
        names_clear (&self->regions);
        names_clear (&self->workers);
        free (self);
    }
    *self_p = NULL;
}

static int
add_list (name_set_t *names, const char *list, const char *what, reason_t *why)
{
    char name [NAME_SIZE];

    while (*list) {
        size_t size = strcspn (list, ",");
        if (size >= sizeof name) {
            return reason_set (why, -EINVAL, "%s: a name has at most %d bytes", what,
                               NAME_SIZE - 1);
        }
        memcpy (name, list, size);
        name [size] = '\0';
        for (size_t i = 0; i < size; i++) {
            if (!isgraph ((unsigned char) name [i])) {
                return reason_set (why, -EINVAL, "%s: a name is of printable ASCII characters",
                                   what);
            }
        }
        if (size > 0 && names_add (names, name, VIEW_NAMES_MOST) < 0) {
            return reason_set (why, -EINVAL, "%s: at most %d names", what, VIEW_NAMES_MOST);
        }
        list += size + (list [size] == ',');
    }
    return 0;
}

int
view_limit_regions (view_t *self, const char *list, reason_t *why)
{
    self->by_region = true;
    return add_list (&self->regions, list, "regions", why);
}

int
view_limit_workers (view_t *self, const char *list, reason_t *why)
{
    self->by_worker = true;
    return add_list (&self->workers, list, "worker_ids", why);
}

bool
view_is_limited (const view_t *self)
{
    return self->by_region || self->by_worker;
}

bool
view_shows (const view_t *self, const char *region, const char *worker_id)
{
    return (!self->by_region || names_have (&self->regions, region)) &&
           (!self->by_worker || names_have (&self->workers, worker_id));
}

bool
view_equal (const view_t *self, const view_t *other)
{
    return self->by_region == other->by_region && self->by_worker == other->by_worker &&
           names_equal (&self->regions, &other->regions) &&
           names_equal (&self->workers, &other->workers);
}

void
view_write_key (const view_t *self, buffer_t *out)
{
    if (self->by_region) {
        buffer_text (out, "&of_regions=");
        names_write (&self->regions, "", out);
    }
    if (self->by_worker) {
        buffer_text (out, "&of_workers=");
        names_write (&self->workers, "", out);
    }
    buffer_text (out, self->mask ? "&masked" : "");
}
