// websocket.c - see websocket.h.
//
// SPDX-License-Identifier: MIT

#include "websocket.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wslay/wslay.h>

#define GUID         "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  //  section 1.3
#define KEY_SIZE     24
#define NONCE_SIZE   16
#define SHA1_SIZE    20
#define FINAL_TEXT   0x81
#define FINAL_CLOSE  0x88
#define SHORT_MOST   125
#define MEDIUM_MOST  65535
#define MEDIUM_MARK  126
#define LONG_MARK    127
#define MEDIUM_BYTES 2
#define LONG_BYTES   8

struct websocket {
    wslay_event_context_ptr frames;
    websocket_events_t events;
    void *argument;
    buffer_t *out;  //  only within a call
    bool closing;
    uint16_t broken;  //  the close that was said without wslay; 0: none was
};

//  --- the handshake

static gnutls_datum_t
datum_of (const char *text)
{
    return (gnutls_datum_t){(unsigned char *) (uintptr_t) text, (unsigned) strlen (text)};
}

static bool
is_key (const char *key)
{
    gnutls_datum_t in = datum_of (key), out = {0};
    bool whole = strlen (key) == KEY_SIZE && gnutls_base64_decode2 (&in, &out) == 0 &&
                 out.size == NONCE_SIZE;

    gnutls_free (out.data);
    return whole;
}

int
websocket_accept (const char *key, char accept [WEBSOCKET_ACCEPT_SIZE])
{
    char text [KEY_SIZE + sizeof GUID];
    unsigned char digest [SHA1_SIZE];
    gnutls_datum_t in = {digest, sizeof digest}, out = {0};

    if (!is_key (key)) {
        return -EINVAL;
    }
    snprintf (text, sizeof text, "%s%s", key, GUID);
    if (gnutls_hash_fast (GNUTLS_DIG_SHA1, text, strlen (text), digest) < 0 ||
        gnutls_base64_encode2 (&in, &out) < 0) {
        return -ENOMEM;
    }
    snprintf (accept, WEBSOCKET_ACCEPT_SIZE, "%.*s", (int) out.size, (const char *) out.data);
    gnutls_free (out.data);
    return 0;
}

//  --- what the server says

static size_t
put_length (char *at, char mark, size_t size, size_t bytes)
{
    *at++ = mark;
    for (size_t i = bytes; i-- > 0; size >>= 8) {
        at [i] = (char) (size & 0xff);
    }
    return 2 + bytes;
}

size_t
websocket_write_head (char head [WEBSOCKET_HEAD_SIZE], size_t size)
{
    head [0] = (char) FINAL_TEXT;
    return size <= SHORT_MOST    ? put_length (head + 1, (char) size, 0, 0)
           : size <= MEDIUM_MOST ? put_length (head + 1, MEDIUM_MARK, size, MEDIUM_BYTES)
                                 : put_length (head + 1, LONG_MARK, size, LONG_BYTES);
}

void
websocket_put_text (buffer_t *out, buffer_t *text)
{
    char head [WEBSOCKET_HEAD_SIZE];

    buffer_append (out, head, websocket_write_head (head, text->size));
    buffer_append (out, text->data, text->size);
    out->failed = out->failed || buffer_failed (text);
    buffer_clear (text);
}

//  --- wslay's callbacks

static ssize_t
on_recv (wslay_event_context_ptr frames, uint8_t *bytes, size_t size, int flags, void *argument)
{
    websocket_t *self = argument;
    size_t got = self->events.read (self->argument, bytes, size);

    (void) flags;
    if (got == 0) {
        wslay_event_set_error (frames, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    return (ssize_t) got;
}

static ssize_t
on_send (wslay_event_context_ptr frames, const uint8_t *bytes, size_t size, int flags,
         void *argument)
{
    websocket_t *self = argument;

    (void) frames, (void) flags;
    buffer_append (self->out, bytes, size);
    return (ssize_t) size;
}

//  Also a fragment, which is not yet a message.
static void
on_frame (wslay_event_context_ptr frames, const struct wslay_event_on_frame_recv_start_arg *frame,
          void *argument)
{
    websocket_t *self = argument;

    (void) frames, (void) frame;
    self->events.frame (self->argument);
}

static void
queue_close (websocket_t *self, uint16_t code, const char *reason)
{
    size_t size = reason ? strlen (reason) : 0;

    self->closing = true;
    (void) wslay_event_queue_close (self->frames, code, (const uint8_t *) reason,
                                    size < WEBSOCKET_REASON_MOST ? size : WEBSOCKET_REASON_MOST);
}

static void
on_message (wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message,
            void *argument)
{
    websocket_t *self = argument;

    (void) frames;
    if (self->closing) {
        return;
    }
    if (message->opcode == WSLAY_BINARY_FRAME) {
        queue_close (self, WEBSOCKET_UNSUPPORTED, "messages are text");
    } else if (message->opcode == WSLAY_TEXT_FRAME) {
        self->events.message (self->argument, (const char *) message->msg, message->msg_length);
    }
}

//  --- its life

websocket_t *
websocket_new (size_t message_max, const websocket_events_t *events, void *argument)
{
    static const struct wslay_event_callbacks CALLBACKS = {.recv_callback = on_recv,
                                                           .send_callback = on_send,
                                                           .on_frame_recv_start_callback = on_frame,
                                                           .on_msg_recv_callback = on_message};
    websocket_t *self = calloc (1, sizeof *self);

    if (self) {
        self->events = *events;
        self->argument = argument;
        if (wslay_event_context_server_init (&self->frames, &CALLBACKS, self) < 0) {
            free (self);
            return NULL;
        }
        wslay_event_config_set_max_recv_msg_length (self->frames, message_max);
    }
    return self;
}

void
websocket_destroy (websocket_t **self_p)
{
    websocket_t *self = *self_p;

    if (self) {
        wslay_event_context_free (self->frames);
        free (self);
        *self_p = NULL;
    }
}

static void
flush (websocket_t *self, buffer_t *out)
{
    if (!self->broken) {
        self->out = out;
        (void) wslay_event_send (self->frames);  //  its own failures: memory is out
        self->out = NULL;
        self->closing |= wslay_event_get_close_sent (self->frames) != 0;
    }
}

//  Where not even a frame's head is one, wslay would close without a word (1.1.1).
static void
break_off (websocket_t *self, uint16_t code, buffer_t *out)
{
    const char frame [] = {(char) FINAL_CLOSE, 2, (char) (code >> 8), (char) (code & 0xff)};

    self->closing = true;
    self->broken = code;
    buffer_append (out, frame, sizeof frame);
}

void
websocket_read (websocket_t *self, buffer_t *out)
{
    int rc = self->broken ? 0 : wslay_event_recv (self->frames);

    if (rc < 0 && !self->closing) {
        break_off (self,
                   rc == WSLAY_ERR_NOMEM ? WSLAY_CODE_INTERNAL_SERVER_ERROR : WEBSOCKET_PROTOCOL,
                   out);
    }
    flush (self, out);
}

void
websocket_ping (websocket_t *self, buffer_t *out)
{
    const struct wslay_event_msg message = {.opcode = WSLAY_PING};

    (void) wslay_event_queue_msg (self->frames, &message);
    flush (self, out);
}

void
websocket_close (websocket_t *self, uint16_t code, const char *reason, buffer_t *out)
{
    if (!self->closing) {
        queue_close (self, code, reason);
    }
    flush (self, out);
}

uint16_t
websocket_closed_with (const websocket_t *self)
{
    return self->broken ? self->broken
           : wslay_event_get_close_sent (self->frames)
               ? wslay_event_get_status_code_sent (self->frames)
               : 0;
}

bool
websocket_peer_closed (const websocket_t *self)
{
    return wslay_event_get_close_received (self->frames) != 0;
}
