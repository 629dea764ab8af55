// audience.h - the clients that want the same, served as one.
//
// Clients whose filter, form and heartbeat are the same are members of one audience. Its cursor
// goes along the log once a turn: the filter is asked once for each event, what passes becomes one
// block of bytes, deflated once if its members want that, and each live member is written to
// once. Where the bytes are the log's own, members are visited in a circle instead (sweep.h),
// so that what comes while thousands are written to does not wait for the last of them. A member whose socket does not take all leaves the live ones, keeps a reference to the
// rest, and comes back by itself (client.c); so nobody waits for it.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_AUDIENCE_H
#define GATEWAY_AUDIENCE_H

#include "client.h"
#include "notice.h"
#include "packing.h"

//  The filter is taken over when it succeeds; null when memory is out.
audience_t *audience_new (fanout_t *shared, filter_t **filter_p, int64_t heartbeat_seconds,
                          bool gzip);
//  Nobody is a member any more.
void audience_destroy (audience_t **self_p);

//  The client becomes a member, not live yet; or is one no more.
void audience_admit (audience_t *self, client_t *client);
void audience_dismiss (client_t *client);
size_t audience_members (const audience_t *self);

const filter_t *audience_filter (const audience_t *self);
filter_t *audience_filter_shared (audience_t *self);  //  to be held
int64_t audience_heartbeat_seconds (const audience_t *self);
//  Up to where its live members were served, and each lane's last tick told.
uint64_t audience_cursor (const audience_t *self);
uint64_t audience_base (const audience_t *self, lane_t lane);
//  The last number that claims nothing which a live member has not had.
uint64_t audience_safe (const audience_t *self);

//  Where a client stands: what of the log it has had, or passed over.
uint64_t audience_reached (const client_t *client);

//  The turn's end: what came goes to its live members; of an audience that sweeps (sweep.h), to a
//  part of them in each turn.
void audience_turn (audience_t *self);
//  It stands where the log does: one that comes now begins there. Those that sweep owe the rest.
void audience_catch_up (audience_t *self);
//  And every live member has all of it.
void audience_settle (audience_t *self);
//  Heartbeats that are due, and an id alone where the filter has let nothing through.
void audience_beat (audience_t *self);

//  Its members are told heartbeats: monitors only if they asked for them. And one, as they get it.
bool audience_beats (const audience_t *self);
void audience_say_beat (const audience_t *self, buffer_t *out, const heartbeat_t *heartbeat);

//  A member that has all becomes live. False: memory is out.
bool audience_join (client_t *client);
//  A live one, maybe, is so no more.
void audience_leave (client_t *client);
//  What its live members share of deflate.
packing_t *audience_packing (audience_t *self);

#endif
