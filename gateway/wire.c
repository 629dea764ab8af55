// wire.c - see wire.h.
//
// SPDX-License-Identifier: MIT

#include "wire.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <sys/socket.h>
#include <sys/uio.h>

#define RECORD_MAX 16384  //  of TLS

//  --- the sum of what all wires hold

static void
count_own (wire_t *self)
{
    if (self->all_held) {
        *self->all_held += self->own.capacity - self->own_counted;  //  modulo: may be less
    }
    self->own_counted = self->own.capacity;
}

static void
hold (wire_t *self, frame_t *frame)
{
    self->held = frame_hold (frame);
    if (frame->wires++ == 0 && self->all_held) {
        *self->all_held += frame->size;
    }
}

static void
let_go (wire_t *self)
{
    if (self->held && --self->held->wires == 0 && self->all_held) {
        *self->all_held -= self->held->size;
    }
    frame_release (&self->held);
}

size_t
wire_held (const wire_t *self)
{
    return self->own.capacity + (self->held ? self->held->size / self->held->wires : 0);
}

//  --- what it says

void
wire_clear (wire_t *self)
{
    let_go (self);
    buffer_clear (&self->own);
    count_own (self);
}

void
wire_head (wire_t *self, const void *bytes, size_t size)
{
    buffer_append (&self->own, bytes, size);
    if (self->gzip) {
        buffer_append (&self->own, PACK_HEAD, PACK_HEAD_SIZE);
    }
    count_own (self);
}

void
wire_say (wire_t *self, packer_t *alone, const void *bytes, size_t size)
{
    packed_t *packed = self->gzip ? packer_alone (alone, bytes, size) : NULL;

    if (!self->gzip) {
        buffer_append (&self->own, bytes, size);
    } else if (packed) {
        buffer_append (&self->own, packed->bytes, packed->size);
        pack_sum_add (&self->sum, packed->crc, size);
    } else {
        self->own.failed = true;
    }
    free (packed);
    count_own (self);
}

void
wire_finish (wire_t *self)
{
    char tail [PACK_TAIL_SIZE];

    if (self->gzip) {
        pack_write_tail (tail, &self->sum);
        buffer_append (&self->own, tail, sizeof tail);
        count_own (self);
    }
}

//  A record that GnuTLS took is sent, even if it is not out: it must not be offered again.
static ssize_t
put_records (wire_t *self, const char *bytes, size_t size)
{
    size_t sent = 0;

    while (sent < size && !self->flushing) {
        size_t part = size - sent < RECORD_MAX ? size - sent : RECORD_MAX;
        ssize_t rc = gnutls_record_send (self->tls, bytes + sent, part);
        if (rc == GNUTLS_E_INTERRUPTED) {
            continue;
        }
        if (rc < 0 && rc != GNUTLS_E_AGAIN) {
            errno = EPIPE;
            return -1;
        }
        self->flushing = rc == GNUTLS_E_AGAIN;
        sent += rc < 0 ? part : (size_t) rc;
    }
    return (ssize_t) sent;
}

static wire_result_t
flush_record (wire_t *self)
{
    ssize_t rc = self->flushing ? gnutls_record_send (self->tls, NULL, 0) : 0;

    if (rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED) {
        return WIRE_FULL;
    }
    self->flushing = false;
    return rc < 0 ? WIRE_GONE : WIRE_CLEAR;
}

static ssize_t
put (wire_t *self, const char *bytes, size_t size)
{
    return self->tls ? put_records (self, bytes, size)
                     : send (self->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static wire_result_t
result_of (wire_t *self, ssize_t sent, size_t wanted, time_us_t now)
{
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        return WIRE_GONE;
    }
    if (sent > 0) {
        self->moved = now;
        self->sent += (uint64_t) sent;
    }
    return sent == (ssize_t) wanted && !self->flushing ? WIRE_CLEAR : WIRE_FULL;
}

static wire_result_t
flush_rest (wire_t *self, time_us_t now)
{
    if (!self->held) {
        return WIRE_CLEAR;
    }
    ssize_t sent = put (self, self->rest, self->rest_size);
    wire_result_t result = result_of (self, sent, self->rest_size, now);
    if (sent > 0) {
        self->rest += sent;
        self->rest_size -= (size_t) sent;
    }
    if (self->rest_size == 0) {
        let_go (self);
    }
    return result;
}

static wire_result_t
flush_own (wire_t *self, time_us_t now)
{
    size_t wanted = self->own.size - self->own_sent;

    if (wanted == 0) {
        return WIRE_CLEAR;
    }
    ssize_t sent = put (self, self->own.data + self->own_sent, wanted);
    wire_result_t result = result_of (self, sent, wanted, now);
    self->own_sent += sent > 0 ? (size_t) sent : 0;
    if (self->own_sent == self->own.size) {
        buffer_clear (&self->own);  //  most clients have nothing of their own most of the time
        count_own (self);
        self->own_sent = 0;
    }
    return result;
}

wire_result_t
wire_flush (wire_t *self, time_us_t now)
{
    if (buffer_failed (&self->own)) {
        return WIRE_GONE;
    }
    wire_result_t result = flush_record (self);
    result = result == WIRE_CLEAR ? flush_rest (self, now) : result;
    return result == WIRE_CLEAR ? flush_own (self, now) : result;
}

static void
hold_rest (wire_t *self, frame_t *frame, const char *bytes, size_t size, size_t sent)
{
    if (sent < size) {
        hold (self, frame);
        self->rest = bytes + sent;
        self->rest_size = size - sent;
    }
}

wire_result_t
wire_send (wire_t *self, frame_t *frame, time_us_t now)
{
    assert (wire_queued (self) == 0);
    ssize_t sent = put (self, frame->bytes, frame->size);
    wire_result_t result = result_of (self, sent, frame->size, now);

    if (result != WIRE_GONE) {
        hold_rest (self, frame, frame->bytes, frame->size, sent > 0 ? (size_t) sent : 0);
    }
    return result;
}

//  The frame's bytes in the client's form; a size of 0: memory is out.
static struct iovec
form_of (const wire_t *self, packer_t *alone, frame_t *frame)
{
    const packed_t *packed = self->gzip ? frame_packed (frame, alone) : NULL;
    union {
        const void *constant;
        void *base;
    } bytes = {.constant = packed ? packed->bytes : frame->bytes};  //  an iovec is not const

    return (struct iovec){.iov_base = bytes.base,
                          .iov_len = packed       ? packed->size
                                     : self->gzip ? 0
                                                  : frame->size};
}

static ssize_t
put_pieces (wire_t *self, struct iovec *pieces, size_t count)
{
    ssize_t all = 0;

    if (!self->tls) {
        struct msghdr message = {.msg_iov = pieces, .msg_iovlen = count};
        return sendmsg (self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    for (size_t i = 0; i < count && !self->flushing; i++) {
        ssize_t sent = put_records (self, pieces [i].iov_base, pieces [i].iov_len);
        if (sent < 0) {
            return sent;
        }
        all += sent;
    }
    return all;
}

wire_result_t
wire_send_frames (wire_t *self, packer_t *alone, frame_t *const *frames, size_t count,
                  time_us_t now, size_t *taken)
{
    struct iovec pieces [WIRE_FRAMES_MAX];
    size_t wanted = 0, at = 0;

    assert (wire_queued (self) == 0 && count <= WIRE_FRAMES_MAX);
    *taken = 0;
    for (size_t i = 0; i < count; i++) {
        pieces [i] = form_of (self, alone, frames [i]);
        wanted += pieces [i].iov_len;
        if (pieces [i].iov_len == 0) {
            return WIRE_GONE;
        }
    }
    ssize_t sent = put_pieces (self, pieces, count);
    wire_result_t result = result_of (self, sent, wanted, now);
    size_t left = sent > 0 && result != WIRE_GONE ? (size_t) sent : 0;
    for (; at < count && left > 0; at++) {
        size_t part = left < pieces [at].iov_len ? left : pieces [at].iov_len;
        hold_rest (self, frames [at], pieces [at].iov_base, pieces [at].iov_len, part);
        left -= part;
        if (self->gzip) {
            pack_sum_add (&self->sum, frame_packed (frames [at], alone)->crc, frames [at]->size);
        }
    }
    *taken = at;
    return result;
}

size_t
wire_queued (const wire_t *self)
{
    return self->rest_size * (self->held != NULL) + self->own.size - self->own_sent;
}
