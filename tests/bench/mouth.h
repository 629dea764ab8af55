// mouth.h - how an event gets into each of the systems that are compared.
//
// gateway  The feed and the control socket of an aggregator, spoken by a stand-in: header and JSON
//          over ZeroMQ, ticks, an empty state. Not the aggregator itself, for what is compared is
//          how a gateway tells many what it was told; the aggregator's own speed is bench_aggregate's.
// bare     The same ZeroMQ socket and the same JSON, framed here, so that the broadcaster has
//          nothing to do but to pass it on. It wakes up as the gateway does: by libzmq's thread.
// nchan    POST over one connection that is kept, the next sent without waiting for the answer to
//          the one before. Padded so that a frame is as long as the others': its ids are shorter.
// collector  An observation into an aggregator's ingest, beside which a gateway and all else are the real ones
//          (observer.h).
//
// SPDX-License-Identifier: MIT

#ifndef BENCH_MOUTH_H
#define BENCH_MOUTH_H

#include "../../common/loop.h"

typedef struct mouth mouth_t;

//  kind: as above. at: the feed's endpoint to bind to, or the port of nginx; control: the endpoint
//  of the gateway's questions, else null. Ends the program with a sentence when it cannot.
mouth_t *mouth_new (loop_t *loop, const char *kind, const char *at, const char *control);
void mouth_destroy (mouth_t **self_p);

//  The other side hears.
bool mouth_is_ready (const mouth_t *self);
//  The event of this number, stamped with the time that it is now.
void mouth_tell (mouth_t *self, uint64_t seq);
//  Takes what is answered; the loop's turn is the caller's.
void mouth_turn (mouth_t *self);
//  Events that the other side refused or could not be told.
uint64_t mouth_refused (const mouth_t *self);

#endif
