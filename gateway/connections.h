// connections.h - who is connected, and for how long without asking anything.
//
// libmicrohttpd closes a connection on which nothing comes; one on which a byte comes now and then
// (slow-loris) it keeps. Here a request has a time to be there, head and body: from the connection's
// begin, or from the end of the answer before. And an address has so many connections at most, unless
// it is a trusted proxy's (proxies.h), which speaks for many. Also what is known of a connection
// beside its request: the client behind it, whether anybody can listen in, and how it was answered.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CONNECTIONS_H
#define GATEWAY_CONNECTIONS_H

#include "../common/loop.h"
#include "../common/metrics.h"
#include "../common/reason.h"
#include "proxies.h"

#include <microhttpd.h>
#include <stdbool.h>

typedef struct connections connections_t;

typedef struct connections_settings {
    int64_t request_seconds;   //  for a request to be there
    int64_t per_address_max;   //  0: no bound. A Unix socket has no address
    int64_t most;              //  beyond it requests are refused, with an answer
    int64_t answers_max;       //  bytes of large answers on their way, of all together
    const char *origins;       //  cors.h; borrowed
    const proxies_t *proxies;  //  borrowed
} connections_settings_t;

connections_t *connections_new (loop_t *loop, const connections_settings_t *settings,
                                metrics_t *metrics, reason_t *why);
//  The daemon has ended before.
void connections_destroy (connections_t **self_p);

//  MHD_NotifyConnectionCallback; argument is connections_t.
void connections_notify (void *argument, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode code);

//  The request is there; the answer is given, and the next may come.
void connections_asked (struct MHD_Connection *connection);
void connections_answered (struct MHD_Connection *connection);

//  More are open than should be: who asks is told to come again. Counted.
bool connections_are_too_many (connections_t *self);

//  A large answer of so many bytes is about to be sent, and held until it is. False: too much is on its way
//  already, for those who take it slowly or not at all; counted. One alone may be as large as it is.
bool connections_hold (struct MHD_Connection *connection, size_t bytes);

const char *connections_origins (struct MHD_Connection *connection);

//  Whom its requests count to: connections_client's address, but of IPv6 its network
//  (proxies_network).
const char *connections_network (struct MHD_Connection *connection,
                                 char text [PROXIES_ADDRESS_SIZE]);

//  The client's address as people write it, by its proxies' word when they are trusted.
const char *connections_client (struct MHD_Connection *connection,
                                char text [PROXIES_ADDRESS_SIZE]);

//  It came by TLS to us, or to a trusted proxy.
bool connections_are_secure (struct MHD_Connection *connection);

//  How the request is answered, for the access log; and what was noted, 0 before.
void connections_note (struct MHD_Connection *connection, unsigned status, size_t bytes);
unsigned connections_noted (struct MHD_Connection *connection, size_t *bytes);

#endif
