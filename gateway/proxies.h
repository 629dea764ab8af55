// proxies.h - whose word about the client behind them is taken.
//
// A proxy appends the address that it saw to X-Forwarded-For; anybody else may write anything in
// there. So the header is read from its end, as long as each hop is a proxy of ours, and only on
// connections that come from one. X-Forwarded-Proto likewise.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_PROXIES_H
#define GATEWAY_PROXIES_H

#include "../common/reason.h"

#include <netinet/in.h>
#include <stdbool.h>

#define PROXIES_ADDRESS_SIZE INET6_ADDRSTRLEN

typedef struct proxies proxies_t;

//  Addresses and networks apart by commas (10.0.0.0/8, 192.0.2.7, fd00::/8), and `unix` for
//  whoever comes over a Unix socket; "": nobody. Null and why.
proxies_t *proxies_new (const char *list, reason_t *why);
void proxies_destroy (proxies_t **self_p);

//  IPv4 is mapped into IPv6; all zero: a Unix socket.
bool proxies_trust (const proxies_t *self, const struct in6_addr *address);

//  The client that a connection from peer speaks for; forwarded is the header, null when there is
//  none. Without a trusted proxy: peer itself.
struct in6_addr proxies_client (const proxies_t *self, const struct in6_addr *peer,
                                const char *forwarded);

//  Whom an address counts to where clients are bounded: of IPv6 the first 64 bits, for a host has
//  all addresses behind them (RFC 4291, 2.5.1) and takes new ones at will (RFC 8981).
struct in6_addr proxies_network (const struct in6_addr *address);

//  As people write it; "unix" for all zero.
const char *proxies_text (const struct in6_addr *address, char text [PROXIES_ADDRESS_SIZE]);

#endif
