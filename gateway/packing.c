// packing.c - see packing.h.
//
// SPDX-License-Identifier: MIT

#include "packing.h"

#define RESTART_US SECOND_US

void
packing_leave (packing_t *self, client_t *client)
{
    if (client->context != 0) {
        pack_sum_t since = pack_sum_since (&self->sum, &client->entered);
        pack_sum_add (&client->wire.sum, since.crc, since.size);
        client->context = 0;
    }
}

//  The next run refers to nothing before it, and so fits all.
static void
restart (packing_t *self, client_t *const *live, size_t count, time_us_t now)
{
    packer_restart (self->packer);
    self->context++;
    self->restarted = now;
    for (size_t i = 0; i < count; i++) {
        packing_leave (self, live [i]);
        live [i]->context = self->context;
        live [i]->entered = self->sum;
    }
}

void
packing_refresh (packing_t *self, client_t *const *live, size_t count, time_us_t now)
{
    size_t outside = 0;

    if (self->packer && now - self->restarted >= RESTART_US) {
        for (size_t i = 0; i < count; i++) {
            outside += live [i]->context == 0;
        }
        if (outside > 0) {
            restart (self, live, count, now);
        }
    }
}
