// hub.h - the clients of the stream, and who gets what.
//
// A client is a descriptor that libmicrohttpd accepted and parsed and then left to us (its
// connection is suspended: traps 19 c). What comes over the feed is framed once, and written at
// the turn's end to all whose sockets take it, audience by audience (audience.h), to thousands in
// several turns (sweep.h). What a client
// cannot take waits in the log, not in a queue of its own; a client that is behind by more than
// queue_max_bytes gets the newest snapshot of each worker instead of every one (client.h). Full
// states are given at a pace, first come, first served (admission.h).
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_HUB_H
#define GATEWAY_HUB_H

#include "../common/json.h"
#include "../common/loop.h"
#include "../common/metrics.h"
#include "event_log.h"
#include "filter.h"
#include "identity.h"
#include "replica.h"

#include <microhttpd.h>

typedef struct hub hub_t;

typedef struct hub_settings {
    int64_t clients_max, heartbeat_seconds, stall_timeout_seconds, send_buffer_bytes,
        queue_max_bytes, held_max_bytes, slow_after_ms, states_per_second, ahead_wait_ms,
        images_max, stream_lifetime_seconds, packers_max, drain_delay_ms, monitor_message_max_bytes,
        monitor_messages_per_second, monitor_errors_max, resync_max;
    bool compression;
} hub_settings_t;

hub_t *hub_new (loop_t *loop, const hub_settings_t *settings, replica_t *replica, event_log_t *log,
                metrics_t *metrics, reason_t *why);
//  Every client must be closed and its connection resumed before MHD_stop_daemon.
void hub_destroy (hub_t **self_p);

//  fn is called when a connection was given back to libmicrohttpd, which must then be run.
void hub_on_resumed (hub_t *self, loop_fn *fn, void *argument);

typedef struct hub_request {
    struct MHD_Connection *connection;  //  suspended; or upgraded, then it may be null
    //  A monitor's (monitor.h), or null: the connection is upgraded, and this its descriptor; so many
    //  bytes came before it was.
    struct MHD_UpgradeResponseHandle *upgraded;
    int fd;
    size_t ahead_size;
    filter_t *filter;           //  taken over
    const char *last_event_id;  //  null: none was sent
    bool state;                 //  the full state is wanted
    bool gzip;
    int64_t heartbeat_seconds;
    identity_t *identity;        //  who opened it; held as long as it is open
    const char *name, *address;  //  for people; may be null
    const char *headers;         //  more of HTTP's head, each line with its CR LF; or null
    time_us_t expires_at;        //  steady; 0: never
} hub_request_t;

//  Takes the connection over. 0 or -ENOMEM: it is still the caller's then. A monitor's filter is one
//  that wants nothing, and has the hub's replica.
int hub_add (hub_t *self, const hub_request_t *request);

//  The state was taken anew: clients whose cursor the log holds go on; the others are told and
//  get it.
void hub_reset (hub_t *self);

//  Whether what is here is the aggregator's latest. While it is not, who knows more is waited for without end.
typedef bool hub_current_fn (void *argument);
void hub_follow (hub_t *self, hub_current_fn *is_current, void *argument);

//  Another filter for a live stream, which is taken over; snapshots of the workers that it lets
//  through and the old one did not follow. 0; -ENOENT: no such client; -EBUSY: it is not live at
//  the moment; -EAGAIN: too many states are asked for; -ENOMEM.
int hub_change (hub_t *self, const char *client_id, filter_t *filter);

//  The filter of an open stream, borrowed; null: no such client, or a monitor, which changes its own.
const filter_t *hub_filter (const hub_t *self, const char *client_id);

//  Who opened a stream, borrowed; null: no such client.
const identity_t *hub_identity (const hub_t *self, const char *client_id);

//  Ends the streams of identities that do not hold any more.
typedef bool hub_holds_fn (void *argument, const identity_t *identity);
void hub_end_unless (hub_t *self, hub_holds_fn *holds, void *argument, const char *message);

//  Open streams of one user.
size_t hub_streams_of (const hub_t *self, const char *user);

//  The clients as an array: how old, what they want, how far behind, what they missed. user null:
//  everybody's.
void hub_write_clients (const hub_t *self, const char *user, json_writer_t *out);

size_t hub_size (const hub_t *self);
void hub_close_all (hub_t *self);

#endif
