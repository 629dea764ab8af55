// audience.h - the clients that want the same, served as one.
//
// Clients whose filter, form and heartbeat are the same are members of one audience. Its cursor
// goes along the log once a turn: the filter is asked once for each event, what passes becomes one
// block of bytes, deflated once if its members want that, and each live member is written to
// once. A member whose socket does not take all leaves the live ones, keeps a reference to the
// rest, and comes back by itself (client.c); so nobody waits for it.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_AUDIENCE_H
#define GATEWAY_AUDIENCE_H

#include "client.h"

//  The one that fits, made when there is none; the client becomes its member, not live yet. The
//  filter is taken over. 0 or -ENOMEM.
typedef struct audiences audiences_t;

audiences_t *audiences_new (fanout_t *shared);
void audiences_destroy (audiences_t **self_p);
size_t audiences_count (const audiences_t *self);

int audiences_admit (audiences_t *self, client_t *client, filter_t **filter_p,
                     int64_t heartbeat_seconds);
//  The client is a member no more; an audience without members goes.
void audiences_dismiss (audiences_t *self, client_t *client);

//  The turn's end: what came goes out.
void audiences_turn (audiences_t *self);
//  Heartbeats that are due, and ids alone where a filter has let nothing through.
void audiences_beat (audiences_t *self);

const filter_t *audience_filter (const audience_t *self);
int64_t audience_heartbeat_seconds (const audience_t *self);
//  Up to where its live members were served, and each lane's last tick told.
uint64_t audience_cursor (const audience_t *self);
uint64_t audience_base (const audience_t *self, lane_t lane);
//  The last number that claims nothing which a live member has not had.
uint64_t audience_safe (const audience_t *self);

//  What came goes to its live members now, before the turn's end: so it stands at the log's end.
void audience_turn (audience_t *self);

//  A member that has all becomes live; a live one, maybe, is so no more.
//  False: memory is out.
bool audience_join (client_t *client);
void audience_leave (client_t *client);
//  It says something of its own: what its audience's packer makes fits it no more.
void audience_leave_context (client_t *client);

#endif
