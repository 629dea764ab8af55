// audience_block.c - one block of bytes to all live members of an audience; see audience.h.
//
// SPDX-License-Identifier: MIT

#include "audience_state.h"

#include <stdlib.h>

typedef struct forms {
    frame_t *plain, *within, *alone;
    uint32_t crc;
} forms_t;

//  The form of the block for this client, made when the first one wants it.
static frame_t *
form_for (audience_t *self, const client_t *client, forms_t *forms)
{
    fanout_t *shared = self->shared;
    frame_t *plain = forms->plain;

    if (!self->gzip) {
        return plain;
    }
    if (client->context != 0 && !forms->within) {
        forms->within = packer_run (self->packing.packer, plain->bytes, plain->size);
        metric_count (shared->packed, forms->within ? (double) forms->within->size : 0);
    }
    if (client->context == 0 && !forms->alone) {
        packed_t *packed = packer_alone (shared->alone, plain->bytes, plain->size);
        forms->alone = packed ? frame_of_bytes (packed->bytes, packed->size) : NULL;
        metric_count (shared->packed, forms->alone ? (double) forms->alone->size : 0);
        free (packed);
    }
    return client->context != 0 ? forms->within : forms->alone;
}

static void
write_to (audience_t *self, client_t *client, forms_t *forms)
{
    fanout_t *shared = self->shared;
    frame_t *frame = form_for (self, client, forms);

    if (self->gzip && client->context == 0) {
        pack_sum_add (&client->wire.sum, forms->crc, forms->plain->size);
    }
    wire_result_t result =
        frame ? wire_send (&client->wire, frame, loop_now (shared->loop).steady) : WIRE_GONE;
    if (result == WIRE_GONE) {
        fanout_close (client, "gone");
    } else if (result == WIRE_FULL) {
        audience_leave (client);
        fanout_watch (client, true);
    }
}

//  To all, or to those whose counts are none. A member that goes is replaced by the last one.
void
audience_send_block (audience_t *self, frame_t *block, bool only_whole)
{
    forms_t forms = {.plain = block};

    if (self->gzip) {
        packing_refresh (&self->packing, self->live, self->count,
                         loop_now (self->shared->loop).steady);
        forms.crc = pack_crc (block->bytes, block->size);
        pack_sum_add (&self->packing.sum, forms.crc, block->size);
        metric_count (self->shared->plain, (double) block->size);
    }
    for (size_t i = 0; i < self->count;) {
        client_t *client = self->live [i];
        if (only_whole && (client->missed || client->conflated)) {
            i++;
            continue;
        }
        write_to (self, client, &forms);
        i += i < self->count && self->live [i] == client;
    }
    metric_increment (self->shared->writes);
    frame_release (&forms.within);
    frame_release (&forms.alone);
}

void
audience_send_bytes (audience_t *self, buffer_t *bytes, bool only_whole)
{
    frame_t *block = bytes->size > 0 && !buffer_failed (bytes)
                         ? frame_of_bytes (bytes->data, bytes->size)
                         : NULL;

    buffer_reset (bytes);
    if (block) {
        audience_send_block (self, block, only_whole);
        frame_release (&block);
    }
}
