// sources.c - see sources.h.
//
// SPDX-License-Identifier: MIT

#include "sources.h"

#include "../common/cleanup.h"
#include "../common/log.h"

#include <czmq.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct sources {
    size_t most;
    time_us_t restored;    //  steady
    time_us_t full_until;  //  steady: all are heard too lately until then, and no one makes room
    store_t *store;
    zhashx_t *all;  //  source_t by name
};

static void
source_free (void **source_p)
{
    free (*source_p);
    *source_p = NULL;
}

sources_t *
sources_new (size_t most, store_t *store)
{
    sources_t *self = calloc (1, sizeof *self);

    if (self) {
        self->most = most;
        self->store = store;
        self->all = zhashx_new ();
        zhashx_set_destructor (self->all, source_free);
    }
    return self;
}

void
sources_destroy (sources_t **self_p)
{
    if (*self_p) {
        zhashx_destroy (&(*self_p)->all);
        free (*self_p);
        *self_p = NULL;
    }
}

static source_t *
add (sources_t *self, const char *name)
{
    source_t *source = zhashx_size (self->all) < self->most ? calloc (1, sizeof *source) : NULL;

    if (source) {
        zhashx_insert (self->all, name, source);
    }
    return source;
}

//  The one that has been silent for longest, if that is long enough. Until it can be, nobody is looked for again:
//  each message of one that is not followed comes here.
static void
make_room (sources_t *self, time_us_t steady)
{
    time_us_t least = steady;
    const char *silent = NULL;

    for (const source_t *source = steady > self->full_until ? zhashx_first (self->all) : NULL;
         source; source = zhashx_next (self->all)) {
        if (source->heard_at < least) {
            least = source->heard_at;
            silent = zhashx_cursor (self->all);
        }
    }
    if (silent && steady > least + SOURCES_SILENT_US) {
        _cleanup_ (string_destroy) char *name = strdup (silent);  //  the table's goes with it
        if (!name) {
            return;
        }
        log_info ("a collector that is heard no more is forgotten", LOG_TEXT ("source", name));
        zhashx_delete (self->all, name);
        if (self->store) {
            store_delete (self->store, STORE_SOURCES, name);
        }
    } else if (steady > self->full_until) {
        self->full_until = least + SOURCES_SILENT_US;
    }
}

source_t *
sources_hear (sources_t *self, const char *name, time_us_t steady)
{
    source_t *source = zhashx_lookup (self->all, name);

    if (!source && zhashx_size (self->all) >= self->most) {
        make_room (self, steady);
    }
    source = source ? source : add (self, name);
    if (source) {
        source->heard = true;
        source->heard_at = steady;
    }
    return source;
}

const source_t *
sources_find (const sources_t *self, const char *name)
{
    return zhashx_lookup (self->all, name);
}

//  --- over a restart

void
sources_save (sources_t *self)
{
    char row [ENVELOPE_EPOCH_SIZE + 24];

    for (source_t *source = self->store ? zhashx_first (self->all) : NULL; source;
         source = zhashx_next (self->all)) {
        if (source->heard) {
            int size = snprintf (row, sizeof row, "%s %" PRIu64, source->sequence.epoch,
                                 source->sequence.last);
            source->heard = false;
            store_put (self->store, STORE_SOURCES, zhashx_cursor (self->all), row, (size_t) size);
        }
    }
}

static void
restore (void *argument, const char *name, const void *bytes, size_t size)
{
    sources_t *self = argument;
    const char *row = bytes;
    size_t epoch = ENVELOPE_EPOCH_SIZE - 1;
    char number [24];
    source_t *source = size > epoch + 1 && size < epoch + sizeof number ? add (self, name) : NULL;

    if (source) {
        source->heard_at = self->restored;
        snprintf (source->sequence.epoch, sizeof source->sequence.epoch, "%.*s", (int) epoch, row);
        snprintf (number, sizeof number, "%.*s", (int) (size - epoch - 1), row + epoch + 1);
        source->sequence.last = strtoull (number, NULL, 10);
    }
}

int
sources_restore (sources_t *self, time_us_t steady, reason_t *why)
{
    self->restored = steady;
    return self->store ? store_each (self->store, STORE_SOURCES, "", restore, self, why) : 0;
}
