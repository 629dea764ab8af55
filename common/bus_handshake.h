// bus_handshake.h - what becomes of the handshakes of a socket that connects with keys.
//
// libzmq tries again for ever and says nothing: a process with a wrong key looks like one whose
// aggregator is away. This listens to the socket's monitor, counts
// (cmlwatch_bus_handshakes_total{outcome}), says it at a limited rate, and when the aggregator is known
// by several keys expects the next of them, and after the last the first, two seconds later. Whoever was
// refused asks again every two seconds: libzmq itself would not.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_BUS_HANDSHAKE_H
#define COMMON_BUS_HANDSHAKE_H

#include "bus_keys.h"
#include "loop.h"
#include "metrics.h"

typedef struct bus_handshake bus_handshake_t;

//  socket, keys are borrowed and outlive it; the socket expects the first key and is connected, or
//  will be. Null also when keys is: then there is nothing to listen to.
bus_handshake_t *bus_handshake_new (loop_t *loop, zsock_t *socket, const char *endpoint,
                                    const bus_keys_t *keys, metrics_t *metrics);
//  Before its socket.
void bus_handshake_destroy (bus_handshake_t **self_p);

#endif
