// web_tunnel.h - a connection that has been upgraded and speaks another protocol from now on.
//
// What comes is read at fd, in the clear. What goes over TLS goes by GnuTLS on the session that
// libmicrohttpd made, and not by fd: libmicrohttpd 0.9.75 has nothing left of the connection's
// memory by the time of an upgrade, whatever its size, and would put 4 bytes in a TLS record
// (measured): some hundred records, and twice as many reads of the other side's, for one lab.
// Nobody else writes to the session meanwhile; all of it is one thread's.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_WEB_TUNNEL_H
#define SIMULATOR_WEB_TUNNEL_H

#include "web.h"

#include <microhttpd.h>
#include <sys/types.h>

#define WEB_TUNNEL_RECORD ((size_t) 16384)  //  RFC 8446 section 5.1

//  Fills what fd alone does not say. Small writes do not wait for each other's acknowledgement (40 ms,
//  measured), which libmicrohttpd leaves on after an upgrade.
int web_tunnel_dig (web_tunnel_t *self, struct MHD_Connection *connection);

//  As send (2): what was taken; -1 and EAGAIN: out is to be watched for room.
ssize_t web_tunnel_send (web_tunnel_t *self, const void *bytes, size_t size);

//  Whether nothing is held back; else out is to be watched for room.
bool web_tunnel_flush (web_tunnel_t *self);

#endif
