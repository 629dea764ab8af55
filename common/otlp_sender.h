// otlp_sender.h - one kind of OTLP request: sent, sent again, given up. For otlp.c alone.
//
// One body at a time. 200 is the end of it, also when the answer says that a part was rejected;
// 429, 502, 503, 504 and a failed connection are tried again after the answer's Retry-After, else
// after 1, 2, 4 and 8 s, half of it by chance, five times in all; anything else is final
// (the OTLP specification, "Failures"). Whatever is not taken is counted:
//
//   rejected    a partial success said so          gave_up     after all attempts
//   refused     an answer that is final            superseded  by newer values of the same
//   unsendable  no request could be made           ended       the program did
//   queue_full  there was no room to wait in, and
//   turn_full   a turn of the loop had too many (both of otlp.c's owner)
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_OTLP_SENDER_H
#define COMMON_OTLP_SENDER_H

#include "http_client.h"

typedef struct otlp_sender otlp_sender_t;

typedef struct otlp_way {  //  borrowed while the sender lives, but for path, which is copied
    const char *endpoint;  //  with or without a last '/'
    const char *path;      //  "/v1/traces"
    const char *signal;    //  "traces"; a static text
    const char *rejected;  //  the partial success's count: "rejectedSpans"; likewise
    const char *const *headers;
    int64_t timeout_ms;
} otlp_way_t;

//  done is called when what was sent is taken or dropped, never from within a call to here.
otlp_sender_t *otlp_sender_new (loop_t *loop, http_client_t *http, const otlp_way_t *way,
                                metrics_t *metrics, loop_fn *done, void *argument);
void otlp_sender_destroy (otlp_sender_t **self_p);

//  Holds something; and that waits for its next attempt, no request being under way.
bool otlp_sender_is_busy (const otlp_sender_t *self);
bool otlp_sender_is_waiting (const otlp_sender_t *self);

//  Takes the body over and leaves an empty one; items are what is counted. Not while busy.
void otlp_sender_send (otlp_sender_t *self, buffer_t *body, size_t items);

//  Gives up what it holds, if anything.
void otlp_sender_drop (otlp_sender_t *self, const char *reason);
//  The counter of what is dropped for this reason.
metric_t *otlp_sender_dropped (otlp_sender_t *self, const char *reason);
void otlp_sender_count_dropped (otlp_sender_t *self, const char *reason, size_t items);

//  The program ends: what waits is tried now, and nothing more than once from here on.
void otlp_sender_hurry (otlp_sender_t *self);

#endif
