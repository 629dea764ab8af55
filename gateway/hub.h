// hub.h - the clients of the stream, and who gets what.
//
// A client is a descriptor that libmicrohttpd accepted and parsed and then left to us (its
// connection is suspended: traps 19 c). It holds a cursor into the shared log; at the end of
// a turn each client with something to get is written to once, with one call for all it has
// not had. What a client cannot take waits in the log, not in a queue of its own.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_HUB_H
#define GATEWAY_HUB_H

#include "../common/loop.h"
#include "../common/metrics.h"
#include "event_log.h"
#include "filter.h"
#include "replica.h"

#include <microhttpd.h>

typedef struct hub hub_t;

typedef struct hub_settings {
    int64_t clients_max, heartbeat_seconds, stall_timeout_seconds, send_buffer_bytes;
} hub_settings_t;

hub_t *hub_new (loop_t *loop, const hub_settings_t *settings, replica_t *replica, event_log_t *log,
                metrics_t *metrics, reason_t *why);
//  Every client must be closed and its connection resumed before MHD_stop_daemon.
void hub_destroy (hub_t **self_p);

//  Takes a suspended connection over. The filter is copied. last_event_id is null or as asked.
int hub_add (hub_t *self, struct MHD_Connection *connection, const filter_t *filter,
             const char *last_event_id);

//  The state was taken anew: clients whose cursor the log holds go on; the others are told and
//  get it.
void hub_reset (hub_t *self);

size_t hub_size (const hub_t *self);
void hub_close_all (hub_t *self);

#endif
