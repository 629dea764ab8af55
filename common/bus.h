// bus.h - the sockets between the processes: ingest, control, feed.
//
// Ingest: a collector's bus_publisher connects a PUB; the aggregator's bus_subscriber
// binds a SUB. Feed: the aggregator publishes frames of its own (feed.c), gateways
// subscribe with bus_subscriber. Control: bus_client (DEALER) asks, bus_server (ROUTER)
// answers.
//
// The publisher numbers what it says (epoch, sequence), keeps the last ring_max messages
// for a resend, and says a heartbeat every heartbeat_ms. Delivery is at most once; what
// makes it whole is numbers, heartbeats and the resend (design.md section 3).
//
// Sockets: linger is set on purpose (traps 6), TCP keepalive instead of ZMTP heartbeats
// (traps 1), high-water marks are configuration, a collector's PUB does not drop in
// silence (ZMQ_XPUB_NODROP, traps 10) and counts what it cannot send.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_BUS_H
#define COMMON_BUS_H

#include "buffer.h"
#include "bus_keys.h"
#include "event.h"
#include "loop.h"
#include "metrics.h"
#include "observation.h"
#include "reason.h"

#include <czmq.h>
#include <stddef.h>
#include <stdint.h>

#define BUS_INGEST_DEFAULT  "tcp://127.0.0.1:5571"
#define BUS_CONTROL_DEFAULT "tcp://127.0.0.1:5572"
#define BUS_FEED_DEFAULT    "tcp://127.0.0.1:5573"
//  Bytes of what comes to a socket that is bound: whoever sends more is cut off, before it is held.
#define BUS_FRAME_MOST (32 * 1024 * 1024)
#define BUS_BATCH_MAX  256  //  messages a wake-up: 677 k/s, 261 k/s singly (traps 8)

//  A socket with our options set, bound or connected. Null and why (the endpoint, and for
//  EADDRINUSE that another process has the port). The port bound to, for `tcp://ip:*`, is
//  in zsock_last_endpoint. linger_ms is how long unsent messages live after a close.
typedef enum bus_role { BUS_BIND, BUS_CONNECT } bus_role_t;
zsock_t *bus_socket (int zmq_type, bus_role_t role, const char *endpoint, int high_water_mark,
                     int linger_ms, reason_t *why);
//  The same, encrypted: keys null is as above; domain is what one that binds calls itself where it is
//  decided who may enter (null: one that connects).
zsock_t *bus_socket_locked (int zmq_type, bus_role_t role, const char *endpoint,
                            int high_water_mark, int linger_ms, const bus_keys_t *keys,
                            const char *domain, reason_t *why);
//  Gives a connection up and makes a new one; what was on its way to a SUB is lost.
void bus_socket_reconnect (zsock_t *socket, const char *endpoint);

//  --- ingest, the speaking side

typedef struct bus_publisher bus_publisher_t;

//  What a heartbeat is to say of its source besides; what is borrowed is so until the next.
typedef void bus_beat_fn (void *argument, collector_heartbeat_t *beat);

typedef struct bus_publisher_settings {
    const char *endpoint;     //  of the aggregator's ingest
    const char *source;       //  "/collector/ec2/host-1"
    int64_t heartbeat_ms;     //  2000
    int64_t ring_max;         //  4096
    int64_t high_water_mark;  //  messages kept for an aggregator that is away
    int64_t linger_ms;
    const bus_keys_t *keys;  //  borrowed; null: not encrypted
    bus_beat_fn *on_beat;    //  null: heartbeats say nothing of the source
    void *argument;
} bus_publisher_settings_t;

//  Strings are copied.
bus_publisher_t *bus_publisher_new (loop_t *loop, const bus_publisher_settings_t *settings,
                                    metrics_t *metrics, reason_t *why);
void bus_publisher_destroy (bus_publisher_t **self_p);

//  Writes, numbers and sends one observation; its envelope's type and time are the
//  caller's, subject is `<region>/<key>`. 0; -EAGAIN when the high-water mark is reached
//  (counted; the number is taken, so that the aggregator sees the gap); -E2BIG when it is
//  over OBSERVATION_BYTES_MAX (counted, no number taken).
int bus_publish (bus_publisher_t *self, const observation_t *observation, const char *subject);

//  Gives its connection up, which may look open and lead nowhere, and makes a new one: what was on its
//  way is resent when it is asked for.
void bus_publisher_reconnect (bus_publisher_t *self);

uint64_t bus_publisher_sequence (const bus_publisher_t *self);
const char *bus_publisher_epoch (const bus_publisher_t *self);

//  Sends the kept messages from..to again; returns how many the ring still had.
uint64_t bus_publisher_resend (bus_publisher_t *self, uint64_t from, uint64_t to);

//  --- the hearing side, of ingest and feed

typedef struct bus_subscriber bus_subscriber_t;

typedef struct bus_message {
    size_t frames;
    const void *bytes [2];  //  borrowed, during the call only
    size_t size [2];
} bus_message_t;

typedef void bus_message_fn (void *argument, const bus_message_t *message);

//  Messages of more than two frames are counted and dropped here. Takes up to
//  BUS_BATCH_MAX a turn. topics ends with NULL; {"", NULL} is everything.
//  keys is borrowed (null: not encrypted); domain as for bus_socket_locked.
bus_subscriber_t *bus_subscriber_new (loop_t *loop, bus_role_t role, const char *endpoint,
                                      const char *const topics [], int high_water_mark,
                                      const bus_keys_t *keys, const char *domain,
                                      bus_message_fn *fn, void *argument, metrics_t *metrics,
                                      reason_t *why);
//  Of one that connects: gives its connection up, which may look open and lead nowhere, and makes
//  a new one. What was on its way is lost. False, and nothing is done, while a message waits to be read:
//  it leads somewhere, and it was this process that stood still.
bool bus_subscriber_reconnect (bus_subscriber_t *self);
void bus_subscriber_destroy (bus_subscriber_t **self_p);
//  Takes nothing until it is told to go on: messages wait in the socket, up to its high-water
//  mark, and then at those who speak.
void bus_subscriber_pause (bus_subscriber_t *self, bool paused);
const char *bus_subscriber_endpoint (const bus_subscriber_t *self);  //  as bound

//  --- control: questions and answers. Frames: `request` or `reply`, the operation, the
//  number of the request, a JSON object, then any number of payload frames.

typedef struct bus_client bus_client_t;
typedef struct bus_server bus_server_t;
typedef struct bus_request bus_request_t;

typedef struct bus_answer {
    int code;                  //  0, -ETIMEDOUT, or -EREMOTEIO when the answer is an error
    const char *error;         //  the sentence of an error answer; never null when code < 0
    struct json_object *json;  //  borrowed; null when code < 0
    zmsg_t *payload;           //  the payload frames; the callee may pop them
} bus_answer_t;

typedef void bus_answer_fn (void *argument, const bus_answer_t *answer);

//  A connection on which a question of a second or more got no answer, nor any other since, is given
//  up for a new one: it may look open and lead nowhere.
bus_client_t *bus_client_new (loop_t *loop, const char *endpoint, const bus_keys_t *keys,
                              metrics_t *metrics, reason_t *why);
void bus_client_destroy (bus_client_t **self_p);  //  outstanding questions are dropped unanswered

//  json is an object's text. fn is called exactly once, never from within this call. At most
//  64 questions wait at a time: -EAGAIN beyond.
int bus_client_ask (bus_client_t *self, const char *operation, const char *json, size_t size,
                    int64_t timeout_ms, bus_answer_fn *fn, void *argument);

typedef void bus_request_fn (void *argument, bus_request_t *request);

typedef struct bus_operation {
    const char *name;
    bus_request_fn *fn;
} bus_operation_t;

//  operations ends with {0} and must outlive the server. An operation that is not in it, or
//  a request that is malformed or over OBSERVATION_BYTES_MAX, is answered with an error.
//  With keys each asker has a name (door.h), and is refused (`forbidden`) what allows says no to.
typedef bool bus_allows_fn (const char *user, const char *operation);
typedef struct bus_lock {
    const bus_keys_t *keys;  //  borrowed
    const char *domain;
    bus_allows_fn *allows;
} bus_lock_t;
//  lock null: everybody may ask everything.
bus_server_t *bus_server_new (loop_t *loop, const char *endpoint, const bus_lock_t *lock,
                              const bus_operation_t *operations, void *argument, metrics_t *metrics,
                              reason_t *why);
void bus_server_destroy (bus_server_t **self_p);
const char *bus_server_endpoint (const bus_server_t *self);

struct json_object *bus_request_json (const bus_request_t *self);  //  an object, borrowed
//  Adds a payload frame to the answer to come; bytes are copied.
void bus_request_add (bus_request_t *self, const void *bytes, size_t size);
//  Answers; the request is gone after it. json is an object's text. Must be called exactly
//  once, at the latest before fn returns (else the server answers with an error itself), but
//  for a request that is deferred: that is answered through what defer returned, at any later time
//  before the server is destroyed. Null when too many wait already, and the request is as it was.
//  Whoever asked may have gone by then: that is no error.
bus_request_t *bus_request_defer (bus_request_t *self);
void bus_request_reply (bus_request_t *self, const char *json, size_t size);
void bus_request_refuse (bus_request_t *self, const char *code, const char *sentence);

#endif
