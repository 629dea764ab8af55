// SPDX-License-Identifier: MIT

#include "web.h"

#include "../../common/cleanup.h"
#include "web_address.h"
#include "web_response.h"
#include "web_tunnel.h"

#include <assert.h>
#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define EXCHANGE_MAGIC  0x5e6c4a9eu
#define IDLE_SECONDS    90
#define CONNECTIONS_MAX 18000

typedef struct exchange exchange_t;
typedef struct peer peer_t;

struct web {
    struct MHD_Daemon *daemon;
    loop_t *loop;
    loop_timer_t *timer;  //  libmicrohttpd's own deadlines
    loop_timer_t *late;   //  the first answer that is to come late
    int epoll_fd;
    web_handler_fn *handler;
    void *argument;
    exchange_t *waiting;  //  suspended, in no order
    peer_t *peers;        //  open connections
};

//  One request on its way.
struct exchange {
    unsigned magic;
    web_t *web;
    char *uri;
    buffer_t body;
    bool begun, answered, too_large;
    web_answer_t answer;
    time_us_t due_steady;
    struct MHD_Connection *connection;
    exchange_t *next;  //  among the waiting
};

//  One open connection.
struct peer {
    int fd;
    uint32_t local;
    peer_t *previous, *next;
};

//  --- the daemon in the loop

static void
run (web_t *self)
{
    MHD_UNSIGNED_LONG_LONG timeout_ms;

    MHD_run (self->daemon);
    if (MHD_get_timeout (self->daemon, &timeout_ms) != MHD_YES) {
        MHD_run (self->daemon);  //  full, it listens again only in the run after (common/admin.c)
    }
    if (MHD_get_timeout (self->daemon, &timeout_ms) == MHD_YES) {
        loop_timer_after (self->timer, (time_us_t) timeout_ms * MS_US);
    } else {
        loop_timer_stop (self->timer);
    }
}

static void
on_timer (void *argument)
{
    run (argument);
}

static void
on_ready (void *argument, uint32_t epoll_events)
{
    (void) epoll_events;
    run (argument);
}

//  --- answers that come late

static void
set_late_timer (web_t *self)
{
    time_us_t now = loop_now (self->loop).steady, first = INT64_MAX;

    for (const exchange_t *at = self->waiting; at; at = at->next) {
        first = at->due_steady < first ? at->due_steady : first;
    }
    if (first != INT64_MAX) {
        loop_timer_after (self->late, first > now ? first - now : 0);
    }
}

static void
wait_for_it (exchange_t *exchange)
{
    web_t *self = exchange->web;

    exchange->due_steady =
        loop_now (self->loop).steady + (time_us_t) exchange->answer.delay_ms * MS_US;
    exchange->next = self->waiting;
    self->waiting = exchange;
    MHD_suspend_connection (exchange->connection);
    set_late_timer (self);
}

static void
resume_due (web_t *self, time_us_t steady)
{
    for (exchange_t **at = &self->waiting; *at;) {
        exchange_t *exchange = *at;
        if (exchange->due_steady > steady) {
            at = &exchange->next;
            continue;
        }
        *at = exchange->next;
        MHD_resume_connection (exchange->connection);
    }
}

static void
on_late (void *argument)
{
    web_t *self = argument;

    resume_due (self, loop_now (self->loop).steady);
    set_late_timer (self);
    run (self);
}

//  --- another protocol

static void
on_upgraded (void *argument, struct MHD_Connection *connection, void *context, const char *extra,
             size_t extra_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *handle)
{
    exchange_t *exchange = context;
    assert (exchange->magic == EXCHANGE_MAGIC);
    web_tunnel_t tunnel = {
        .web = exchange->web, .handle = handle, .fd = fd, .local = web_local_address (connection)};

    (void) argument;
    (void) extra;
    //  A client waits for 101 before it says more (RFC 6455 section 4.1).
    if (extra_size > 0 || web_tunnel_dig (&tunnel, connection) < 0) {
        MHD_upgrade_action (handle, MHD_UPGRADE_ACTION_CLOSE);
        return;
    }
    exchange->answer.upgraded (exchange->answer.upgraded_argument, &tunnel);
}

void
web_tunnel_close (web_tunnel_t *self)
{
    MHD_upgrade_action (self->handle, MHD_UPGRADE_ACTION_CLOSE);
    loop_timer_after (self->web->timer, 0);  //  what is left to do is libmicrohttpd's
}

static struct MHD_Response *
upgrade_response (const web_answer_t *answer)
{
    struct MHD_Response *response = MHD_create_response_for_upgrade (on_upgraded, NULL);

    if (response) {
        MHD_add_response_header (response, MHD_HTTP_HEADER_UPGRADE, "websocket");
        MHD_add_response_header (response, MHD_HTTP_HEADER_SEC_WEBSOCKET_ACCEPT, answer->accept);
    }
    return response;
}

static enum MHD_Result
send_answer (exchange_t *exchange)
{
    const web_answer_t *answer = &exchange->answer;

    if (answer->trick == WEB_DROP) {
        return MHD_NO;
    }
    struct MHD_Response *response =
        answer->upgraded ? upgrade_response (answer)
                         : web_response (answer, loop_now (exchange->web->loop).wall);
    if (!response) {
        return MHD_NO;
    }
    enum MHD_Result result =
        MHD_queue_response (exchange->connection, (unsigned) answer->status, response);
    MHD_destroy_response (response);
    return result;
}

//  --- one request

typedef struct header_list {
    sigv4_header_t headers [SIGV4_HEADERS_MAX];
    size_t count;
} header_list_t;

static enum MHD_Result
add_header (void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    header_list_t *list = argument;

    (void) kind;
    if (list->count < SIGV4_HEADERS_MAX) {
        list->headers [list->count++] = (sigv4_header_t){name, value ? value : ""};
    }
    return MHD_YES;
}

static void
handle (exchange_t *exchange, const char *method)
{
    header_list_t list = {0};
    char *query = strchr (exchange->uri, '?');

    MHD_get_connection_values (exchange->connection, MHD_HEADER_KIND, add_header, &list);
    if (query) {
        *query++ = '\0';
    }
    const web_request_t request = {
        .http = {.method = method,
                 .path = exchange->uri,
                 .query = query ? query : "",
                 .headers = list.headers,
                 .header_count = list.count,
                 .body = exchange->body.data,
                 .body_size = exchange->body.size},
        .local = web_local_address (exchange->connection),
        .peer = web_peer_address (exchange->connection),
    };
    exchange->answer = (web_answer_t){.status = MHD_HTTP_OK, .content_type = "text/plain"};
    if (exchange->too_large || buffer_failed (&exchange->body)) {
        exchange->answer.status = MHD_HTTP_CONTENT_TOO_LARGE;
    } else {
        exchange->web->handler (exchange->web->argument, &request, &exchange->answer);
    }
    exchange->answered = true;
}

static enum MHD_Result
on_request (void *argument, struct MHD_Connection *connection, const char *url, const char *method,
            const char *version, const char *upload, size_t *upload_size, void **context)
{
    exchange_t *exchange = *context;

    (void) argument;
    (void) url;
    (void) version;
    if (!exchange) {
        return MHD_NO;
    }
    assert (exchange->magic == EXCHANGE_MAGIC);
    exchange->connection = connection;
    if (!exchange->begun) {
        exchange->begun = true;
        return MHD_YES;
    }
    if (*upload_size > 0) {
        exchange->too_large =
            exchange->too_large || exchange->body.size + *upload_size > WEB_BODY_MAX;
        if (!exchange->too_large) {
            buffer_append (&exchange->body, upload, *upload_size);
        }
        *upload_size = 0;
        return MHD_YES;
    }
    if (exchange->answered) {
        return send_answer (exchange);
    }
    handle (exchange, method);
    if (exchange->answer.delay_ms > 0) {
        wait_for_it (exchange);
        return MHD_YES;
    }
    return send_answer (exchange);
}

//  The first thing libmicrohttpd says of a request, and the only place where it shows the
//  path and query undecoded.
static void *
on_uri (void *argument, const char *uri, struct MHD_Connection *connection)
{
    exchange_t *exchange = calloc (1, sizeof *exchange);

    (void) connection;
    if (!exchange) {
        return NULL;
    }
    exchange->magic = EXCHANGE_MAGIC;
    exchange->web = argument;
    exchange->uri = strdup (uri);
    if (!exchange->uri) {
        free (exchange);
        return NULL;
    }
    return exchange;
}

static void
on_completed (void *argument, struct MHD_Connection *connection, void **context,
              enum MHD_RequestTerminationCode code)
{
    exchange_t *exchange = *context;

    (void) argument;
    (void) connection;
    (void) code;
    if (!exchange) {
        return;
    }
    assert (exchange->magic == EXCHANGE_MAGIC);
    for (exchange_t **at = &exchange->web->waiting; *at; at = &(*at)->next) {
        if (*at == exchange) {
            *at = exchange->next;
            break;
        }
    }
    buffer_clear (&exchange->body);
    buffer_clear (&exchange->answer.body);
    free (exchange->uri);
    exchange->magic = 0;
    free (exchange);
    *context = NULL;
}

//  --- connections

static void
peer_opened (web_t *self, struct MHD_Connection *connection, void **context)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    peer_t *peer = calloc (1, sizeof *peer);

    if (!peer || !info) {
        free (peer);
        return;
    }
    peer->fd = info->connect_fd;
    peer->local = web_local_address (connection);
    peer->next = self->peers;
    if (self->peers) {
        self->peers->previous = peer;
    }
    self->peers = peer;
    *context = peer;
}

static void
peer_closed (web_t *self, void **context)
{
    peer_t *peer = *context;

    if (!peer) {
        return;
    }
    *(peer->previous ? &peer->previous->next : &self->peers) = peer->next;
    if (peer->next) {
        peer->next->previous = peer->previous;
    }
    free (peer);
    *context = NULL;
}

static void
on_connection (void *argument, struct MHD_Connection *connection, void **context,
               enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        peer_opened (argument, connection, context);
    } else {
        peer_closed (argument, context);
    }
}

void
web_add (web_t *self, int fd, const struct sockaddr_in *peer)
{
    //  On failure libmicrohttpd has closed the descriptor.
    MHD_add_connection (self->daemon, fd, (const struct sockaddr *) peer, sizeof *peer);
    run (self);
}

void
web_drop (web_t *self, uint32_t local)
{
    for (const peer_t *peer = self->peers; peer; peer = peer->next) {
        if (peer->local == local) {
            shutdown (peer->fd, SHUT_RDWR);
        }
    }
}

//  --- start and end

static int
start_daemon (web_t *self, int listen_fd, const tls_identity_t *identity)
{
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_ALLOW_UPGRADE |
                     MHD_USE_SUPPRESS_DATE_NO_CLOCK | (identity ? MHD_USE_TLS : 0) |
                     (listen_fd < 0 ? MHD_USE_NO_LISTEN_SOCKET : 0);
    struct MHD_OptionItem tls [] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, identity ? identity->key_pem : NULL},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, identity ? identity->certificate_pem : NULL},
        {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem listening [] = {{MHD_OPTION_LISTEN_SOCKET, listen_fd, NULL},
                                          {MHD_OPTION_END, 0, NULL}};
    struct MHD_OptionItem none [] = {{MHD_OPTION_END, 0, NULL}};

    self->daemon = MHD_start_daemon (
        flags, 0, NULL, NULL, on_request, self, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned) IDLE_SECONDS, MHD_OPTION_CONNECTION_LIMIT, (unsigned) CONNECTIONS_MAX,
        MHD_OPTION_URI_LOG_CALLBACK, on_uri, self, MHD_OPTION_NOTIFY_COMPLETED, on_completed, self,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, self, MHD_OPTION_ARRAY, identity ? tls : none,
        MHD_OPTION_ARRAY, listen_fd < 0 ? none : listening, MHD_OPTION_END);
    return self->daemon ? 0 : -EIO;
}

web_t *
web_new (loop_t *loop, int listen_fd, const tls_identity_t *identity, web_handler_fn *handler,
         void *argument, reason_t *why)
{
    _cleanup_ (web_destroy) web_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    self->loop = loop;
    self->handler = handler;
    self->argument = argument;
    self->epoll_fd = -1;
    self->timer = loop_timer_new (loop, on_timer, self);
    self->late = loop_timer_new (loop, on_late, self);
    if (!self->timer || !self->late || start_daemon (self, listen_fd, identity) < 0) {
        reason_set (why, -EIO, "libmicrohttpd does not start%s: %s", identity ? " with TLS" : "",
                    strerror (errno));
        return NULL;
    }
    const union MHD_DaemonInfo *info = MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    if (!info || loop_watch (loop, info->epoll_fd, EPOLLIN, on_ready, self) < 0) {
        reason_set (why, -EIO, "libmicrohttpd gives no epoll descriptor to watch");
        return NULL;
    }
    self->epoll_fd = info->epoll_fd;
    return take_ptr (self);
}

void
web_destroy (web_t **self_p)
{
    assert (self_p);

    web_t *self = *self_p;
    if (self) {
        if (self->epoll_fd >= 0) {
            loop_unwatch (self->loop, self->epoll_fd);
        }
        if (self->daemon) {
            resume_due (self, INT64_MAX);  //  MHD_stop_daemon insists (traps 16)
            MHD_run (self->daemon);
            MHD_stop_daemon (self->daemon);
        }
        loop_timer_destroy (&self->timer);
        loop_timer_destroy (&self->late);
        free (self);
        *self_p = NULL;
    }
}
