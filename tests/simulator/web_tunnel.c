// SPDX-License-Identifier: MIT

#include "web_tunnel.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int
web_tunnel_dig (web_tunnel_t *self, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *own =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    const int on = 1;

    self->session = tls ? tls->tls_session : NULL;
    self->out = self->session && own ? own->connect_fd : self->fd;
    (void) setsockopt (self->out, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fcntl (self->fd, F_SETFL, fcntl (self->fd, F_GETFL) | O_NONBLOCK);
}

bool
web_tunnel_flush (web_tunnel_t *self)
{
    ssize_t rc = self->flushing ? gnutls_record_send (self->session, NULL, 0) : 0;

    self->flushing = rc == GNUTLS_E_AGAIN || rc == GNUTLS_E_INTERRUPTED;
    return !self->flushing;
}

ssize_t
web_tunnel_send (web_tunnel_t *self, const void *bytes, size_t size)
{
    if (!self->session) {
        return send (self->fd, bytes, size, MSG_NOSIGNAL);
    }
    if (!web_tunnel_flush (self)) {
        errno = EAGAIN;
        return -1;
    }
    ssize_t sent = gnutls_record_send (self->session, bytes, size);
    self->flushing = sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED;
    if (self->flushing) {
        return (ssize_t) (size < WEB_TUNNEL_RECORD ? size : WEB_TUNNEL_RECORD);
    }
    errno = EPIPE;
    return sent < 0 ? -1 : sent;
}
