// routes_monitor.c - GET /api/monitor: a request to speak WebSocket, checked and handed to the hub.
//
// The handshake is RFC 6455's, section 4.2. A browser lets any page open a WebSocket to any host and
// sends its cookies along, and no CORS keeps the answers from it: so an Origin, when there is one,
// must be this host's or one of cors_origins, whoever asks. Who cannot be served now is answered
// 503 before the upgrade.
//
// SPDX-License-Identifier: MIT

#include "reply.h"
#include "route.h"
#include "websocket.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

static const char *
header_of (struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value (connection, MHD_HEADER_KIND, name);
}

//  The word is one of the list's (RFC 9110, 5.6.1), in any case.
static bool
lists (const char *list, const char *word)
{
    size_t length = strlen (word);

    while (list && *list) {
        list += strspn (list, ", \t");
        size_t size = strcspn (list, ", \t");
        if (size == length && strncasecmp (list, word, size) == 0) {
            return true;
        }
        list += size;
    }
    return false;
}

//  MHD_YES: it is a handshake, and accept answers it. Else it is answered, as *result says.
static bool
check (const http_parts_t *parts, struct MHD_Connection *connection, const request_t *request,
       char accept [WEBSOCKET_ACCEPT_SIZE], enum MHD_Result *result)
{
    static const char *const KNOWN [] = {NULL};
    const char *version = header_of (connection, MHD_HTTP_HEADER_SEC_WEBSOCKET_VERSION);
    const char *key = header_of (connection, MHD_HTTP_HEADER_SEC_WEBSOCKET_KEY);
    reason_t why = {0};

    if (route_check_parameters (connection, KNOWN, &why) < 0) {
        *result = reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad parameter", why.text, NULL);
    } else if (request->is_head || request->is_http10 ||
               !lists (header_of (connection, MHD_HTTP_HEADER_UPGRADE), "websocket") ||
               !lists (header_of (connection, MHD_HTTP_HEADER_CONNECTION), "upgrade")) {
        *result = reply_upgrade (connection, "websocket", WEBSOCKET_VERSION,
                                 "here one speaks WebSocket: GET by HTTP/1.1 with `Upgrade: "
                                 "websocket` and `Connection: Upgrade`");
    } else if (!version || strcmp (version, WEBSOCKET_VERSION) != 0) {
        *result = reply_upgrade (connection, "websocket", WEBSOCKET_VERSION,
                                 "Sec-WebSocket-Version must be 13");
    } else if (!key || websocket_accept (key, accept) < 0) {
        *result = reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad request",
                                 "Sec-WebSocket-Key must be 16 bytes in base64", NULL);
    } else if (auth_is_foreign_page (parts->auth, connection)) {
        *result = reply_unknown (connection, -EPERM,
                                 "Origin is neither this host nor one of cors_origins");
    } else {
        return true;
    }
    return false;
}

static void
on_upgraded (void *argument, struct MHD_Connection *connection, void *state, const char *ahead,
             size_t ahead_size, MHD_socket fd, struct MHD_UpgradeResponseHandle *upgraded)
{
    const http_parts_t *parts = argument;
    const request_t *request = state;
    char address [PROXIES_ADDRESS_SIZE];
    moment_t now = loop_now (parts->loop);
    hub_request_t wanted = {.connection = connection,
                            .upgraded = upgraded,
                            .fd = fd,
                            .ahead_size = ahead_size,
                            .filter = filter_new ((size_t) parts->filter_names_max),
                            .identity = request->identity,
                            .address = connections_client (connection, address),
                            .heartbeat_seconds = parts->heartbeat_seconds};

    (void) ahead;
    if (request->identity->expires_at > 0) {
        wanted.expires_at = now.steady + request->identity->expires_at - now.wall;
    }
    if (wanted.filter) {
        filter_see (wanted.filter, request->identity->view);
        filter_want_nothing (wanted.filter);
        wanted.filter->monitor = parts->replica;
    }
    if (!wanted.filter || hub_add (parts->hub, &wanted) < 0) {
        (void) MHD_upgrade_action (upgraded, MHD_UPGRADE_ACTION_CLOSE);
    }
}

enum MHD_Result
route_monitor (const http_parts_t *parts, struct MHD_Connection *connection, const char *rest,
               request_t *request)
{
    char accept [WEBSOCKET_ACCEPT_SIZE];
    enum MHD_Result result = MHD_NO;

    (void) rest;
    if (!check (parts, connection, request, accept, &result)) {
        return result;
    }
    if (!feed_client_has_joined (parts->feed) || route_is_full (parts, request->identity) ||
        loop_is_draining (parts->loop)) {
        return reply_unknown (connection, -EAGAIN,
                              "no monitor can be served now; come back in a moment");
    }
    struct MHD_Response *response =
        MHD_create_response_for_upgrade (on_upgraded, (void *) (uintptr_t) parts);
    if (!response) {
        return MHD_NO;
    }
    MHD_add_response_header (response, MHD_HTTP_HEADER_UPGRADE, "websocket");
    MHD_add_response_header (response, MHD_HTTP_HEADER_SEC_WEBSOCKET_ACCEPT, accept);
    return reply_queue (connection, MHD_HTTP_SWITCHING_PROTOCOLS, response, 0);
}
