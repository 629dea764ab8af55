// SPDX-License-Identifier: MIT

#include "web_address.h"

#include "web.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#define LOOPBACK 0x7f000000u

bool
web_is_loopback (uint32_t address)
{
    return ntohl (address) >> 24 == 127;
}

uint32_t
web_local_address (struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    struct sockaddr_in local = {0};
    socklen_t size = sizeof local;

    if (!info || getsockname (info->connect_fd, (struct sockaddr *) &local, &size) < 0 ||
        local.sin_family != AF_INET) {
        return 0;
    }
    uint32_t address = ntohl (local.sin_addr.s_addr);
    bool is_own = address >> 24 == LOOPBACK >> 24 && address >> 8 != LOOPBACK >> 8;
    return htonl (is_own ? address : LOOPBACK | (uint32_t) ntohs (local.sin_port));
}

uint32_t
web_peer_address (struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info (connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (!info || info->client_addr->sa_family != AF_INET) {
        return 0;
    }
    return ((const struct sockaddr_in *) (const void *) info->client_addr)->sin_addr.s_addr;
}
