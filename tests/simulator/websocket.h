// websocket.h - the server's side of a WebSocket (RFC 6455), over a tunnel of web.h.
//
// wslay does the frames; what is spoilt on purpose goes past it, as bytes.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_WEBSOCKET_H
#define SIMULATOR_WEBSOCKET_H

#include "web.h"

typedef struct websocket websocket_t;

typedef void websocket_text_fn (void *argument, const char *text, size_t size);

//  Fills answer in: 101 with its Sec-WebSocket-Accept, or 400 and 426 when the request is no
//  upgrade to version 13.
void websocket_answer (const web_request_t *request, web_answer_t *answer);

//  Takes the tunnel over. text_fn must not destroy it. Null when memory is out, the tunnel
//  is closed then.
websocket_t *websocket_new (loop_t *loop, const web_tunnel_t *tunnel, websocket_text_fn *text_fn,
                            void *argument);
//  Ends the connection as it is.
void websocket_destroy (websocket_t **self_p);

//  True when the other side has gone, or closing is done: nothing more will come or go.
bool websocket_is_over (websocket_t *self);

void websocket_send (websocket_t *self, const char *text, size_t size);
//  The same in frames of a few bytes, with a ping among them.
void websocket_send_fragments (websocket_t *self, const char *text, size_t size);
void websocket_send_bytes (websocket_t *self, const void *bytes, size_t size);
void websocket_close (websocket_t *self, uint16_t code);

//  Neither reads nor answers any longer, nor sends.
void websocket_mute (websocket_t *self);

#endif
