// client.h - one client of the stream: where it stands, and how it gets to where all are.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLIENT_H
#define GATEWAY_CLIENT_H

#include "fanout.h"
#include "lane.h"

typedef enum client_mode { CLIENT_WAITING, CLIENT_STATE, CLIENT_BEHIND, CLIENT_LIVE } client_mode_t;

#define CLIENT_ID_SIZE 17

//  With which a monitor's WebSocket is closed: it may come again; or not as it is.
typedef enum client_code { CLIENT_AWAY = 1001, CLIENT_UNWELCOME = 1008 } client_code_t;

//  All clients are visited for each event, and looked at each second. What the kernel does for
//  thousands of them in between puts them out of the cache: what is needed then comes first, a
//  visit's in two lines, which are fetched ahead, a look's in the one behind.
#define CLIENT_LINE      64
#define CLIENT_HOT_BYTES ((size_t) 2 * CLIENT_LINE)

struct client {
    uint64_t cursor [LANE_COUNT];  //  what was delivered or passed over; when live, its audience's
    uint64_t told;                 //  the last number that the client has as its id
    wire_t wire;                   //  up to its sum, which is gzip's
    client_t *previous, *next;     //  of all
    monitor_t *monitor;            //  null: a stream
    const char *ending;            //  what the farewell says
    time_us_t ends_at;             //  steady; 0: never
    client_mode_t mode;
    bool watched_for_room, watched_for_words, conflating, farewell;
    fanout_t *shared;
    client_t *waits_before, *waits_behind;  //  of those that wait for a state
    struct MHD_Connection *connection;
    audience_t *audience;
    size_t place;  //  among the audience's live ones
    char *ahead;   //  WAITING: for the event with this id, which it has had from another gateway
    time_us_t ahead_until;  //  steady
    uint64_t exact;         //  it came back for all up to here: nothing of it is left out
    image_t *image;         //  STATE: where it is in it, and what it got of it
    size_t image_at, workers, jobs;
    uint64_t digest;
    filter_t *had;       //  STATE: what this filter let through, the client has
    unsigned context;    //  of its audience's packer; 0: it is not within
    pack_sum_t entered;  //  the audience's sum when it came within
    uint64_t missed, conflated, resumed;
    time_us_t began;          //  steady
    int64_t beat_second;      //  of the hub: when its next heartbeat is due
    const char *ends_with;    //  what is said at its end
    client_code_t ends_code;  //  and with which code
    unsigned retry_ms;
    char id [CLIENT_ID_SIZE];
    identity_t *identity;
    char *name, *address;  //  may be null
};

//  The next to be visited: its lines are here when the write to the one before is done.
static inline void
client_fetch (const client_t *self)
{
    const char *bytes = (const char *) self;

    __builtin_prefetch (bytes, 1);
    __builtin_prefetch (bytes + CLIENT_LINE, 0);
}

//  In client_start.c, as the next four: null when memory is out; it has no audience yet.
client_t *client_new (fanout_t *shared, const hub_request_t *request);
//  It is in nobody's list any more.
void client_free (client_t **self_p);
//  Its first words, and from where it goes on: nothing is written yet.
void client_start (client_t *self, const hub_request_t *request);
//  It has had all up to here.
void client_resume (client_t *self, uint64_t seq);

//  The descriptor of a connection of libmicrohttpd; of none, the other one.
int client_descriptor (struct MHD_Connection *connection, int other);

//  How long it is to wait before it comes again: a second, and up to spread_ms more.
#define CLIENT_RETRY_SPREAD_MS 2000
unsigned client_choose_retry (uint32_t spread_ms);

//  As an object, for the list of clients.
void client_write (const client_t *self, json_writer_t *out);

//  What shared->words holds, as the client's own.
void client_say (client_t *self);

//  The state begins for it, from this image; what the client had by an earlier filter, null for
//  nothing, is left out, and so are the marks then.
void client_begin_state (client_t *self, image_t *image, filter_t *had);

//  What waits for ticks of a client that has left the live ones is told now.
void client_tell_rest (client_t *self);

//  Its cursor cannot be served from the log: it is told, and waits for a state.
void client_reset (client_t *self, const char *reason, const char *requested);

//  The stream ends for it when it has what it is owed.
void client_end (client_t *self, client_code_t code, const char *message, unsigned retry_ms);

//  Its own heartbeat, with its own counts.
void client_beat (client_t *self);

//  Writes what the client can take, and makes it live when it has all. It may be closed, and gone,
//  when this returns.
void client_pump (client_t *self);

//  The log holds all that it has not had.
bool client_is_held (const client_t *self);

//  How many events, bytes and microseconds it is behind.
uint64_t client_events_behind (const client_t *self);
size_t client_bytes_behind (const client_t *self);
time_us_t client_lag (const client_t *self);

#endif
