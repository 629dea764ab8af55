// wire.h - one client's connection: what is being written to it, and how.
//
// Three kinds of bytes go out, never mixed: the rest of a shared frame that the socket took a
// part of; the client's own words; and then shared frames again. All calls return at once; what
// the socket does not take waits, and the caller watches for room. With gzip the bytes are runs
// of deflate (pack.h). With TLS the records are written by GnuTLS on the session that the HTTP
// library made, whose connection is suspended; the rest is the same.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_WIRE_H
#define GATEWAY_WIRE_H

#include "../common/metrics.h"
#include "frame.h"
#include "pack.h"

typedef enum wire_result { WIRE_GONE = -1, WIRE_FULL = 0, WIRE_CLEAR = 1 } wire_result_t;

typedef struct wire {
    int fd;
    bool gzip;
    bool flushing;    //  GnuTLS holds a record that the socket did not take
    void *tls;        //  gnutls_session_t, or null
    time_us_t moved;  //  steady, when it last took something
    uint64_t sent;
    frame_t *held;  //  whose bytes rest points into
    const char *rest;
    size_t rest_size;
    buffer_t own;
    size_t own_sent;
    pack_sum_t sum;                 //  gzip: of what was said, whether it is sent or waits
    size_t own_counted, *all_held;  //  of own, what stands in the sum of all wires; or null
} wire_t;

void wire_clear (wire_t *self);

//  HTTP's head: goes out as it is, before everything else.
void wire_head (wire_t *self, const void *bytes, size_t size);
//  The client's own words, behind what already waits.
void wire_say (wire_t *self, packer_t *alone, const void *bytes, size_t size);
//  The end of the stream: nothing is said after it.
void wire_finish (wire_t *self);

//  Writes what waits.
wire_result_t wire_flush (wire_t *self, time_us_t now);

//  Writes a frame whose bytes are as the client wants them (the caller adds to sum). Nothing waits
//  before; what is not taken waits.
wire_result_t wire_send (wire_t *self, frame_t *frame, time_us_t now);

#define WIRE_FRAMES_MAX 64
//  The same with several at once, each in the client's form. *taken: those of which something
//  went out or now waits.
wire_result_t wire_send_frames (wire_t *self, packer_t *alone, frame_t *const *frames, size_t count,
                                time_us_t now, size_t *taken);

//  Bytes that wait.
size_t wire_queued (const wire_t *self);

//  The memory that they are held in: its own, and its part of a frame that others wait for too. All of
//  these make the sum that all_held points to.
size_t wire_held (const wire_t *self);

#endif
