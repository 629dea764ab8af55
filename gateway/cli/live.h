// live.h - a stream that comes back: opened again after whatever ends it, exactly where it was.
//
// A link is judged by what is heard on it and never by its socket: silence of 2.5 heartbeats is a
// lost link. What a try may end in is of three kinds: over for now (try again, after a pause that
// doubles from what the server asks for, random within its upper half, at most 30 s), refused for good
// (a bad parameter, no login: trying again would not help), and enough (the listener says so).
//
// The cursor is the id of the last event that was dispatched, so what is sent again after a cut is
// neither missing nor twice there. Only `system.reset` says that something is lost for good.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_LIVE_H
#define GATEWAY_CLI_LIVE_H

#include "session.h"
#include "sse_parser.h"

#define LIVE_DELAY_MOST_US (30 * SECOND_US)

typedef enum live_state {
    LIVE_CONNECTING,    //  the first try
    LIVE_CONNECTED,     //  an event was heard
    LIVE_RECONNECTING,  //  lost; a try is under way or due within 10 s
    LIVE_DISCONNECTED,  //  the same, and the next try is further off
    LIVE_REFUSED,       //  over, for good
    LIVE_ENOUGH         //  over, as the listener wanted
} live_state_t;

typedef struct live_status {
    live_state_t state;
    reason_t why;        //  of the last loss or refusal
    unsigned tries;      //  since it was last connected
    time_us_t retry_at;  //  steady; of the next try, TIME_UNKNOWN while one is under way
    time_us_t lost_at;   //  steady; since when it is not connected
    time_us_t heard_at;  //  steady; the last byte
    uint64_t losses;     //  times that it was lost
    uint64_t resets;     //  times that something was lost for good
} live_status_t;

typedef struct live_listener {
    //  False: enough; the link ends.
    bool (*event) (void *argument, const sse_event_t *event);
    //  The state is another, or the next try has a time.
    void (*state) (void *argument, const live_status_t *status);
    void *argument;
} live_listener_t;

typedef struct live live_t;

//  query: the stream's parameters, without `?`, `heartbeat` and `state`. after: an id to go on from,
//  "" for none. with_state: begin with the full state. The listener is first called from the loop.
//  Null and why when memory is out.
live_t *live_new (session_t *session, const char *query, const char *after, bool with_state,
                  int64_t heartbeat_seconds, const live_listener_t *listener, reason_t *why);
void live_destroy (live_t **self_p);

//  Now, whatever it waits for or reads. whole: from the full state on, of a link that began with one; else
//  from where it is. Not to be called from within the listener.
void live_reconnect (live_t *self, bool whole);

const live_status_t *live_status (const live_t *self);
//  What to go on from; "" before the first.
const char *live_last_id (const live_t *self);

//  How long to wait before try number tries (from 0) when the server asks for retry_ms (or
//  SSE_RETRY_UNKNOWN); random is any number.
time_us_t live_delay (unsigned tries, int64_t retry_ms, uint32_t random);

#endif
