// admission.h - whose turn it is to get a full state, and which one.
//
// After a gateway's restart all its clients come at once, and each wants the state. They wait in
// the order they came, but for those that want a state there is no room for, states_per_second are begun, and those that come together share one image
// of the replica: an image costs as many references as there are workers, and keeps old
// snapshots alive as long as somebody is still reading it.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_ADMISSION_H
#define GATEWAY_ADMISSION_H

#include "client.h"

typedef struct admission admission_t;

admission_t *admission_new (fanout_t *shared);
void admission_destroy (admission_t **self_p);

void admission_await (admission_t *self, client_t *client);
//  The client waits no more, if it did.
void admission_forget (admission_t *self, client_t *client);
//  Those whose turn it is begin.
void admission_serve (admission_t *self);

//  An image at the log's end, out of turn but at the same pace; borrowed, null: not now.
image_t *admission_image (admission_t *self);

//  Images that nobody reads and nobody will go.
void admission_tidy (admission_t *self);

size_t admission_waiting (const admission_t *self);
size_t admission_images (const admission_t *self);

#endif
