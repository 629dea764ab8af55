// sweep.h - what came goes round the live members of an audience, a part of them at a time.
//
// A write to thousands takes tens of milliseconds, nearly all of it the kernel's, and more comes
// meanwhile. Were all written to in one go, that would wait for the end, and then for its place in
// the next one. So members are visited in a circle, SWEEP_SLICE of them before it is asked whether
// somebody else wants the loop, and each is written all that it has not had by then, at once: what
// comes has reached everyone one circle later, whenever it came, and nothing else waits for longer
// than a slice. Where a member stands is its own cursor. Neighbours mostly want the same bytes, a
// run, which is made once for them.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_SWEEP_H
#define GATEWAY_SWEEP_H

#include "client.h"

//  With 4,000 members and one event in flight, 256 cost 17.1 us a delivery, 1,024 16.2, no slices 16.5,
//  and with eight 2.4, 2.6, 2.7 (medians of 10 and 7 rounds, not far from noise): between the two.
#define SWEEP_SLICE 512
//  In one turn, when nobody else wants it: a turn asks each ZeroMQ socket, and costs several visits.
#define SWEEP_SLICES_MAX 4

//  The events in (from, to] that the filter lets through, as they go out.
typedef struct sweep_run {
    frame_t *bytes;  //  null: none of them
    uint64_t from, to;
    uint64_t newest;  //  the last number in it
    size_t count;
    time_us_t oldest;   //  when its first event came
    size_t delivered;   //  writes of it that were not counted yet
    bool made, is_cut;  //  is_cut: more would be too much for one write
} sweep_run_t;

typedef struct sweep {
    uint64_t target;    //  up to here all members are to have all
    uint64_t newest;    //  the last number that was in a run
    size_t next, todo;  //  whose turn it is, and how many from there on may lack something
    sweep_run_t run;
} sweep_t;

void sweep_clear (sweep_t *self);

//  There is more for all of so many members.
void sweep_aim (sweep_t *self, uint64_t target, size_t members);
//  A member has gone, and another one may stand in its place.
void sweep_shuffle (sweep_t *self, size_t members);
//  All members have all up to the target.
bool sweep_is_done (const sweep_t *self);

//  Visits so many at most. A visited member may leave the live ones: they and their count are read
//  anew after each. True when something was written.
bool sweep_go (sweep_t *self, fanout_t *shared, const filter_t *filter, client_t *const *live,
               const size_t *count, size_t most);

#endif
