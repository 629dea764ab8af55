// admin.c - see admin.h.
//
// SPDX-License-Identifier: MIT

#include "admin.h"

#include "cleanup.h"
#include "json.h"
#include "program.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECTIONS_MAX 64
#define POOL_BYTES      8192
#define TIMEOUT_SECONDS 30
#define BACKLOG         1024
#define ADMIN_MAGIC     0xad314001u

struct admin {
    unsigned magic;
    loop_t *loop;
    struct MHD_Daemon *daemon;
    loop_timer_t *timer;
    int epoll_fd, port;
    metrics_t *metrics;
    admin_ready_fn *ready;
    void *argument;
};

static int
bind_socket (int fd, const struct sockaddr *address, socklen_t size, const char *listen_on,
             reason_t *why)
{
    int one = 1;

    setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind (fd, address, size) == 0 && listen (fd, BACKLOG) == 0) {
        return 0;
    }
    if (errno == EADDRINUSE) {
        return reason_set (why, -EADDRINUSE,
                           "%s: the address is in use; another process listens there", listen_on);
    }
    return reason_set (why, -errno, "%s: cannot listen: %s", listen_on, strerror (errno));
}

//  Whoever made it has ended, and a socket stays behind: with a file of that name nobody could listen
//  there again.
static void
remove_dead (const struct sockaddr_un *address)
{
    struct stat found;
    _cleanup_ (descriptor_close) int fd =
        socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd >= 0 && lstat (address->sun_path, &found) == 0 && S_ISSOCK (found.st_mode) &&
        connect (fd, (const struct sockaddr *) address, sizeof *address) < 0 &&
        errno == ECONNREFUSED) {
        (void) unlink (address->sun_path);
    }
}

static int
listen_unix (const char *listen_on, const char *path, reason_t *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (!*path || strlen (path) >= sizeof address.sun_path) {
        reason_set (why, -EINVAL, "%s: the path is %s", listen_on,
                    *path ? "longer than a socket's may be" : "missing");
        return -1;
    }
    strncpy (address.sun_path, path, sizeof address.sun_path - 1);
    remove_dead (&address);
    _cleanup_ (descriptor_close) int fd =
        socket (AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 ||
        bind_socket (fd, (struct sockaddr *) &address, sizeof address, listen_on, why) < 0) {
        return -1;
    }
    int taken = fd;
    fd = -1;
    return taken;
}

//  `host:port` or `[v6]:port` into its parts.
static int
split_address (const char *listen_on, char host [256], const char **port, reason_t *why)
{
    const char *colon = strrchr (listen_on, ':');
    size_t size = colon ? (size_t) (colon - listen_on) : 0;

    if (!colon || size == 0 || size >= 256 || !colon [1]) {
        return reason_set (why, -EINVAL, "'%s' is no address; it must be host:port", listen_on);
    }
    //  getaddrinfo takes it modulo 65536 and would be somewhere else without a word.
    if (strspn (colon + 1, "0123456789") != strlen (colon + 1) ||
        strtoul (colon + 1, NULL, 10) > UINT16_MAX) {
        return reason_set (why, -EINVAL, "%s: the port is not 0 to 65535", listen_on);
    }
    bool bracketed = listen_on [0] == '[' && listen_on [size - 1] == ']';
    snprintf (host, 256, "%.*s", (int) (bracketed ? size - 2 : size), listen_on + bracketed);
    *port = colon + 1;
    return 0;
}

int
admin_listen (const char *listen_on, reason_t *why)
{
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    char host [256];
    const char *port = "";

    if (strncmp (listen_on, "unix:", 5) == 0) {
        return listen_unix (listen_on, listen_on + 5, why);
    }
    if (split_address (listen_on, host, &port, why) < 0) {
        return -1;
    }
    int rc = getaddrinfo (host, port, &wanted, &found);
    if (rc != 0) {
        reason_set (why, -EINVAL, "%s: %s", listen_on, gai_strerror (rc));
        return -1;
    }
    int fd = socket (found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        reason_set (why, -errno, "%s: no socket: %s", listen_on, strerror (errno));
    } else if (bind_socket (fd, found->ai_addr, found->ai_addrlen, listen_on, why) < 0) {
        close (fd);
        fd = -1;
    }
    freeaddrinfo (found);
    return fd;
}

void
admin_write_healthz (buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_member_text (&json, "status", "ok");
    json_member_text (&json, "version", program_version ());
    json_close_object (&json);
}

void
admin_write_readyz (buffer_t *out, bool ready, const reason_t *why)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_member_text (&json, "status", ready ? "ready" : "not_ready");
    json_member_text (&json, "reason", why && *why->text ? why->text : NULL);
    json_close_object (&json);
}

static enum MHD_Result
answer (struct MHD_Connection *connection, unsigned status, const char *type, buffer_t *body)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer (body->size, body->data, MHD_RESPMEM_MUST_COPY);

    buffer_clear (body);
    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header (response, "Content-Type", type);
    MHD_add_response_header (response, "Cache-Control", "no-store");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        MHD_add_response_header (response, "Allow", "GET, HEAD");
    }
    enum MHD_Result result = MHD_queue_response (connection, status, response);
    MHD_destroy_response (response);
    return result;
}

static enum MHD_Result
answer_problem (struct MHD_Connection *connection, unsigned status, const char *title,
                const char *detail)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_member_text (&json, "type", "about:blank");
    json_member_text (&json, "title", title);
    json_member_integer (&json, "status", status);
    json_member_text (&json, "detail", detail);
    json_close_object (&json);
    return answer (connection, status, "application/problem+json", &out);
}

static enum MHD_Result
on_request (void *argument, struct MHD_Connection *connection, const char *url, const char *method,
            const char *version, const char *upload, size_t *upload_size, void **state)
{
    admin_t *self = argument;
    buffer_t out = {0};

    (void) version, (void) upload, (void) state;
    assert (self->magic == ADMIN_MAGIC);
    if (*upload_size > 0) {
        *upload_size = 0;
        return MHD_YES;
    }
    if (strcmp (method, "GET") != 0 && strcmp (method, "HEAD") != 0) {
        return answer_problem (connection, MHD_HTTP_METHOD_NOT_ALLOWED, "Method not allowed",
                               "only GET and HEAD are answered here");
    }
    if (strcmp (url, "/healthz") == 0) {
        admin_write_healthz (&out);
        return answer (connection, MHD_HTTP_OK, "application/json", &out);
    }
    if (strcmp (url, "/readyz") == 0) {
        reason_t why = {0};
        bool ready = self->ready (self->argument, &why);
        admin_write_readyz (&out, ready, &why);
        return answer (connection, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                       "application/json", &out);
    }
    if (strcmp (url, "/metrics") == 0) {
        metrics_write (self->metrics, &out);
        return answer (connection, MHD_HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", &out);
    }
    return answer_problem (connection, MHD_HTTP_NOT_FOUND, "Not found",
                           "there are /healthz, /readyz and /metrics");
}

//  libmicrohttpd's own timeouts need a call now and then; its descriptor tells of the rest.
static void
run (void *argument)
{
    admin_t *self = argument;
    MHD_UNSIGNED_LONG_LONG wait_ms;

    MHD_run (self->daemon);
    if (MHD_get_timeout (self->daemon, &wait_ms) != MHD_YES) {
        //  Full, it stops to listen, and begins again in the run after the one that saw the
        //  last connection go; nothing else would call for that run.
        MHD_run (self->daemon);
    }
    if (MHD_get_timeout (self->daemon, &wait_ms) == MHD_YES) {
        loop_timer_after (self->timer, (time_us_t) (wait_ms > 1000 ? 1000 : wait_ms) * MS_US);
    } else {
        loop_timer_stop (self->timer);
    }
}

static void
on_epoll (void *argument, uint32_t events)
{
    (void) events;
    run (argument);
}

static int
port_of (int fd)
{
    struct sockaddr_storage address = {0};
    socklen_t size = sizeof address;

    if (getsockname (fd, (struct sockaddr *) &address, &size) != 0) {
        return -1;
    }
    return address.ss_family == AF_INET    ? ntohs (((struct sockaddr_in *) &address)->sin_port)
           : address.ss_family == AF_INET6 ? ntohs (((struct sockaddr_in6 *) &address)->sin6_port)
                                           : 0;
}

static int
start (admin_t *self, const char *listen_on, reason_t *why)
{
    int fd = admin_listen (listen_on, why);
    if (fd < 0) {
        return -1;
    }
    self->port = port_of (fd);
    self->daemon = MHD_start_daemon (MHD_USE_EPOLL, 0, NULL, NULL, on_request, self,
                                     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                                     (unsigned) CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                     (size_t) POOL_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
                                     (unsigned) TIMEOUT_SECONDS, MHD_OPTION_END);
    if (!self->daemon) {
        close (fd);
        return reason_set (why, -ENOMEM, "%s: libmicrohttpd did not start", listen_on);
    }
    self->epoll_fd = MHD_get_daemon_info (self->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return loop_watch (self->loop, self->epoll_fd, EPOLLIN, on_epoll, self);
}

admin_t *
admin_new (loop_t *loop, const char *listen_on, metrics_t *metrics, admin_ready_fn *ready,
           void *argument, reason_t *why)
{
    _cleanup_ (admin_destroy) admin_t *self = calloc (1, sizeof *self);

    if (!self || !(self->timer = loop_timer_new (loop, run, self))) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->magic = ADMIN_MAGIC;
    self->loop = loop;
    self->epoll_fd = -1;
    self->metrics = metrics;
    self->ready = ready;
    self->argument = argument;
    return start (self, listen_on, why) == 0 ? take_ptr (self) : NULL;
}

void
admin_destroy (admin_t **self_p)
{
    assert (self_p);
    admin_t *self = *self_p;

    if (self) {
        loop_unwatch (self->loop, self->epoll_fd);
        if (self->daemon) {
            MHD_stop_daemon (self->daemon);
        }
        loop_timer_destroy (&self->timer);
        free (self);
        *self_p = NULL;
    }
}

int
admin_port (const admin_t *self)
{
    return self->port;
}
