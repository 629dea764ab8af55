//  A whole connection to a CML that says these bytes, over a real socket: after a right upgrade, or
//  (first byte `!`) in place of its answer. It opens at most once, ends exactly once, and no message
//  is over its bound.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/cml/cml_socket.h"
#include "../../common/cleanup.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define GUID        "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
#define MESSAGE_MAX 1000
#define KEY_SIZE    24
#define PATIENCE_US (5 * SECOND_US)

static struct {
    loop_t *loop;
    metrics_t *metrics;
    http_client_t *http;
    cml_socket_t *socket;
    int listener, port, fd;  //  of the server; fd -1: no connection
    const uint8_t *says;
    size_t size;
    bool instead;  //  of the answer to the upgrade
    buffer_t question;
    int opened, ended;
    unsigned runs;
} rig = {.fd = -1};

static void
hang_up (void)
{
    if (rig.fd >= 0) {
        loop_unwatch (rig.loop, rig.fd);
        descriptor_close (&rig.fd);
    }
}

//  What it does not take is not of interest: the client has ended it then.
static void
say (const void *bytes, size_t size)
{
    (void) !send (rig.fd, bytes, size, MSG_NOSIGNAL);
}

static void
answer (void)
{
    const char *at = strstr (rig.question.data, "Sec-WebSocket-Key: ");
    unsigned char digest [20];
    gnutls_datum_t in = {digest, sizeof digest}, out = {0};
    char text [200];

    CHECK (at);
    snprintf (text, sizeof text, "%.*s%s", KEY_SIZE, at + strlen ("Sec-WebSocket-Key: "), GUID);
    CHECK (gnutls_hash_fast (GNUTLS_DIG_SHA1, text, strlen (text), digest) == 0);
    CHECK (gnutls_base64_encode2 (&in, &out) == 0);
    int size = snprintf (text, sizeof text,
                         "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                         "Connection: Upgrade\r\nSec-WebSocket-Accept: %.*s\r\n\r\n",
                         (int) out.size, (const char *) out.data);
    gnutls_free (out.data);
    say (text, (size_t) size);
}

static void
on_bytes (void *argument, uint32_t events)
{
    char bytes [4096];
    ssize_t size = recv (rig.fd, bytes, sizeof bytes, 0);

    (void) argument;
    (void) events;
    if (size <= 0) {
        hang_up ();
        return;
    }
    buffer_append (&rig.question, bytes, (size_t) size);
    if (strstr (rig.question.data, "\r\n\r\n")) {
        if (!rig.instead) {
            answer ();
        }
        say (rig.says, rig.size);
        (void) shutdown (rig.fd, SHUT_WR);
        loop_unwatch (rig.loop, rig.fd);
    }
}

static void
on_connection (void *argument, uint32_t events)
{
    (void) argument;
    (void) events;
    hang_up ();
    rig.fd = accept4 (rig.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK (rig.fd >= 0 && loop_watch (rig.loop, rig.fd, EPOLLIN, on_bytes, NULL) == 0);
}

static void
on_opened (void *argument)
{
    (void) argument;
    rig.opened++;
    CHECK (cml_socket_send (rig.socket, "{}", 2) == 0);
}

static void
on_message (void *argument, const void *bytes, size_t size)
{
    (void) argument;
    CHECK (rig.opened == 1 && size <= MESSAGE_MAX && (size == 0 || bytes));
}

static void
on_ended (void *argument, cml_socket_end_t end, const char *why)
{
    (void) argument;
    CHECK (why [0] && cml_socket_end_name (end));
    rig.ended++;
    cml_socket_destroy (&rig.socket);
}

static void
start (void)
{
    struct sockaddr_in any = {.sin_family = AF_INET};
    socklen_t size = sizeof any;
    reason_t why = {""};

    rig.loop = loop_new (1000);
    rig.metrics = metrics_new (100);
    rig.http = http_client_new (rig.loop, 4, rig.metrics, &why);
    rig.listener = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK (rig.loop && rig.http && rig.listener >= 0);
    any.sin_addr.s_addr = htonl (INADDR_ANY);
    CHECK (bind (rig.listener, (struct sockaddr *) &any, size) == 0);
    CHECK (listen (rig.listener, 16) == 0);
    CHECK (getsockname (rig.listener, (struct sockaddr *) &any, &size) == 0);
    rig.port = ntohs (any.sin_port);
    CHECK (loop_watch (rig.loop, rig.listener, EPOLLIN, on_connection, NULL) == 0);
}

//  Each run has a loopback address of its own turn, for a port that was just used rests a minute.
static void
connect_it (void)
{
    static const cml_socket_events_t EVENTS = {on_opened, on_message, on_ended};
    const cml_socket_settings_t settings = {"127.0.0.1", "/ws/ui", 4000, 4000, MESSAGE_MAX};
    char url [64];
    reason_t why = {""};

    rig.runs++;
    snprintf (url, sizeof url, "http://127.%u.%u.1:%d/ws/ui", rig.runs / 200 % 200 + 1,
              rig.runs % 200 + 1, rig.port);
    const http_request_t request = {.method = "GET", .url = url, .direct = true};
    rig.socket = cml_socket_new (rig.loop, rig.http, &request, &settings, &EVENTS, NULL, &why);
    CHECK (rig.socket);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (!rig.loop) {
        start ();
    }
    rig.instead = size > 0 && data [0] == '!';
    rig.says = data + rig.instead;
    rig.size = size - rig.instead;
    rig.opened = rig.ended = 0;
    buffer_clear (&rig.question);
    connect_it ();
    time_us_t end = clock_now ().steady + PATIENCE_US;
    while (!rig.ended) {
        CHECK (clock_now ().steady < end);
        loop_turn (rig.loop, 20);
    }
    CHECK (rig.ended == 1 && rig.opened <= 1 && (rig.instead || rig.opened == 1));
    hang_up ();
    return 0;
}
