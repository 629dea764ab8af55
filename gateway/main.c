// main.c - a gateway: holds a replica and the recent events, and serves them.
//
// The feed fills the replica and the log (feed_client); the hub writes the log to each client;
// http answers the rest. Nothing here matters to anyone else: a gateway may be killed at any time.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "../common/heap.h"
#include "../common/log.h"
#include "../common/notify.h"
#include "../common/program.h"
#include "cors.h"
#include "http.h"
#include "text_page.h"
#include "tls.h"

#include <stdlib.h>
#include <string.h>

#define SERIES_MAX        1000
#define SPARE_CONNECTIONS 500  //  beside the streams

typedef struct settings {
    program_settings_t program;
    char listen [CONFIG_TEXT_SIZE], control [CONFIG_TEXT_SIZE], feed [CONFIG_TEXT_SIZE],
        dashboard_dir [CONFIG_TEXT_SIZE], cors_origins [CONFIG_TEXT_SIZE],
        tokens_file [CONFIG_TEXT_SIZE], session_key [CONFIG_TEXT_SIZE],
        masked_fields [CONFIG_TEXT_SIZE], jwt_issuer [CONFIG_TEXT_SIZE],
        jwt_audience [CONFIG_TEXT_SIZE], jwt_algorithms [CONFIG_TEXT_SIZE],
        jwt_keys [CONFIG_TEXT_SIZE], jwt_role_claim [CONFIG_TEXT_SIZE],
        jwt_ca_file [CONFIG_TEXT_SIZE], trusted_proxies [CONFIG_TEXT_SIZE],
        tls_certificate [CONFIG_TEXT_SIZE], tls_key [CONFIG_TEXT_SIZE],
        audit_log [CONFIG_TEXT_SIZE];
    bool allow_unauthenticated_remote, allow_cleartext_remote, access_log, metrics_open;
    int auth;
    int64_t session_seconds, jwt_leeway_seconds, jwt_refresh_seconds, requests_per_second,
        streams_per_user, head_max_bytes, connections_max;
    int64_t event_log_max, event_log_max_bytes, high_water_mark, feed_buffer_max, replay_max,
        ask_timeout_ms, asks_max, audit_queue_max_bytes, body_max_bytes, filter_names_max,
        request_timeout_seconds, connections_per_address, text_rows_max, answers_max_bytes;
    bus_keys_settings_t keys;
    hub_settings_t hub;
    otlp_settings_t otlp;
} settings_t;

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (settings_t),
    {"listen",              CONFIG_TEXT,    offsetof (settings_t, listen),              "127.0.0.1:8080",    0, 0,               NULL, "address of the page, the stream and the API; host:port or unix:/path"},
    {"control",             CONFIG_TEXT,    offsetof (settings_t, control),             BUS_CONTROL_DEFAULT, 0, 0,               NULL, "aggregator's socket for questions"},
    {"feed",                CONFIG_TEXT,    offsetof (settings_t, feed),                BUS_FEED_DEFAULT,    0, 0,               NULL, "aggregator's feed"},
    BUS_KEY (settings_t, keys),
    BUS_SERVER_KEY (settings_t, keys),
    {"auth",                CONFIG_CHOICE,  offsetof (settings_t, auth),                "none",              0, 0,               AUTH_METHODS, "how one logs in: not at all, by a static token, by a JSON Web Token"},
    {"allow_unauthenticated_remote", CONFIG_FLAG, offsetof (settings_t, allow_unauthenticated_remote), "no", 0, 0,              NULL, "listen beyond loopback although nobody has to log in"},
    {"allow_cleartext_remote", CONFIG_FLAG, offsetof (settings_t, allow_cleartext_remote), "no",             0, 0,               NULL, "listen beyond loopback without TLS although tokens are sent, as behind a proxy that does TLS"},
    {"tokens_file",         CONFIG_TEXT,    offsetof (settings_t, tokens_file),         "",                  0, 0,               NULL, "auth = token: lines of `name role sha256:<hex> [regions=a,b] [worker_ids=a,b] [expires=time]`; read again when it changes"},
    {"session_key",         CONFIG_SECRET,  offsetof (settings_t, session_key),         "",                  0, 0,               NULL, "seals browsers' sessions, 32 bytes or more, the same at all gateways; empty: a random one, sessions end with the gateway"},
    {"session_seconds",     CONFIG_INTEGER, offsetof (settings_t, session_seconds),     "43200",             60, 31536000,       NULL, "a session ends after so long, or with the token that it was begun with"},
    {"masked_fields",       CONFIG_TEXT,    offsetof (settings_t, masked_fields),       MASK_DEFAULT,        0, 0,               NULL, "members, apart by commas, that a viewer is told as null; empty: none"},
    {"jwt_issuer",          CONFIG_TEXT,    offsetof (settings_t, jwt_issuer),          "",                  0, 0,               NULL, "auth = jwt: the claim iss must be this"},
    {"jwt_audience",        CONFIG_TEXT,    offsetof (settings_t, jwt_audience),        "",                  0, 0,               NULL, "the claim aud must be, or have, this"},
    {"jwt_algorithms",      CONFIG_TEXT,    offsetof (settings_t, jwt_algorithms),      "RS256,ES256",       0, 0,               NULL, "allowed signatures: RS256, ES256, HS256, apart by commas"},
    {"jwt_keys",            CONFIG_TEXT,    offsetof (settings_t, jwt_keys),            "",                  0, 0,               NULL, "the issuer's JSON Web Key Set: a file, or its https:// address"},
    {"jwt_ca_file",         CONFIG_TEXT,    offsetof (settings_t, jwt_ca_file),         "",                  0, 0,               NULL, "certificates that vouch for that address; empty: the system's"},
    {"jwt_role_claim",      CONFIG_TEXT,    offsetof (settings_t, jwt_role_claim),      "role",              0, 0,               NULL, "claim with viewer, operator or admin, a text or a list; dots lead into objects: realm_access.roles"},
    {"jwt_leeway_seconds",  CONFIG_INTEGER, offsetof (settings_t, jwt_leeway_seconds),  "30",                0, 600,             NULL, "by so much clocks may differ"},
    {"jwt_refresh_seconds", CONFIG_INTEGER, offsetof (settings_t, jwt_refresh_seconds), "600",               10, 86400,          NULL, "the key set's address is asked again so often; and at once for a key that is not known"},
    {"tls_certificate",     CONFIG_TEXT,    offsetof (settings_t, tls_certificate),     "",                  0, 0,               NULL, "PEM file with the certificate and its chain; serves TLS 1.2 and 1.3 alone; read again when it changes"},
    {"tls_key",             CONFIG_TEXT,    offsetof (settings_t, tls_key),             "",                  0, 0,               NULL, "PEM file with its private key"},
    {"trusted_proxies",     CONFIG_TEXT,    offsetof (settings_t, trusted_proxies),     "",                  0, 0,               NULL, "addresses and networks whose X-Forwarded-For and -Proto are taken, apart by commas; `unix` for a Unix socket"},
    {"requests_per_second", CONFIG_INTEGER, offsetof (settings_t, requests_per_second), "200",               0, 1000000,         NULL, "requests of one client (a user; an address, of IPv6 its /64), twice that at once; more are answered 429; streams do not count; 0: no bound"},
    {"streams_per_user",    CONFIG_INTEGER, offsetof (settings_t, streams_per_user),    "100",               0, 1000000,         NULL, "open streams of one user; beyond it a stream is answered with retry and ended; 0: no bound"},
    {"head_max_bytes",      CONFIG_INTEGER, offsetof (settings_t, head_max_bytes),      "4096",              2048, 65536,        NULL, "memory of a connection for a request's head and the answer's; a larger head is refused; large tokens want 8192"},
    {"access_log",          CONFIG_FLAG,    offsetof (settings_t, access_log),          "no",                0, 0,               NULL, "a line for each request when it is over"},
    {"audit_log",           CONFIG_TEXT,    offsetof (settings_t, audit_log),           "",                  0, 0,               NULL, "file to which each command is appended as a line of JSON, beside the log's line; opened anew at SIGHUP; empty: none"},
    {"audit_queue_max_bytes", CONFIG_INTEGER, offsetof (settings_t, audit_queue_max_bytes), "1048576",       4096, 1073741824, NULL, "of these, what waits while the file cannot be written; beyond it records are left out of it, and counted"},
    {"metrics_open",        CONFIG_FLAG,    offsetof (settings_t, metrics_open),        "no",                0, 0,               NULL, "/metrics for anybody, although one has to log in"},
    {"drain_delay_ms",      CONFIG_INTEGER, offsetof (settings_t, hub.drain_delay_ms),  "500",               0, 60000,           NULL, "from SIGTERM, when /readyz turns red, to the end of the streams; shorter than drain_ms"},
    {"clients_max",         CONFIG_INTEGER, offsetof (settings_t, hub.clients_max),     "10000",             1, 1000000,         NULL, "open streams; beyond it a stream is answered with retry and ended"},
    {"connections_max",     CONFIG_INTEGER, offsetof (settings_t, connections_max),     "0",                 0, 1000000,         NULL, "connections, streams among them; beyond it a request is answered 503, a stream with retry and ended; 0: 500 more than clients_max"},
    {"heartbeat_seconds",   CONFIG_INTEGER, offsetof (settings_t, hub.heartbeat_seconds), "30",              1, 60,              NULL, "heartbeat of a stream that does not ask for its own"},
    {"stall_timeout_seconds", CONFIG_INTEGER, offsetof (settings_t, hub.stall_timeout_seconds), "60",        1, 3600,            NULL, "a client that takes nothing for so long is closed"},
    {"send_buffer_bytes",   CONFIG_INTEGER, offsetof (settings_t, hub.send_buffer_bytes), "65536",           4096, 16777216,     NULL, "the kernel's buffer for one client; what it cannot take waits in the log"},
    {"queue_max_bytes",     CONFIG_INTEGER, offsetof (settings_t, hub.queue_max_bytes), "1048576",           1024, 1073741824, NULL, "a stream behind by more gets the newest snapshot of each worker instead of every one"},
    {"held_max_bytes",      CONFIG_INTEGER, offsetof (settings_t, hub.held_max_bytes),  "268435456",         1048576, 68719476736, NULL, "memory held for what connections of all streams did not take yet; beyond it those that hold most are closed, to come back to where they were"},
    {"slow_after_ms",       CONFIG_INTEGER, offsetof (settings_t, hub.slow_after_ms),   "1000",              0, 3600000,       NULL, "and only if the oldest event that it has not had is older; a burst makes nobody slow"},
    {"states_per_second",   CONFIG_INTEGER, offsetof (settings_t, hub.states_per_second), "500",             1, 1000000,       NULL, "full states begun in a second; the others wait for their turn"},
    {"ahead_wait_ms",       CONFIG_INTEGER, offsetof (settings_t, hub.ahead_wait_ms),   "5000",              0, 60000,         NULL, "a stream whose last event is newer than ours, from another gateway, waits so long for it while the aggregator is heard; then it begins anew"},
    {"images_max",          CONFIG_INTEGER, offsetof (settings_t, hub.images_max),      "16",                1, 1024,          NULL, "full states held at once for slow streams to read; the others share them"},
    {"stream_lifetime_seconds", CONFIG_INTEGER, offsetof (settings_t, hub.stream_lifetime_seconds), "0",     0, 31536000,      NULL, "a stream is ended after about so long, so that streams spread over gateways; 0: never"},
    {"compression",         CONFIG_FLAG,    offsetof (settings_t, hub.compression),     "yes",               0, 0,             NULL, "compress the streams of clients that accept gzip, once for all of them, and large answers"},
    {"packers_max",         CONFIG_INTEGER, offsetof (settings_t, hub.packers_max),     "64",                0, 100000,        NULL, "distinct filters whose events are compressed in the context of earlier ones; the others one by one"},
    {"monitor_message_max_bytes", CONFIG_INTEGER, offsetof (settings_t, hub.monitor_message_max_bytes), "16384", 256, 1048576, NULL, "largest message of a monitor (WebSocket); a larger one closes it with 1009"},
    {"monitor_messages_per_second", CONFIG_INTEGER, offsetof (settings_t, hub.monitor_messages_per_second), "50", 1, 1000000, NULL, "messages of a monitor that are read in a second; the others wait in its connection"},
    {"monitor_errors_max",  CONFIG_INTEGER, offsetof (settings_t, hub.monitor_errors_max), "16",             0, 1000000,         NULL, "wrong messages of a monitor that are answered with an error; one more closes it with 1008"},
    {"resync_max",          CONFIG_INTEGER, offsetof (settings_t, hub.resync_max),      "1000",              1, 100000,          NULL, "events in one resync_data to a monitor, of 16 times as many looked at; `more` says that there may be others"},
    {"filter_names_max",    CONFIG_INTEGER, offsetof (settings_t, filter_names_max),    "256",               1, 100000,        NULL, "names in each list of a filter"},
    {"event_log_max",       CONFIG_INTEGER, offsetof (settings_t, event_log_max),       "100000",            16, 10000000,       NULL, "events held for clients that are behind or come back"},
    {"event_log_max_bytes", CONFIG_INTEGER, offsetof (settings_t, event_log_max_bytes), "134217728",         65536, 17179869184, NULL, "bytes of these and of the forms that clients had of them, compressed or masked; the oldest go first"},
    {"high_water_mark",     CONFIG_INTEGER, offsetof (settings_t, high_water_mark),     "100000",            100, 10000000,      NULL, "feed messages waiting to be read, some 4 KB each; beyond it they wait at the aggregator (its feed_high_water_mark)"},
    {"feed_buffer_max",     CONFIG_INTEGER, offsetof (settings_t, feed_buffer_max),     "100000",            100, 10000000,      NULL, "feed messages kept while the state is asked for; beyond it the join starts over"},
    {"replay_max",          CONFIG_INTEGER, offsetof (settings_t, replay_max),          "10000",             0, 10000000,        NULL, "events asked of the aggregator at a join, so that clients can come back to where they were"},
    {"ask_timeout_ms",      CONFIG_INTEGER, offsetof (settings_t, ask_timeout_ms),      "2000",              1000, 60000,        NULL, "longest wait for the aggregator's answer to a request; then 503, and what has not reached it by then never does"},
    {"asks_max",            CONFIG_INTEGER, offsetof (settings_t, asks_max),            "1000",              1, 1000000,         NULL, "requests that wait for the aggregator at once; beyond it they are answered 503"},
    {"body_max_bytes",      CONFIG_INTEGER, offsetof (settings_t, body_max_bytes),      "20480",             64, 1048576,        NULL, "largest body of a request; a larger one is refused with 413"},
    {"dashboard_dir",       CONFIG_TEXT,    offsetof (settings_t, dashboard_dir),       "",                  0, 0,               NULL, "folder to serve the page from, instead of the embedded one"},
    {"request_timeout_seconds", CONFIG_INTEGER, offsetof (settings_t, request_timeout_seconds), "30",        1, 3600,            NULL, "time for a request to be there, head and body; a slower connection is closed"},
    {"connections_per_address", CONFIG_INTEGER, offsetof (settings_t, connections_per_address), "0",         0, 1000000,         NULL, "connections of one address (of IPv6: its /64) at once, streams among them; more are closed; 0: no bound, as behind a proxy"},
    {"text_rows_max",       CONFIG_INTEGER, offsetof (settings_t, text_rows_max),       "500",               1, 10000,           NULL, "workers in the table of text that curl gets; the others are told as a number, and counted; 1,000 take some 20 ms"},
    {"answers_max_bytes",   CONFIG_INTEGER, offsetof (settings_t, answers_max_bytes),   "268435456",         65536, 68719476736, NULL, "large answers (state, workers, past events) that are on their way to whoever takes them slowly; beyond it they are refused, 503, until some are taken or given up"},
    {"cors_origins",        CONFIG_TEXT,    offsetof (settings_t, cors_origins),        "",                  0, 0,               NULL, "origins, apart by commas, whose pages may read the answers, like https://ops.example.com; none otherwise"},
    OTLP_KEYS (settings_t, otlp),
    {0},
};
// clang-format on

static auth_settings_t
auth_of (const settings_t *own)
{
    return (auth_settings_t){.method = own->auth,
                             .tokens_file = own->tokens_file,
                             .session_key = own->session_key,
                             .masked_fields = own->masked_fields,
                             .origins = own->cors_origins,
                             .session_seconds = own->session_seconds,
                             .issuer = {.issuer = own->jwt_issuer,
                                        .audience = own->jwt_audience,
                                        .algorithms = own->jwt_algorithms,
                                        .keys = own->jwt_keys,
                                        .role_claim = own->jwt_role_claim,
                                        .ca_file = own->jwt_ca_file,
                                        .leeway_seconds = own->jwt_leeway_seconds,
                                        .refresh_seconds = own->jwt_refresh_seconds}};
}

//  Who listens beyond this host has logins, and lets nobody read along.
static int
check_reach (const settings_t *own, reason_t *why)
{
    bool local = strncmp (own->listen, "127.", 4) == 0 ||
                 strncmp (own->listen, "localhost:", 10) == 0 ||
                 strncmp (own->listen, "[::1]:", 6) == 0 || strncmp (own->listen, "unix:", 5) == 0;

    if (!local && own->auth == AUTH_NONE && !own->allow_unauthenticated_remote) {
        return reason_set (why, -1,
                           "listen = %.200s is beyond loopback, and nobody has to log in; set "
                           "auth, or put a proxy with a login in front, or say "
                           "allow_unauthenticated_remote = yes",
                           own->listen);
    }
    if (!local && own->auth != AUTH_NONE && !*own->tls_certificate &&
        !own->allow_cleartext_remote) {
        return reason_set (why, -1,
                           "listen = %.200s is beyond loopback, and tokens would be sent in the "
                           "clear; set tls_certificate and tls_key, or, behind a proxy that does "
                           "TLS, say allow_cleartext_remote = yes",
                           own->listen);
    }
    return 0;
}

static int
check (const void *settings, reason_t *why)
{
    const settings_t *own = settings;
    auth_settings_t auth = auth_of (own);
    _cleanup_ (proxies_destroy) proxies_t *proxies = proxies_new (own->trusted_proxies, why);

    if (!proxies || check_reach (own, why) < 0 || auth_check (&auth, why) < 0 ||
        bus_keys_check (&own->keys, why) < 0) {
        return -1;
    }
    if (!*own->tls_certificate != !*own->tls_key) {
        return reason_set (why, -1, "tls_certificate and tls_key are set together or not at all");
    }
    if (*own->tls_certificate && tls_check (own->tls_certificate, own->tls_key, why) < 0) {
        return -1;
    }
    if (own->program.drain_ms > 0 && own->hub.drain_delay_ms >= own->program.drain_ms) {
        return reason_set (why, -1,
                           "drain_delay_ms = %" PRId64 " leaves nothing of drain_ms = %" PRId64
                           " to end the streams in; drain_ms is to be longer",
                           own->hub.drain_delay_ms, own->program.drain_ms);
    }
    int rc = otlp_check (&own->otlp, why);
    return rc < 0 ? rc : cors_check (own->cors_origins, why);
}

static const program_t GATEWAY = {
    .name = "cmlwatch-gateway",
    .section = "gateway",
    .summary = "serves the fleet's state and events: Server-Sent Events, REST and a page",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
    .check = check,
};

static void
on_reset (void *hub)
{
    hub_reset (hub);
}

static http_parts_t
parts_of (const settings_t *settings)
{
    return (http_parts_t){
        .body_max_bytes = settings->body_max_bytes,
        .filter_names_max = settings->filter_names_max,
        .compression = settings->hub.compression,
        .clients_max = settings->hub.clients_max,
        .heartbeat_seconds = settings->hub.heartbeat_seconds,
        .streams_per_user = settings->streams_per_user,
        .requests_per_second = settings->requests_per_second,
        .head_max_bytes = settings->head_max_bytes,
        .access_log = settings->access_log,
        .metrics_open = settings->metrics_open,
        .tls = *settings->tls_certificate != '\0',
        .dashboard_dir = settings->dashboard_dir,
        .connections = {.request_seconds = settings->request_timeout_seconds,
                        .answers_max = settings->answers_max_bytes,
                        .per_address_max = settings->connections_per_address,
                        .most = settings->connections_max > 0
                                    ? settings->connections_max
                                    : settings->hub.clients_max + SPARE_CONNECTIONS,
                        .origins = settings->cors_origins}};
}

//  As /readyz says it.
static bool
is_ready (void *argument, reason_t *why)
{
    const http_parts_t *parts = argument;
    return feed_client_is_ready (parts->feed, why);
}

//  The parts that HTTP leans on beside the feed and the hub; then it serves until the end.
static int
serve (const settings_t *settings, http_parts_t *parts, const mask_t *mask, reason_t *why)
{
    auth_settings_t wanted = auth_of (settings);
    _cleanup_ (proxies_destroy) proxies_t *proxies = proxies_new (settings->trusted_proxies, why);
    _cleanup_ (auth_destroy) auth_t *auth =
        proxies ? auth_new (parts->loop, &wanted, mask, parts->metrics, why) : NULL;
    _cleanup_ (tls_destroy) tls_t *tls = auth && parts->tls
                                             ? tls_new (parts->loop, settings->tls_certificate,
                                                        settings->tls_key, parts->metrics, why)
                                             : NULL;
    _cleanup_ (text_page_destroy) text_page_t *text_page =
        text_page_new (settings->text_rows_max, parts->metrics);
    if (!auth || !text_page || (parts->tls && !tls)) {
        return -1;
    }
    parts->text_page = text_page;
    parts->auth = auth;
    parts->connections.proxies = proxies;
    _cleanup_ (http_destroy) http_t *http = http_new (settings->listen, parts, why);
    _cleanup_ (notify_destroy) notify_t *notify =
        http ? notify_new (parts->loop, is_ready, parts) : NULL;
    if (!notify) {
        return -1;
    }
    log_info ("ready", LOG_TEXT ("listen", settings->listen), LOG_TEXT ("feed", settings->feed),
              LOG_TEXT ("auth", AUTH_METHODS [settings->auth]),
              LOG_TEXT ("tls", parts->tls ? "yes" : "no"));
    return loop_run (parts->loop);
}

//  For the hub: what it has is the aggregator's latest.
static bool
is_current (void *argument)
{
    reason_t why;
    return feed_client_is_ready (argument, &why);
}

static int
run (const settings_t *settings, reason_t *why)
{
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (SERIES_MAX);
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (settings->program.drain_ms);
    _cleanup_ (mask_destroy) mask_t *mask = mask_new (settings->masked_fields, why);
    bool known = settings->auth != AUTH_NONE;  //  else nobody is a viewer only
    _cleanup_ (replica_destroy) replica_t *replica = replica_new (known ? mask : NULL);
    _cleanup_ (event_log_destroy) event_log_t *log =
        event_log_new ((size_t) settings->event_log_max, (size_t) settings->event_log_max_bytes);
    if (!metrics || !loop || !mask || !replica || !log) {
        return reason_set (why, -1, "out of memory or descriptors");
    }
    _cleanup_ (heap_destroy) heap_t *heap = heap_new (loop, metrics);
    if (!heap) {
        return reason_set (why, -1, "out of memory");
    }
    _cleanup_ (otlp_destroy) otlp_t *otlp = NULL;
    if (otlp_open (&otlp, loop, &settings->otlp, GATEWAY.name, metrics, why) < 0) {
        return -1;
    }
    _cleanup_ (bus_keys_destroy) bus_keys_t *keys = NULL;
    if (bus_keys_open (&keys, &settings->keys, why) < 0) {
        return -1;
    }
    _cleanup_ (hub_destroy) hub_t *hub = hub_new (loop, &settings->hub, replica, log, metrics, why);
    _cleanup_ (arrivals_destroy) arrivals_t *arrivals =
        hub && otlp ? arrivals_new (loop, otlp, hub) : NULL;
    feed_listener_t listener = {.reset = on_reset, .argument = hub, .arrivals = arrivals};
    _cleanup_ (feed_client_destroy) feed_client_t *feed =
        hub ? feed_client_new (loop, settings->feed, settings->control, keys,
                               settings->high_water_mark, settings->feed_buffer_max,
                               settings->replay_max, replica, log, &listener, metrics, why)
            : NULL;
    _cleanup_ (asks_destroy) asks_t *asks =
        feed ? asks_new (loop, settings->control, keys, settings->ask_timeout_ms,
                         settings->asks_max, metrics, why)
             : NULL;
    _cleanup_ (audit_destroy) audit_t *audit =
        asks ? audit_new (loop, settings->audit_log, settings->audit_queue_max_bytes, metrics, why)
             : NULL;
    if (!audit) {
        return -1;
    }
    hub_follow (hub, is_current, feed);
    http_parts_t parts = parts_of (settings);
    parts.loop = loop;
    parts.hub = hub;
    parts.replica = replica;
    parts.log = log;
    parts.feed = feed;
    parts.asks = asks;
    parts.audit = audit;
    parts.metrics = metrics;
    return serve (settings, &parts, mask, why);
}

int
main (int argc, char **argv)
{
    static settings_t settings;
    reason_t why = {0};

    switch (program_start (&GATEWAY, argc, argv, &settings, &why)) {
    case PROGRAM_RUN: break;
    case PROGRAM_ANSWERED: return EXIT_SUCCESS;
    case PROGRAM_REFUSED: return program_refuse (&GATEWAY, &why);
    }
    return run (&settings, &why) < 0 ? program_refuse (&GATEWAY, &why) : EXIT_SUCCESS;
}
