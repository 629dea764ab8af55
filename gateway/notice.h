// notice.h - what a gateway says to one client of itself: the frames that are not of the feed.
//
// connected, the full state between its two marks, a reset, heartbeats, the farewell. They carry
// no number of their own (seq is null); an id stands only where the client then has everything
// up to it: at the end of the state, and on a heartbeat that moves the cursor (traps 22).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_NOTICE_H
#define GATEWAY_NOTICE_H

#include "event_log.h"
#include "filter.h"
#include "replica.h"

void notice_connected (buffer_t *out, const event_log_t *log, const char *client_id,
                       int64_t heartbeat_seconds, unsigned retry_ms);

//  requested is the id that cannot be resumed, null when none was asked for.
void notice_reset (buffer_t *out, const event_log_t *log, const char *reason,
                   const char *requested);

//  The workers that the filter lets through, and the fleet's numbers.
void notice_state (buffer_t *out, const event_log_t *log, replica_t *replica,
                   const filter_t *filter);

//  cursor is the number up to which the client was served; with_id: the frame moves its id there.
//  The digest is of the workers that the filter lets through, null when the client is behind.
void notice_heartbeat (buffer_t *out, const event_log_t *log, replica_t *replica,
                       const filter_t *filter, uint64_t cursor, bool with_id);

void notice_shutdown (buffer_t *out, unsigned retry_ms);

#endif
