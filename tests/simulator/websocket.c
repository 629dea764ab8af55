// SPDX-License-Identifier: MIT

#include "websocket.h"

#include "../../common/cleanup.h"
#include "web_tunnel.h"

#include <assert.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <wslay/wslay.h>

#define WEBSOCKET_MAGIC 0x5e6c4ab5u
#define GUID            "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  //  RFC 6455 section 1.3
#define KEY_SIZE        24                                      //  base64 of 16 bytes
#define MESSAGE_MAX     65536
#define FRAGMENT_BYTES  97
#define SHA1_SIZE       20

struct websocket {
    unsigned magic;
    loop_t *loop;
    web_tunnel_t tunnel;
    wslay_event_context_ptr frames;
    bool over, muted, watched, waits;
    websocket_text_fn *text_fn;
    void *argument;
};

//  --- the upgrade

static void
refuse (web_answer_t *answer, int status, const char *text)
{
    answer->status = status;
    answer->content_type = "text/plain";
    buffer_text (&answer->body, text);
}

static bool
says (const web_request_t *request, const char *header, const char *word)
{
    const char *value = sigv4_header (&request->http, header);
    return value && strcasestr (value, word);
}

static int
write_accept (const char *key, char accept [WEB_ACCEPT_SIZE])
{
    char text [KEY_SIZE + sizeof GUID];
    unsigned char digest [SHA1_SIZE];
    const gnutls_datum_t in = {digest, sizeof digest};
    gnutls_datum_t out = {0};

    snprintf (text, sizeof text, "%s%s", key, GUID);
    if (gnutls_hash_fast (GNUTLS_DIG_SHA1, text, strlen (text), digest) < 0 ||
        gnutls_base64_encode2 (&in, &out) < 0) {
        return -ENOMEM;
    }
    snprintf (accept, WEB_ACCEPT_SIZE, "%.*s", (int) out.size, (const char *) out.data);
    gnutls_free (out.data);
    return 0;
}

void
websocket_answer (const web_request_t *request, web_answer_t *answer)
{
    const char *key = sigv4_header (&request->http, "Sec-WebSocket-Key");

    if (strcmp (request->http.method, "GET") != 0 || !says (request, "Upgrade", "websocket") ||
        !says (request, "Connection", "upgrade") || !key || strlen (key) != KEY_SIZE) {
        refuse (answer, 400, "this is a WebSocket\n");
    } else if (!says (request, "Sec-WebSocket-Version", "13")) {
        refuse (answer, 426, "version 13\n");
    } else if (write_accept (key, answer->accept) < 0) {
        refuse (answer, 500, "out of memory\n");
    } else {
        answer->status = 101;
    }
}

//  --- bytes

static ssize_t
on_recv (wslay_event_context_ptr frames, uint8_t *bytes, size_t size, int flags, void *argument)
{
    websocket_t *self = argument;
    ssize_t got = recv (self->tunnel.fd, bytes, size, 0);

    (void) flags;
    if (got > 0) {
        return got;
    }
    bool later = got < 0 && (errno == EAGAIN || errno == EINTR);
    self->over = self->over || !later;
    wslay_event_set_error (frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static ssize_t
on_send (wslay_event_context_ptr frames, const uint8_t *bytes, size_t size, int flags,
         void *argument)
{
    websocket_t *self = argument;
    ssize_t sent = web_tunnel_send (&self->tunnel, bytes, size);

    (void) flags;
    if (sent > 0) {
        return sent;
    }
    bool later = sent < 0 && (errno == EAGAIN || errno == EINTR);
    self->over = self->over || !later;
    wslay_event_set_error (frames, later ? WSLAY_ERR_WOULDBLOCK : WSLAY_ERR_CALLBACK_FAILURE);
    return -1;
}

static void
on_message (wslay_event_context_ptr frames, const struct wslay_event_on_msg_recv_arg *message,
            void *argument)
{
    websocket_t *self = argument;

    (void) frames;
    if (message->opcode == WSLAY_TEXT_FRAME) {
        self->text_fn (self->argument, (const char *) message->msg, message->msg_length);
    }
}

static void on_descriptor (void *argument, uint32_t events);

//  Over TLS, out is another descriptor than the one that is read.
static void
wait_for_room (websocket_t *self, bool waits)
{
    if (self->tunnel.out != self->tunnel.fd && waits != self->waits) {
        self->waits = waits;
        if (waits) {
            (void) loop_watch (self->loop, self->tunnel.out, EPOLLOUT, on_descriptor, self);
        } else {
            loop_unwatch (self->loop, self->tunnel.out);
        }
    }
}

static void
look_away (websocket_t *self)
{
    if (self->watched) {
        self->watched = false;
        loop_unwatch (self->loop, self->tunnel.fd);
        wait_for_room (self, false);
    }
}

//  When closing is said on both sides, or a fault was answered with a close, it is over.
static void
flush (websocket_t *self)
{
    if (self->muted) {
        return;
    }
    (void) wslay_event_send (self->frames);
    bool done = !wslay_event_want_read (self->frames) && !wslay_event_want_write (self->frames);
    self->over = self->over || done;
    if (self->over) {
        look_away (self);
        return;
    }
    self->watched = true;
    bool waits = !web_tunnel_flush (&self->tunnel) || wslay_event_want_write (self->frames);
    bool is_one = self->tunnel.out == self->tunnel.fd;
    uint32_t events = EPOLLIN | (waits && is_one ? (uint32_t) EPOLLOUT : 0);
    (void) loop_watch (self->loop, self->tunnel.fd, events, on_descriptor, self);
    wait_for_room (self, waits);
}

static void
on_descriptor (void *argument, uint32_t events)
{
    websocket_t *self = argument;
    assert (self->magic == WEBSOCKET_MAGIC);

    (void) events;
    (void) wslay_event_recv (self->frames);
    flush (self);
}

//  --- what is sent

void
websocket_send (websocket_t *self, const char *text, size_t size)
{
    const struct wslay_event_msg message = {WSLAY_TEXT_FRAME, (const uint8_t *) text, size};

    if (!self->over && !self->muted) {
        (void) wslay_event_queue_msg (self->frames, &message);
        flush (self);
    }
}

static void
send_frame (websocket_t *self, uint8_t first, const char *bytes, size_t size)
{
    uint8_t frame [2 + FRAGMENT_BYTES];

    assert (size <= FRAGMENT_BYTES);
    frame [0] = first;
    frame [1] = (uint8_t) size;
    memcpy (frame + 2, bytes, size);
    websocket_send_bytes (self, frame, size + 2);
}

void
websocket_send_fragments (websocket_t *self, const char *text, size_t size)
{
    enum { FIN = 0x80, CONTINUATION = 0, TEXT = 1, PING = 9 };

    for (size_t at = 0; at < size;) {
        size_t part = size - at < FRAGMENT_BYTES ? size - at : FRAGMENT_BYTES;
        uint8_t last = at + part == size ? FIN : 0;
        send_frame (self, (uint8_t) (last | (at == 0 ? TEXT : CONTINUATION)), text + at, part);
        if (at == 0 && !last) {
            send_frame (self, FIN | PING, "within", 6);
        }
        at += part;
    }
}

void
websocket_send_bytes (websocket_t *self, const void *bytes, size_t size)
{
    if (!self->over && !self->muted &&
        web_tunnel_send (&self->tunnel, bytes, size) != (ssize_t) size) {
        self->over = true;  //  a buffer that is full would leave half a frame
        look_away (self);
    }
}

void
websocket_close (websocket_t *self, uint16_t code)
{
    if (!self->over && !self->muted) {
        (void) wslay_event_queue_close (self->frames, code, NULL, 0);
        flush (self);
    }
}

void
websocket_mute (websocket_t *self)
{
    if (!self->over && !self->muted) {
        self->muted = true;
        look_away (self);
    }
}

//  --- life

bool
websocket_is_over (websocket_t *self)
{
    char unheard [4096];
    ssize_t got = 1;

    while (self->muted && !self->over && got > 0) {
        got = recv (self->tunnel.fd, unheard, sizeof unheard, 0);
        self->over = got == 0;
    }
    return self->over;
}

websocket_t *
websocket_new (loop_t *loop, const web_tunnel_t *tunnel, websocket_text_fn *text_fn, void *argument)
{
    static const struct wslay_event_callbacks CALLBACKS = {
        .recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message};
    web_tunnel_t own = *tunnel;
    websocket_t *self = calloc (1, sizeof *self);

    if (!self || wslay_event_context_server_init (&self->frames, &CALLBACKS, self) < 0) {
        free (self);
        web_tunnel_close (&own);
        return NULL;
    }
    self->magic = WEBSOCKET_MAGIC;
    self->loop = loop;
    self->tunnel = own;
    self->text_fn = text_fn;
    self->argument = argument;
    wslay_event_config_set_max_recv_msg_length (self->frames, MESSAGE_MAX);
    flush (self);
    return self;
}

void
websocket_destroy (websocket_t **self_p)
{
    assert (self_p);

    websocket_t *self = *self_p;
    if (self) {
        look_away (self);
        wslay_event_context_free (self->frames);
        web_tunnel_close (&self->tunnel);
        self->magic = 0;
        free (self);
        *self_p = NULL;
    }
}
