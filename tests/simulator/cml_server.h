// cml_server.h - the simulated CMLs: each on its instance's own 127.x.y.z, one port, TLS.
//
// An instance whose CML is up has a listening socket of its own, on its public address
// only, so that one that is down refuses the connection as a real one does, and nothing
// outside 127/8 can be bound. All sockets are watched by one epoll descriptor. A small set
// of certificates is shared out among the instances (a TLS daemon each), and one more that
// nobody has pinned is what `wrong_certificate` shows.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_CML_SERVER_H
#define SIMULATOR_CML_SERVER_H

#include "cml_api.h"

typedef struct cml_server cml_server_t;

//  port 0: any that is free on the first instance's address. ports: 0, or the port of the first
//  instance's CML on all addresses, the others' after it. Null and why (the address and who has it).
cml_server_t *cml_server_new (loop_t *loop, const cml_parts_t *parts, int port, int ports,
                              reason_t *why);
void cml_server_destroy (cml_server_t **self_p);

int cml_server_port (const cml_server_t *self);

//  What the certificate of the instance with this serial is pinned by.
const char *cml_server_pin (const cml_server_t *self, uint64_t serial);

//  Sends a message to all who listen to /ws/ui of an instance; how many they are.
size_t cml_server_push (cml_server_t *self, const instance_t *instance, const char *text,
                        size_t size);

//  Tells them what has changed. Opens and closes what has come up, gone down or been made unreachable since.
void cml_server_refresh (cml_server_t *self);

#endif
