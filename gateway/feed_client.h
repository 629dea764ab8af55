// feed_client.h - joins the aggregator's feed without losing a change.
//
// Order (design.md section 3, traps 2): subscribe; wait for the first message; then ask for the
// state, page by page, and for the events before it that the log lacks, while the feed is
// buffered; then drop of the buffer what the first page covers and apply the rest. So a log that
// was behind goes on without a gap, and a new one serves clients that come back. A number that is not the next, another epoch, or a feed that was
// silent for silence_ms starts that again, once, after a random pause.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_FEED_CLIENT_H
#define GATEWAY_FEED_CLIENT_H

#include "../common/bus.h"
#include "arrivals.h"
#include "event_log.h"
#include "replica.h"

typedef struct feed_client feed_client_t;

//  reset: the state was taken anew; clients whose cursor the log holds lose nothing, the others
//  must be told. arrivals: notes the events that come while it is joined; null: nothing does.
typedef struct feed_listener {
    void (*reset) (void *argument);
    void *argument;
    arrivals_t *arrivals;
} feed_listener_t;

//  high_water_mark: feed messages that wait to be read. buffer_max: those kept during a join. replay_max: events asked for that came before it.
feed_client_t *feed_client_new (loop_t *loop, const char *feed, const char *control,
                                const bus_keys_t *keys, int64_t high_water_mark, int64_t buffer_max,
                                int64_t replay_max, replica_t *replica, event_log_t *log,
                                const feed_listener_t *listener, metrics_t *metrics, reason_t *why);
void feed_client_destroy (feed_client_t **self_p);

//  Joined, and the feed spoke within the last 2 s.
bool feed_client_is_ready (const feed_client_t *self, reason_t *why);
bool feed_client_has_joined (const feed_client_t *self);

//  How long ago the feed last spoke, in microseconds.
time_us_t feed_client_silence_us (const feed_client_t *self);

#endif
