// lane.h - which events of the log a client gets now, at its next tick, or not at all.
//
// A filter with max_hz keeps snapshots and the progress of jobs back until a tick, and then tells
// the newest of each worker and job, but no progress behind what came of the job next; one with
// batch_ms gathers metrics. Each such lane is a second cursor into the same log:
// what waits there is not copied anywhere, and a client that is behind reads it from the log as
// one that is not. Events of a filter with such a lane go without an id, since an id claims all
// before it; an id alone follows when all lanes have reached it.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_LANE_H
#define GATEWAY_LANE_H

#include "fanout.h"

bool lane_is_used (const filter_t *filter, lane_t lane);
//  More than the direct one.
bool lane_has_rhythm (const filter_t *filter);
lane_t lane_of (const filter_t *filter, const frame_t *frame);
time_us_t lane_period (const filter_t *filter, lane_t lane);

//  A later snapshot of the worker, or progress of the job, is in the log, and the filter lets it
//  through.
bool lane_is_superseded (replica_t *replica, const filter_t *filter, const frame_t *frame);

//  The next piece of what a tick tells of the events in (*at, to]: appended as whole frames without
//  ids. The number of these; *at is where the piece ends. A piece is some tens of KiB or thousands of
//  events, so that neither what one client holds nor the time until others have their turn grows
//  with the fleet.
size_t lane_write_tick (const fanout_t *shared, const filter_t *filter, lane_t lane, uint64_t *at,
                        uint64_t to, buffer_t *out);

#endif
