// SPDX-License-Identifier: MIT

#include "cml_server.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "cml_ui.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define IDENTITIES        9  //  the last is the wrong one
#define WRONG_IDENTITY    (IDENTITIES - 1)
#define BACKLOG           64
#define LOOPBACK_NET      0x7f000000u
#define ACCEPTS_A_TURN    64
#define CONNECTION_FAULTS (1u << FAULT_UNREACHABLE | 1u << FAULT_WRONG_CERTIFICATE)

typedef struct listener {
    int fd;            //  -1: closed
    uint32_t address;  //  network order
} listener_t;

struct cml_server {
    loop_t *loop;
    cml_parts_t parts;
    cml_ui_t *ui;
    int port, epoll_fd;
    int ports;              //  0; else that of the first slot, on all addresses
    listener_t *listeners;  //  by slot
    size_t listener_count;
    tls_identity_t identities [IDENTITIES];
    web_t *webs [IDENTITIES];
    uint64_t faults_version;
};

static int
open_listener (uint32_t address, int port, bool local_only, reason_t *why)
{
    int fd = socket (AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in local = {.sin_family = AF_INET,
                                .sin_port = htons ((uint16_t) port),
                                .sin_addr.s_addr = local_only ? address : htonl (INADDR_ANY)};
    char text [INET_ADDRSTRLEN];
    int on = 1;

    assert (web_is_loopback (address));
    if (fd >= 0 && setsockopt (fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0 &&
        bind (fd, (struct sockaddr *) &local, sizeof local) == 0 && listen (fd, BACKLOG) == 0) {
        return fd;
    }
    int fault = errno;
    descriptor_close (&fd);
    inet_ntop (AF_INET, &local.sin_addr, text, sizeof text);
    return reason_set (why, -fault, "cml_port: cannot listen on %s:%d: %s%s", text, port,
                       strerror (fault),
                       fault == EADDRINUSE ? "; another process has that port" : "");
}

static void
close_listener (cml_server_t *self, listener_t *listener)
{
    if (listener->fd < 0) {
        return;
    }
    descriptor_close (&listener->fd);  //  the kernel takes it out of the epoll set
    for (size_t i = 0; i < IDENTITIES; i++) {
        web_drop (self->webs [i], listener->address);
    }
}

static int
listen_for (cml_server_t *self, size_t slot, uint32_t address, reason_t *why)
{
    listener_t *listener = &self->listeners [slot];
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = slot};

    int port = self->ports > 0 ? self->ports + (int) slot : self->port;
    int fd = open_listener (address, port, self->ports == 0, why);
    if (fd < 0) {
        return fd;
    }
    if (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0) {
        int rc = -errno;
        close (fd);
        return reason_set (why, rc, "epoll refuses a listening socket: %s", strerror (-rc));
    }
    *listener = (listener_t){.fd = fd, .address = address};
    if (self->port == 0 && self->ports == 0) {
        struct sockaddr_in local = {0};
        socklen_t size = sizeof local;
        getsockname (fd, (struct sockaddr *) &local, &size);
        self->port = ntohs (local.sin_port);
    }
    return 0;
}

//  --- connections

static bool
take_fault (cml_server_t *self, const instance_t *instance, fault_kind_t kind)
{
    fault_t fault;

    return faults_take (self->parts.faults, FAULT_API_CML, instance->id, 1u << kind,
                        world_now (self->parts.world).steady, &fault);
}

//  Ends a connection as a machine does that knows nothing of it: by a reset.
static void
reset (int fd)
{
    const struct linger now = {.l_onoff = 1, .l_linger = 0};

    setsockopt (fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close (fd);
}

static void
accept_for (cml_server_t *self, size_t slot)
{
    const instance_t *instance = world_at (self->parts.world, slot);
    struct sockaddr_in peer;
    socklen_t size = sizeof peer;

    int fd = accept4 (self->listeners [slot].fd, (struct sockaddr *) &peer, &size,
                      SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;  //  the peer has gone, or descriptors are short: the next turn tries again
    }
    if (!instance || take_fault (self, instance, FAULT_UNREACHABLE)) {
        reset (fd);
        return;
    }
    bool wrong = take_fault (self, instance, FAULT_WRONG_CERTIFICATE);
    web_add (self->webs [wrong ? WRONG_IDENTITY : instance->serial % WRONG_IDENTITY], fd, &peer);
}

static void
on_connections (void *argument, uint32_t epoll_events)
{
    cml_server_t *self = argument;
    struct epoll_event events [ACCEPTS_A_TURN];

    (void) epoll_events;
    int count = epoll_wait (self->epoll_fd, events, ACCEPTS_A_TURN, 0);
    for (int i = 0; i < count; i++) {
        accept_for (self, (size_t) events [i].data.u64);
    }
}

static void
on_request (void *argument, const web_request_t *request, web_answer_t *answer)
{
    cml_server_t *self = argument;
    instance_t *instance = world_find_address (self->parts.world, request->local);

    if (!instance) {
        answer->trick = WEB_DROP;
        return;
    }
    if (strcmp (request->http.path, CML_UI_PATH) == 0) {
        cml_ui_handle (self->ui, instance, request, answer);
    } else {
        cml_api_handle (&self->parts, instance, request, answer);
    }
}

//  --- what is up

//  As web_local_address has it: the instance's own address, or its port.
static uint32_t
address_of (const cml_server_t *self, const instance_t *instance)
{
    return self->ports > 0 ? htonl (LOOPBACK_NET | (uint32_t) (self->ports + (int) instance->slot))
                           : inet_addr (instance->public_ip);
}

static bool
should_listen (const cml_server_t *self, const instance_t *instance)
{
    return world_cml_answers (self->parts.world, instance) &&
           !faults_hold (self->parts.faults, FAULT_API_CML, instance->id, FAULT_UNREACHABLE,
                         world_now (self->parts.world).steady);
}

static int
refresh_slot (cml_server_t *self, size_t slot, reason_t *why)
{
    const instance_t *instance = world_at (self->parts.world, slot);
    listener_t *listener = &self->listeners [slot];
    uint32_t address = instance ? address_of (self, instance) : 0;
    bool wanted = instance && should_listen (self, instance);

    if (listener->fd >= 0 && (!wanted || listener->address != address)) {
        close_listener (self, listener);
    }
    return wanted && listener->fd < 0 ? listen_for (self, slot, address, why) : 0;
}

//  A new fault of connections concerns those that are open too; tokens expire once.
static void
apply_new_faults (cml_server_t *self, instance_t *instance)
{
    time_us_t steady = world_now (self->parts.world).steady;
    faults_t *faults = self->parts.faults;

    if (faults_concern (faults, FAULT_API_CML, instance->id, CONNECTION_FAULTS, steady)) {
        for (size_t i = 0; i < IDENTITIES; i++) {
            web_drop (self->webs [i], address_of (self, instance));
        }
    }
    if (faults_concern (faults, FAULT_API_CML, instance->id, 1u << FAULT_EXPIRE_TOKENS, steady)) {
        instance->cml.token_epoch++;
    }
}

static int
refresh (cml_server_t *self, reason_t *why)
{
    uint64_t version = faults_version (self->parts.faults);
    bool is_new = version != self->faults_version;
    int rc = 0;

    self->faults_version = version;
    for (size_t slot = 0; slot < self->listener_count; slot++) {
        instance_t *instance = world_at (self->parts.world, slot);
        if (is_new && instance) {
            apply_new_faults (self, instance);
        }
        int one = refresh_slot (self, slot, why);
        rc = one < 0 ? one : rc;
    }
    faults_forget (self->parts.faults, FAULT_EXPIRE_TOKENS);
    return rc;
}

void
cml_server_refresh (cml_server_t *self)
{
    reason_t why;

    if (refresh (self, &why) < 0) {
        log_warn ("a simulated CML has no socket", LOG_TEXT ("reason", why.text));
    }
    cml_ui_tell (self->ui);
}

size_t
cml_server_push (cml_server_t *self, const instance_t *instance, const char *text, size_t size)
{
    return cml_ui_push (self->ui, instance, text, size);
}

int
cml_server_port (const cml_server_t *self)
{
    return self->port;
}

const char *
cml_server_pin (const cml_server_t *self, uint64_t serial)
{
    return self->identities [serial % WRONG_IDENTITY].pin;
}

//  --- start and end

static int
make_identities (cml_server_t *self, reason_t *why)
{
    for (size_t i = 0; i < IDENTITIES; i++) {
        if (tls_identity_make (&self->identities [i], "cml-controller", why) < 0) {
            return -EIO;
        }
        self->webs [i] = web_new (self->loop, -1, &self->identities [i], on_request, self, why);
        if (!self->webs [i]) {
            return -EIO;
        }
    }
    return 0;
}

cml_server_t *
cml_server_new (loop_t *loop, const cml_parts_t *parts, int port, int ports, reason_t *why)
{
    _cleanup_ (cml_server_destroy) cml_server_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    self->loop = loop;
    self->parts = *parts;
    self->port = port;
    self->ports = ports;
    self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
    self->listener_count = world_slots (parts->world) + WORLD_APPEAR_MAX;
    self->listeners = calloc (self->listener_count, sizeof *self->listeners);
    self->ui = cml_ui_new (loop, parts);
    if (!self->listeners || !self->ui || self->epoll_fd < 0 ||
        loop_watch (loop, self->epoll_fd, EPOLLIN, on_connections, self) < 0) {
        reason_set (why, -ENOMEM, "out of memory or descriptors");
        return NULL;
    }
    for (size_t slot = 0; slot < self->listener_count; slot++) {
        self->listeners [slot].fd = -1;
    }
    if (make_identities (self, why) < 0 || refresh (self, why) < 0) {
        return NULL;
    }
    return take_ptr (self);
}

void
cml_server_destroy (cml_server_t **self_p)
{
    assert (self_p);

    cml_server_t *self = *self_p;
    if (self) {
        if (self->epoll_fd >= 0) {
            loop_unwatch (self->loop, self->epoll_fd);
            descriptor_close (&self->epoll_fd);
        }
        for (size_t slot = 0; self->listeners && slot < self->listener_count; slot++) {
            descriptor_close (&self->listeners [slot].fd);
        }
        cml_ui_destroy (&self->ui);  //  its tunnels, before the daemons that dig them
        for (size_t i = 0; i < IDENTITIES; i++) {
            web_destroy (&self->webs [i]);
            tls_identity_clear (&self->identities [i]);
        }
        free (self->listeners);
        free (self);
        *self_p = NULL;
    }
}
