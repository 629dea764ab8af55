// event_log.h - the recent events as frames that all clients share.
//
// A ring of frames (frame.h) by sequence number, bounded by count and bytes, with those of their other forms (packed,
// masked, for monitors): the oldest go first.
// A client holds a cursor into it, and a reference only to what it has written a part of.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_EVENT_LOG_H
#define GATEWAY_EVENT_LOG_H

#include "frame.h"

typedef struct event_log event_log_t;

event_log_t *event_log_new (size_t frames_max, size_t bytes_max);
void event_log_destroy (event_log_t **self_p);

//  Forgets all and starts after this number: the next event is seq + 1.
void event_log_reset (event_log_t *self, const char *epoch, uint64_t seq);

//  Frames and keeps one event; json is on one line. False: not the next number, or no memory.
bool event_log_append (event_log_t *self, const feed_header_t *header, const void *json,
                       size_t size);

const char *event_log_epoch (const event_log_t *self);
uint64_t event_log_last (const event_log_t *self);   //  the last number; 0 before the first
uint64_t event_log_first (const event_log_t *self);  //  the oldest held; last + 1 when none is

//  Why nothing can be served from behind this id (`<epoch>-<number>`): malformed, another epoch,
//  from the future, too old. Null when it can, and then *seq is its number.
#define EVENT_LOG_AHEAD "from the future"
const char *event_log_check (const event_log_t *self, const char *id, uint64_t *seq);

//  Null when it is not held.
frame_t *event_log_get (const event_log_t *self, uint64_t seq);

//  An event of this type came behind number seq that says, or ends, what it said; 0: behind none.
void event_log_supersede (event_log_t *self, uint64_t seq, event_type_t type);

size_t event_log_bytes (const event_log_t *self);
//  Of the events behind this number: what a client there has not had, before its filter.
size_t event_log_bytes_after (const event_log_t *self, uint64_t seq);

#endif
