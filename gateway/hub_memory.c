// hub_memory.c - the bound on what is held for all clients together that do not take what they were given.
//
// What a client has not been given lies in the log, once for all, and costs nothing more however far the client
// is behind. What it was given, and its socket did not take, is held for it alone, or for those who
// stopped at the same block: some tens of KiB each, a monitor's answers up to a MiB. That is little for one and much for
// a night with thousands of stalled dashboards. Beyond held_max_bytes those who hold most are closed,
// of two alike the one that has taken nothing for longer; nobody else notices. Nothing is lost
// to them: they come back with their last id, and the log has the rest. To conflate harder would not help, for it makes
// what lies in the log smaller, not what is held.
//
// SPDX-License-Identifier: MIT

#include "../common/log.h"
#include "hub_state.h"

#include <stdlib.h>

#define EASE_PART 8  //  down to this part below the bound: not at each turn anew

typedef struct burden {
    client_t *client;
    size_t held;
} burden_t;

static int
heaviest_first (const void *left, const void *right)
{
    const burden_t *a = left, *b = right;
    time_us_t moved_a = a->client->wire.moved, moved_b = b->client->wire.moved;

    return a->held != b->held ? (a->held < b->held) - (a->held > b->held)
                              : (moved_a > moved_b) - (moved_a < moved_b);
}

static size_t
weigh (const hub_t *self, burden_t *burdens)
{
    size_t count = 0;

    for (client_t *client = self->clients; client; client = client->next) {
        size_t held = wire_held (&client->wire);
        if (held > 0) {
            burdens [count++] = (burden_t){client, held};
        }
    }
    return count;
}

static void
shed (hub_t *self, size_t aim)
{
    burden_t *burdens = calloc (self->count, sizeof *burdens);
    size_t count = burdens ? weigh (self, burdens) : 0, closed = 0, before = self->shared.held;

    if (count > 0) {
        qsort (burdens, count, sizeof *burdens, heaviest_first);
    }
    while (closed < count && self->shared.held > aim) {
        fanout_close (burdens [closed++].client, "memory");
    }
    free (burdens);
    log_warn ("streams closed: too much was held for those that take nothing",
              LOG_INTEGER ("streams", closed), LOG_INTEGER ("held_bytes", before),
              LOG_INTEGER ("held_max_bytes", self->shared.settings.held_max_bytes));
}

void
hub_bound_memory (hub_t *self)
{
    size_t most = (size_t) self->shared.settings.held_max_bytes;

    if (self->shared.held > most) {
        shed (self, most - most / EASE_PART);
    }
}
