// audience_state.h - what audience.c and audience_block.c share; nobody else includes it.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_AUDIENCE_STATE_H
#define GATEWAY_AUDIENCE_STATE_H

#include "audience.h"
#include "sweep.h"

struct audience {
    fanout_t *shared;
    filter_t *filter;
    int64_t heartbeat_seconds;
    bool gzip, rhythm;
    bool sweeps;  //  its members get the log's frames as they are: each at its own pace
    sweep_t sweep;
    size_t members;
    client_t **live;
    size_t count, room;
    uint64_t cursor, base [LANE_COUNT];
    time_us_t due [LANE_COUNT];  //  steady, the lane's next tick
    uint64_t told;               //  the last id that all live members have
    time_us_t told_at;
    int64_t beat_second;  //  of the hub: when the next heartbeat is due
    packing_t packing;
    loop_timer_t *tick;
};

//  In audience_block.c: bytes that go to all live members in one go, or to those whose own counts
//  are none; the buffer is empty after it.
void audience_send_block (audience_t *self, frame_t *block, bool only_whole);
void audience_send_bytes (audience_t *self, buffer_t *bytes, bool only_whole);

#endif
