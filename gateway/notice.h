// notice.h - what a gateway says of itself: the frames that are not of the feed.
//
// connected, the marks around a full state, a reset, heartbeats, the farewell. They carry no
// number of their own (seq is null); an id stands only where the client then has everything up
// to it: at the end of a state, on a heartbeat that moves the cursor, and alone (traps 22, 23).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_NOTICE_H
#define GATEWAY_NOTICE_H

#include "event_log.h"
#include "filter.h"
#include "replica.h"

typedef struct welcome {
    const char *client_id, *user;  //  user may be null
    int64_t heartbeat_seconds;
    unsigned retry_ms;
} welcome_t;

void notice_connected (buffer_t *out, const event_log_t *log, const welcome_t *welcome);

//  requested is the id that cannot be resumed, null when none was asked for.
void notice_reset (buffer_t *out, const event_log_t *log, const char *reason,
                   const char *requested);

//  The counts of all there are; those of what was sent, the number that the state covers, and its
//  digest, null when there is none.
void notice_state_begin (buffer_t *out, size_t workers, size_t jobs);
void notice_state_end (buffer_t *out, const char *epoch, uint64_t seq, size_t workers, size_t jobs,
                       const char *digest);

typedef struct heartbeat {
    uint64_t cursor;     //  up to where the client was served
    bool with_id;        //  the frame moves its id there
    uint64_t missed;     //  events lost to it since the stream began: the log did not hold them
    uint64_t conflated;  //  left out for a newer snapshot
    time_us_t lag;       //  age of the oldest event that it has not had
    const char *digest;  //  null: it is behind, or nothing is known
} heartbeat_t;

void notice_heartbeat (buffer_t *out, const event_log_t *log, const heartbeat_t *heartbeat);

//  `id:` alone: fires nothing at the client.
void notice_id (buffer_t *out, const event_log_t *log, uint64_t seq);

//  The stream ends: message is for people.
void notice_shutdown (buffer_t *out, const char *message, unsigned retry_ms);

//  The digest of the workers that the filter lets through, into text; null when it lets no
//  snapshot through, or while a state is being taken.
const char *notice_digest (char *text, replica_t *replica, const filter_t *filter);

#endif
