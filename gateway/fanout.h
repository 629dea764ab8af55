// fanout.h - what the hub, its audiences and its clients share.
//
// A client is in one of four modes. WAITING for its turn to get a state; in the STATE, which it
// gets from an image at its own speed; behind, catching up with the log at its own speed; and
// LIVE, when it is one of its audience's and gets what all of these get, in its turn. Only LIVE
// clients are touched when an event comes.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_FANOUT_H
#define GATEWAY_FANOUT_H

#include "../common/loop.h"
#include "../common/metrics.h"
#include "hub.h"
#include "image.h"
#include "wire.h"

typedef struct client client_t;
typedef struct audience audience_t;
typedef struct monitor monitor_t;

typedef struct fanout {
    hub_t *hub;
    loop_t *loop;
    hub_settings_t settings;
    replica_t *replica;
    event_log_t *log;
    packer_t *alone;  //  makes runs that fit every client
    buffer_t words;   //  what is being said to one client
    buffer_t block;   //  what an audience gets in one write
    size_t held;      //  bytes of memory for what connections did not take yet (wire.h)
    size_t packers;   //  of audiences
    int64_t second;   //  whole ones since the hub began: heartbeats are due in these (hub.c)
    metrics_t *metrics;
    metric_t *frames, *writes, *resumed, *resets, *states, *conflated, *missed, *packed, *plain,
        *stepped_back, *delay;
} fanout_t;

//  In fanout.c.
void fanout_add_counters (fanout_t *self);

//  The rest in hub.c.
//  Behind a client's back: it is closed, and gone when this returns.
void fanout_close (client_t *client, const char *reason);
//  The client waits for a state.
void fanout_await_state (client_t *client);
//  Or for the event with this id, which will come when this gateway has caught up with another. False
//  when it is not to wait.
bool fanout_await_event (client_t *client, const char *id);
//  It goes on where it is with another filter, which is taken over. 0 or -ENOMEM.
int fanout_rejoin (client_t *client, filter_t **filter_p);
//  Whether the client's descriptor is to be watched for room.
void fanout_watch (client_t *client, bool for_room);

//  A lane is a cursor into the log for a part of the events: those told at once, and those that
//  wait for the next tick of the client's own rhythm (max_hz, batch_ms).
typedef enum lane { LANE_DIRECT, LANE_SNAPSHOTS, LANE_METRICS, LANE_COUNT } lane_t;

#endif
