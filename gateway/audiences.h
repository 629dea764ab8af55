// audiences.h - all audiences by what their members want.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_AUDIENCES_H
#define GATEWAY_AUDIENCES_H

#include "audience.h"

typedef struct audiences audiences_t;

audiences_t *audiences_new (fanout_t *shared);
//  No client is a member any more.
void audiences_destroy (audiences_t **self_p);
size_t audiences_count (const audiences_t *self);

//  The client becomes a member of the one that fits, made when there is none. The filter is taken
//  over when it succeeds. 0 or -ENOMEM.
int audiences_admit (audiences_t *self, client_t *client, filter_t **filter_p,
                     int64_t heartbeat_seconds);

//  The turn's end: what came goes out, and audiences without members go.
void audiences_turn (audiences_t *self);
void audiences_beat (audiences_t *self);

#endif
