// cml_socket.h - one WebSocket to a CML server: libcurl's connection, wslay's frames.
//
// libcurl connects and proves who is there, exactly as for a request of REST; then come the
// upgrade (cml_upgrade.h) and messages. Bounds: of a message, of what is read in one turn
// (a server that talks without pause does not hold up the others), of answers to pings that
// it does not fetch. A ping goes out three times in idle_us; when nothing at all came for
// idle_us the connection counts as dead, whatever TCP thinks of it.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_SOCKET_H
#define COLLECTOR_CML_SOCKET_H

#include "../../common/http_client.h"
#include "../../common/loop.h"

#include <stddef.h>

// clang-format off
//            symbol       name           what it means
#define CML_SOCKET_ENDS(END)                                                             \
    END (UNREACHABLE, "unreachable")  /* no connection                               */ \
    END (TIMEOUT,     "timeout")      /* none in time, or no answer to the upgrade   */ \
    END (TLS,         "tls")          /* not the certificate that is wanted          */ \
    END (ABSENT,      "absent")       /* 404 and the like: this version has no push  */ \
    END (REFUSED,     "refused")      /* another status, as while it boots           */ \
    END (HANDSHAKE,   "handshake")    /* what answered is no WebSocket               */ \
    END (LOGIN,       "login")        /* close code 3000: the token is not good      */ \
    END (CLOSED,      "closed")       /* another close code                          */ \
    END (CUT,         "cut")          /* the connection ended without one            */ \
    END (SILENT,      "silent")       /* nothing came for idle_us                    */ \
    END (PROTOCOL,    "protocol")     /* frames that are none                        */ \
    END (TOO_LARGE,   "too_large")    /* a message over its bound                    */
// clang-format on

typedef enum cml_socket_end {
#define CML_SOCKET_SYMBOL(symbol, name) CML_SOCKET_##symbol,
    CML_SOCKET_ENDS (CML_SOCKET_SYMBOL)
#undef CML_SOCKET_SYMBOL
} cml_socket_end_t;

const char *cml_socket_end_name (cml_socket_end_t end);

typedef struct cml_socket cml_socket_t;

typedef struct cml_socket_events {
    void (*opened) (void *argument);
    //  A whole message, borrowed. Must not destroy the socket.
    void (*message) (void *argument, const void *bytes, size_t size);
    //  It is over: called once, at the end of a turn's work, and the one place (but the
    //  owner's own calls) where the socket may be destroyed, which closes what is left.
    void (*ended) (void *argument, cml_socket_end_t end, const char *why);
} cml_socket_events_t;

typedef struct cml_socket_settings {
    const char *host, *path;  //  of the upgrade: "10.1.2.3:5543", "/ws/ui"; copied
    int64_t upgrade_ms;       //  longest time to its answer, once connected
    int64_t idle_ms;
    size_t message_max;
} cml_socket_settings_t;

//  Connects to request->url (connect_only is set here); everything is copied. Null and why
//  when that cannot even be begun. Nothing is called from within.
cml_socket_t *cml_socket_new (loop_t *loop, http_client_t *http, const http_request_t *request,
                              const cml_socket_settings_t *settings,
                              const cml_socket_events_t *events, void *argument, reason_t *why);
//  Says goodbye (1001) if it still can, without waiting.
void cml_socket_destroy (cml_socket_t **self_p);

//  One text message, copied. Once opened; -EPIPE when it is over, -ENOMEM.
int cml_socket_send (cml_socket_t *self, const void *text, size_t size);

#endif
