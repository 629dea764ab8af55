// websocket.h - the server's end of one WebSocket (RFC 6455), without its socket.
//
// wslay reads the frames: whoever owns the connection gives it bytes, gets whole text messages,
// and finds what is to be written (answers to pings, the close) in a buffer. What the server says
// is not masked, so that one message can be shared by all: websocket_write_head makes its first
// bytes. What a peer does wrong ends in the close code of section 7.4.1: 1002 for a frame that is
// none or is not masked, 1003 for a binary message, 1007 for text that is not UTF-8, 1009 for a
// message over its bound.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_WEBSOCKET_H
#define GATEWAY_WEBSOCKET_H

#include "../common/buffer.h"

#include <stdint.h>
#include <sys/types.h>

#define WEBSOCKET_VERSION     "13"
#define WEBSOCKET_ACCEPT_SIZE 29  //  with its NUL
#define WEBSOCKET_HEAD_SIZE   10
#define WEBSOCKET_REASON_MOST 123  //  bytes of a close's reason, section 5.5.1

#define WEBSOCKET_GOING_AWAY  1001
#define WEBSOCKET_PROTOCOL    1002
#define WEBSOCKET_UNSUPPORTED 1003
#define WEBSOCKET_POLICY      1008

//  What answers the client's key, section 4.2.2. -EINVAL: the key is not 16 bytes in base64.
int websocket_accept (const char *key, char accept [WEBSOCKET_ACCEPT_SIZE]);

//  The first bytes of a text message of so many; how many they are.
size_t websocket_write_head (char head [WEBSOCKET_HEAD_SIZE], size_t size);
//  A whole one, whose text is cleared.
void websocket_put_text (buffer_t *out, buffer_t *text);

typedef struct websocket websocket_t;

typedef struct websocket_events {
    //  Up to size bytes of the peer's; 0: none now.
    size_t (*read) (void *argument, void *bytes, size_t size);
    //  A frame begins, of any kind.
    void (*frame) (void *argument);
    //  A whole text message, borrowed. No more come behind websocket_close.
    void (*message) (void *argument, const char *text, size_t size);
} websocket_events_t;

//  Null when memory is out.
websocket_t *websocket_new (size_t message_max, const websocket_events_t *events, void *argument);
void websocket_destroy (websocket_t **self_p);

//  All that there is to read, until there is none; what this makes to be written is appended.
void websocket_read (websocket_t *self, buffer_t *out);

void websocket_ping (websocket_t *self, buffer_t *out);
//  Nothing more is said, and of what is read only the peer's own close is looked at. The reason is cut
//  to what fits.
void websocket_close (websocket_t *self, uint16_t code, const char *reason, buffer_t *out);

//  The close that was said, by whomever; 0: none was. And that the peer has said its own.
uint16_t websocket_closed_with (const websocket_t *self);
bool websocket_peer_closed (const websocket_t *self);

#endif
