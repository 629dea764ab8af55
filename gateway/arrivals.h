// arrivals.h - the sampled events of a turn, recorded as spans `write` at its end.
//
// One span for each event, not for each client: from its arrival until the turn in which it came
// has offered it to every client that is live, the last of them included. A client that is behind,
// or that has a rhythm of its own (max_hz, batch_ms), gets it later and is not waited for: what it
// costs shows in /metrics. Nothing is looked at for an event that is not sampled.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_ARRIVALS_H
#define GATEWAY_ARRIVALS_H

#include "../common/feed_frame.h"
#include "../common/otlp.h"
#include "hub.h"

#define ARRIVALS_MAX 4096  //  of a turn; more are counted as dropped

typedef struct arrivals arrivals_t;

//  Made after the hub, whose end of a turn must come before its own. otlp and hub are borrowed.
arrivals_t *arrivals_new (loop_t *loop, otlp_t *otlp, const hub_t *hub);
void arrivals_destroy (arrivals_t **self_p);

//  An event of the feed; cheap when it is not sampled or self is null.
void arrivals_note (arrivals_t *self, const feed_header_t *header);

#endif
