// audiences.c - see audiences.h.
//
// SPDX-License-Identifier: MIT

#include "audiences.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

typedef struct row {
    char *key;
    audience_t *audience;
} row_t;

struct audiences {
    fanout_t *shared;
    zhashx_t *by_key;
    row_t *rows;
    size_t count, room;
};

audiences_t *
audiences_new (fanout_t *shared)
{
    audiences_t *self = calloc (1, sizeof *self);

    if (self) {
        self->shared = shared;
        self->by_key = zhashx_new ();
    }
    return self;
}

static void
drop (audiences_t *self, size_t place)
{
    row_t *row = &self->rows [place];

    zhashx_delete (self->by_key, row->key);
    audience_destroy (&row->audience);
    free (row->key);
    *row = self->rows [--self->count];
}

void
audiences_destroy (audiences_t **self_p)
{
    audiences_t *self = *self_p;

    if (self) {
        while (self->count > 0) {
            drop (self, self->count - 1);
        }
        zhashx_destroy (&self->by_key);
        free (self->rows);
        free (self);
        *self_p = NULL;
    }
}

size_t
audiences_count (const audiences_t *self)
{
    return self->count;
}

static bool
make_room (audiences_t *self)
{
    size_t room = self->room ? 2 * self->room : 8;
    row_t *rows = self->count < self->room ? self->rows : realloc (self->rows, room * sizeof *rows);

    if (!rows) {
        return false;
    }
    self->room = self->count < self->room ? self->room : room;
    self->rows = rows;
    return true;
}

//  Takes the key over, and the filter, when it succeeds.
static audience_t *
add (audiences_t *self, const client_t *client, filter_t **filter_p, int64_t heartbeat_seconds,
     char *key)
{
    audience_t *audience = make_room (self) ? audience_new (self->shared, filter_p,
                                                            heartbeat_seconds, client->wire.gzip)
                                            : NULL;

    if (audience) {
        self->rows [self->count++] = (row_t){key, audience};
        zhashx_insert (self->by_key, key, audience);
    }
    return audience;
}

int
audiences_admit (audiences_t *self, client_t *client, filter_t **filter_p,
                 int64_t heartbeat_seconds)
{
    buffer_t key = {0};

    filter_write_key (*filter_p, &key);
    buffer_format (&key, "&heartbeat=%" PRId64 "%s", heartbeat_seconds,
                   client->wire.gzip ? "&gzip" : "");
    audience_t *audience = buffer_failed (&key) ? NULL : zhashx_lookup (self->by_key, key.data);
    if (audience) {
        buffer_clear (&key);
        filter_release (filter_p);
    } else if (buffer_failed (&key) ||
               !(audience = add (self, client, filter_p, heartbeat_seconds, key.data))) {
        buffer_clear (&key);
        return -ENOMEM;
    }
    audience_admit (audience, client);
    return 0;
}

void
audiences_turn (audiences_t *self)
{
    for (size_t i = 0; i < self->count;) {
        audience_turn (self->rows [i].audience);
        if (audience_members (self->rows [i].audience) > 0) {
            i++;
        } else {
            drop (self, i);
        }
    }
}

void
audiences_beat (audiences_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        audience_beat (self->rows [i].audience);
    }
}
