// http.h - libmicrohttpd in the gateway's loop, and the routes.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_HTTP_H
#define GATEWAY_HTTP_H

#include "ask.h"
#include "audit.h"
#include "auth.h"
#include "connections.h"
#include "feed_client.h"
#include "hub.h"

typedef struct http http_t;

typedef struct http_parts {
    loop_t *loop;
    hub_t *hub;
    replica_t *replica;
    event_log_t *log;
    feed_client_t *feed;
    asks_t *asks;
    auth_t *auth;
    audit_t *audit;
    const struct text_page *text_page;
    metrics_t *metrics;
    int64_t clients_max, heartbeat_seconds, body_max_bytes, filter_names_max, streams_per_user,
        requests_per_second, head_max_bytes;
    bool compression, access_log, metrics_open, tls;
    connections_settings_t connections;
    const char *dashboard_dir;
} http_parts_t;

http_t *http_new (const char *listen, const http_parts_t *parts, reason_t *why);
void http_destroy (http_t **self_p);

#endif
