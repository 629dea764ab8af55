// hub_state.h - what hub.c, hub_clients.c and hub_memory.c share; nobody else includes it.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_HUB_STATE_H
#define GATEWAY_HUB_STATE_H

#include "admission.h"
#include "audiences.h"

struct hub {
    fanout_t shared;
    audiences_t *audiences;
    admission_t *admission;
    client_t *clients;
    size_t count, ahead;               //  of all; of those that know more than we do
    char epoch [ENVELOPE_EPOCH_SIZE];  //  of the log that the clients' cursors are in
    loop_timer_t *beat, *delay;
    time_us_t began;             //  steady
    zhashx_t *by_user;           //  how many streams each has, as a size_t *
    hub_current_fn *is_current;  //  null: always
    void *current_argument;
    loop_fn *on_resumed;
    void *resumed_argument;
    uint64_t sent, counted;  //  bytes of streams that are closed; and what the counter says
    metric_t *clients_now, *waiting, *audiences_now, *images, *queued, *held_now, *behind,
        *monitors, *bytes;
    bool delayed;  //  the drain has begun, the streams' end has not
    bool held;     //  the loop, until the last client has had its farewell
};

//  In hub_memory.c, at a turn's end: while more than held_max_bytes are held, those clients that hold most are
//  closed.
void hub_bound_memory (hub_t *self);

#endif
