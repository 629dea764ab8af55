// web_address.h - the socket below a connection of libmicrohttpd; for web.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_WEB_ADDRESS_H
#define SIMULATOR_WEB_ADDRESS_H

#include <microhttpd.h>
#include <stdint.h>

//  IPv4, in network order; 0: it is none. The local one is 127.0.0.0 and the port, where it is no
//  address of an instance (127.x.y.z beyond 127.0.0): there a port says which CML is meant.
uint32_t web_local_address (struct MHD_Connection *connection);
uint32_t web_peer_address (struct MHD_Connection *connection);

#endif
