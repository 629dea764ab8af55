// monitor.h - a client that speaks the monitor protocol over WebSocket, GET /api/monitor.
//
// It is a client of the hub as a stream is: it has an audience, whose filter says that events go
// in a monitor's form (monitor_form.h), it goes along the same log with the same cursor, waits for
// its state in the same queue, and steps back, stalls and ends by the same rules. What is its own
// stands here: it says things (monitor_message.h), it is answered, and its connection ends with a
// handshake. Until it subscribes it is in an audience that wants nothing; its events then begin
// behind the state it was given, or the id it named.
//
// Bounds: a message's size, messages a second (then it is not read for the rest of the second),
// mistakes (then 1008), what it was answered and has not taken (then it is not read).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_MONITOR_H
#define GATEWAY_MONITOR_H

#include "client.h"

//  Null when memory is out. The upgraded connection stays the caller's.
monitor_t *monitor_new (client_t *client, const hub_request_t *request);
void monitor_destroy (monitor_t **self_p);
//  The connection is libmicrohttpd's again, which closes it.
void monitor_give_back (client_t *client, const char *reason);

//  Its first words may be read; what came before the handshake's answer is a mistake.
void monitor_start (client_t *client, const hub_request_t *request);

//  epoll's word on its descriptor, and once a second. It may be closed, and gone, then.
void monitor_on_descriptor (client_t *client, uint32_t events);
void monitor_on_second (client_t *client);
//  It is to be watched for what it says.
bool monitor_listens (const client_t *client);

//  It asked for a state, or for events, and has to be told when these cannot be had.
bool monitor_has_joined (const client_t *client);
//  Its events begin behind this number.
void monitor_go_on (client_t *client, uint64_t seq);

//  Its turn has come: this is its state (monitor_states.h); and that is written to its clear wire.
void monitor_begin_state (client_t *client, frame_t *state);
wire_result_t monitor_write_state (client_t *client);
void monitor_drop_state (client_t *client);

//  The close that the end of it (client_end) is told with.
void monitor_say_farewell (client_t *client);
//  All is written: the peer's end is waited for, for a moment, since what it said and nobody read would
//  reset the connection, and our close with it. False: no more.
bool monitor_lingers (client_t *client);
//  How it ended, for the count of these.
const char *monitor_end_of (const client_t *client);

const char *monitor_name (const client_t *client);

#endif
