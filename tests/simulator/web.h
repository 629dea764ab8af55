// web.h - HTTP by libmicrohttpd inside our loop: a whole request in, a whole answer out.
//
// A handler gets a request with its raw path, raw query, headers and body (SigV4 needs
// them as they came) and fills an answer; it never sees libmicrohttpd. An answer can be
// spoilt on purpose (web_trick_t) and can come late: the connection is then suspended, and
// nothing else waits for it. The daemon has no thread: its epoll descriptor is watched by
// the loop.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_WEB_H
#define SIMULATOR_WEB_H

#include "../../common/buffer.h"
#include "../../common/loop.h"
#include "../../common/reason.h"
#include "sigv4.h"
#include "tls.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_BODY_MAX (4u << 20)

typedef struct web_request {
    sigv4_request_t http;  //  method, path, query, headers, body
    uint32_t local, peer;  //  IPv4 addresses in network order; 0 when it is none
} web_request_t;

typedef enum web_trick {
    WEB_PLAIN,
    WEB_CUT,   //  the announced length, half of the bytes
    WEB_HUGE,  //  64 MiB
    WEB_DROP   //  the connection is closed without an answer
} web_trick_t;

//  A connection that speaks another protocol from now on (web_tunnel.h). Neither descriptor is ours
//  to close: web_tunnel_close ends it.
typedef struct web_tunnel {
    struct web *web;
    void *handle;
    int fd;          //  what comes
    uint32_t local;  //  as of its request
    int out;         //  where there is room, or none, for what goes; the same without TLS
    void *session;   //  gnutls_session_t, or null
    bool flushing;   //  GnuTLS holds a record that out did not take
} web_tunnel_t;

typedef void web_upgraded_fn (void *argument, const web_tunnel_t *tunnel);

#define WEB_ACCEPT_SIZE 32

typedef struct web_answer {
    int status;
    const char *content_type;
    buffer_t body;
    web_trick_t trick;
    int64_t delay_ms;
    time_us_t clock_offset;  //  of the Date header
    //  With status 101: called when the answer has gone out, unless the connection fails.
    web_upgraded_fn *upgraded;
    void *upgraded_argument;
    char accept [WEB_ACCEPT_SIZE];  //  Sec-WebSocket-Accept
} web_answer_t;

//  Fills answer, which is 200 and empty at the call.
typedef void web_handler_fn (void *argument, const web_request_t *request, web_answer_t *answer);

typedef struct web web_t;

//  listen_fd is taken over; -1: connections come by web_add only. identity null: no TLS.
web_t *web_new (loop_t *loop, int listen_fd, const tls_identity_t *identity,
                web_handler_fn *handler, void *argument, reason_t *why);
void web_destroy (web_t **self_p);

//  Takes an accepted connection over.
void web_add (web_t *self, int fd, const struct sockaddr_in *peer);

//  Ends all connections to this local address; their requests are not answered.
void web_drop (web_t *self, uint32_t local);

//  All tunnels are closed before web_destroy.
void web_tunnel_close (web_tunnel_t *self);

//  True for 127.0.0.0/8.
bool web_is_loopback (uint32_t address);

#endif
