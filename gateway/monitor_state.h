// monitor_state.h - what monitor.c and monitor_said.c share; nobody else includes it.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_MONITOR_STATE_H
#define GATEWAY_MONITOR_STATE_H

#include "monitor.h"
#include "monitor_message.h"
#include "websocket.h"

struct monitor {
    client_t *client;
    websocket_t *socket;
    struct MHD_UpgradeResponseHandle *upgraded;
    char id [MONITOR_ID_SIZE];
    frame_t *state;  //  to be written next
    uint64_t since;  //  joined: where its events begin when it subscribes
    bool joined, subscribed;
    bool cut;    //  nothing more can be read
    bool apart;  //  its descriptor is not the connection's own, which is TLS
    size_t turn_left;
    int64_t frames_left;  //  in this second
    int64_t errors;
    const char *fault;                     //  why it is to end, by its own doing
    uint64_t missed_told, conflated_told;  //  by the last heartbeat_ack
    time_us_t heard, pinged, linger_until;
    time_us_t asked;  //  first, since it was heard
};

//  In monitor_said.c: a whole message has come (websocket.h). It may queue answers and change what the
//  client wants; the client is not closed in it.
void monitor_on_message (void *argument, const char *text, size_t size);

#endif
