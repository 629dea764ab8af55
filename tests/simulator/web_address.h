// web_address.h - the socket below a connection of libmicrohttpd; for web.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_WEB_ADDRESS_H
#define SIMULATOR_WEB_ADDRESS_H

#include <microhttpd.h>
#include <stdint.h>

//  IPv4, in network order; 0: it is none.
uint32_t web_local_address (struct MHD_Connection *connection);
uint32_t web_peer_address (struct MHD_Connection *connection);

//  Small writes do not wait for each other's acknowledgement (40 ms, measured), which
//  libmicrohttpd leaves on after an upgrade.
void web_send_at_once (struct MHD_Connection *connection);

#endif
