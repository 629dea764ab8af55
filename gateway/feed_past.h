// feed_past.h - the events that came before a state which is being taken, up to its number.
//
// A join asks the aggregator for them, page by page, so that the log can go on behind what it
// holds, or begin far enough back for clients that come back. Either they are whole, without a
// gap up to the state's number, or the log begins at the state.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_FEED_PAST_H
#define GATEWAY_FEED_PAST_H

#include "../common/bus.h"
#include "event_log.h"

typedef struct feed_past feed_past_t;

//  replay_max: events asked for at most.
feed_past_t *feed_past_new (int64_t replay_max);
void feed_past_destroy (feed_past_t **self_p);
void feed_past_drop (feed_past_t *self);

//  For a state of this epoch and number. False when nothing needs to be asked.
bool feed_past_begin (feed_past_t *self, const event_log_t *log, const char *epoch, uint64_t seq);
//  The number after which to ask next.
uint64_t feed_past_after (const feed_past_t *self);

//  One answer: the oldest number that is held there, and its pairs of header and JSON, which are
//  taken out of it. True when more is to be asked.
bool feed_past_take (feed_past_t *self, uint64_t first, zmsg_t *payload);

//  All of it was asked: into the log.
void feed_past_end (feed_past_t *self, event_log_t *log);

#endif
