// main.c - a gateway: holds a replica and the recent events, and serves them.
//
// The feed fills the replica and the log (feed_client); the hub writes the log to each client;
// http answers the rest. Nothing here matters to anyone else: a gateway may be killed at any time.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "../common/log.h"
#include "../common/program.h"
#include "cors.h"
#include "http.h"

#include <stdlib.h>
#include <string.h>

#define SERIES_MAX 1000

typedef struct settings {
    program_settings_t program;
    char listen [CONFIG_TEXT_SIZE], control [CONFIG_TEXT_SIZE], feed [CONFIG_TEXT_SIZE],
        dashboard_dir [CONFIG_TEXT_SIZE], cors_origins [CONFIG_TEXT_SIZE];
    bool allow_unauthenticated_remote;
    int64_t event_log_max, event_log_max_bytes, feed_buffer_max, replay_max, ask_timeout_ms,
        body_max_bytes, filter_names_max, request_timeout_seconds, connections_per_address;
    hub_settings_t hub;
    otlp_settings_t otlp;
} settings_t;

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (settings_t),
    {"listen",              CONFIG_TEXT,    offsetof (settings_t, listen),              "127.0.0.1:8080",    0, 0,               NULL, "address of the page, the stream and the API; host:port or unix:/path"},
    {"control",             CONFIG_TEXT,    offsetof (settings_t, control),             BUS_CONTROL_DEFAULT, 0, 0,               NULL, "aggregator's socket for questions"},
    {"feed",                CONFIG_TEXT,    offsetof (settings_t, feed),                BUS_FEED_DEFAULT,    0, 0,               NULL, "aggregator's feed"},
    {"allow_unauthenticated_remote", CONFIG_FLAG, offsetof (settings_t, allow_unauthenticated_remote), "no", 0, 0,              NULL, "listen beyond loopback although nobody has to log in"},
    {"clients_max",         CONFIG_INTEGER, offsetof (settings_t, hub.clients_max),     "10000",             1, 1000000,         NULL, "open streams; beyond it a stream is answered with retry and ended"},
    {"heartbeat_seconds",   CONFIG_INTEGER, offsetof (settings_t, hub.heartbeat_seconds), "30",              1, 60,              NULL, "heartbeat of a stream that does not ask for its own"},
    {"stall_timeout_seconds", CONFIG_INTEGER, offsetof (settings_t, hub.stall_timeout_seconds), "60",        1, 3600,            NULL, "a client that takes nothing for so long is closed"},
    {"send_buffer_bytes",   CONFIG_INTEGER, offsetof (settings_t, hub.send_buffer_bytes), "65536",           4096, 16777216,     NULL, "the kernel's buffer for one client; what it cannot take waits in the log"},
    {"queue_max_bytes",     CONFIG_INTEGER, offsetof (settings_t, hub.queue_max_bytes), "1048576",           1024, 1073741824, NULL, "a stream behind by more gets the newest snapshot of each worker instead of every one"},
    {"slow_after_ms",       CONFIG_INTEGER, offsetof (settings_t, hub.slow_after_ms),   "1000",              0, 3600000,       NULL, "and only if the oldest event that it has not had is older; a burst makes nobody slow"},
    {"states_per_second",   CONFIG_INTEGER, offsetof (settings_t, hub.states_per_second), "500",             1, 1000000,       NULL, "full states begun in a second; the others wait for their turn"},
    {"images_max",          CONFIG_INTEGER, offsetof (settings_t, hub.images_max),      "16",                1, 1024,          NULL, "full states held at once for slow streams to read; the others share them"},
    {"stream_lifetime_seconds", CONFIG_INTEGER, offsetof (settings_t, hub.stream_lifetime_seconds), "0",     0, 31536000,      NULL, "a stream is ended after about so long, so that streams spread over gateways; 0: never"},
    {"compression",         CONFIG_FLAG,    offsetof (settings_t, hub.compression),     "yes",               0, 0,             NULL, "compress the streams of clients that accept gzip, once for all of them"},
    {"packers_max",         CONFIG_INTEGER, offsetof (settings_t, hub.packers_max),     "64",                0, 100000,        NULL, "distinct filters whose events are compressed in the context of earlier ones; the others one by one"},
    {"filter_names_max",    CONFIG_INTEGER, offsetof (settings_t, filter_names_max),    "256",               1, 100000,        NULL, "names in each list of a filter"},
    {"event_log_max",       CONFIG_INTEGER, offsetof (settings_t, event_log_max),       "100000",            16, 10000000,       NULL, "events held for clients that are behind or come back"},
    {"event_log_max_bytes", CONFIG_INTEGER, offsetof (settings_t, event_log_max_bytes), "134217728",         65536, 17179869184, NULL, "bytes of these; the oldest go first"},
    {"feed_buffer_max",     CONFIG_INTEGER, offsetof (settings_t, feed_buffer_max),     "100000",            100, 10000000,      NULL, "feed messages kept while the state is asked for; beyond it the join starts over"},
    {"replay_max",          CONFIG_INTEGER, offsetof (settings_t, replay_max),          "10000",             0, 10000000,        NULL, "events asked of the aggregator at a join, so that clients can come back to where they were"},
    {"ask_timeout_ms",      CONFIG_INTEGER, offsetof (settings_t, ask_timeout_ms),      "2000",              100, 60000,         NULL, "longest wait for the aggregator's answer to a request; then 503"},
    {"body_max_bytes",      CONFIG_INTEGER, offsetof (settings_t, body_max_bytes),      "16384",             64, 1048576,        NULL, "largest body of a request; a larger one is refused with 413"},
    {"dashboard_dir",       CONFIG_TEXT,    offsetof (settings_t, dashboard_dir),       "",                  0, 0,               NULL, "folder to serve the page from, instead of the embedded one"},
    {"request_timeout_seconds", CONFIG_INTEGER, offsetof (settings_t, request_timeout_seconds), "30",        1, 3600,            NULL, "time for a request to be there, head and body; a slower connection is closed"},
    {"connections_per_address", CONFIG_INTEGER, offsetof (settings_t, connections_per_address), "0",         0, 1000000,         NULL, "connections of one address at once, streams among them; more are closed; 0: no bound, as behind a proxy"},
    {"cors_origins",        CONFIG_TEXT,    offsetof (settings_t, cors_origins),        "",                  0, 0,               NULL, "origins, apart by commas, whose pages may read the answers, like https://ops.example.com; none otherwise"},
    OTLP_KEYS (settings_t, otlp),
    {0},
};
// clang-format on

static int
check (const void *settings, reason_t *why)
{
    const settings_t *own = settings;
    bool local = strncmp (own->listen, "127.", 4) == 0 ||
                 strncmp (own->listen, "localhost:", 10) == 0 ||
                 strncmp (own->listen, "[::1]:", 6) == 0 || strncmp (own->listen, "unix:", 5) == 0;

    if (!local && !own->allow_unauthenticated_remote) {
        return reason_set (why, -1,
                           "listen = %.200s is beyond loopback, and nobody has to log in; put a "
                           "proxy with a login in "
                           "front, or say allow_unauthenticated_remote = yes",
                           own->listen);
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

static int
run (const settings_t *settings, reason_t *why)
{
    _cleanup_ (metrics_destroy) metrics_t *metrics = metrics_new (SERIES_MAX);
    _cleanup_ (loop_destroy) loop_t *loop = loop_new (settings->program.drain_ms);
    _cleanup_ (replica_destroy) replica_t *replica = replica_new ();
    _cleanup_ (event_log_destroy) event_log_t *log =
        event_log_new ((size_t) settings->event_log_max, (size_t) settings->event_log_max_bytes);
    if (!metrics || !loop || !replica || !log) {
        return reason_set (why, -1, "out of memory or descriptors");
    }
    _cleanup_ (otlp_destroy) otlp_t *otlp = NULL;
    if (otlp_open (&otlp, loop, &settings->otlp, GATEWAY.name, metrics, why) < 0) {
        return -1;
    }
    _cleanup_ (hub_destroy) hub_t *hub = hub_new (loop, &settings->hub, replica, log, metrics, why);
    _cleanup_ (arrivals_destroy) arrivals_t *arrivals =
        hub && otlp ? arrivals_new (loop, otlp, hub) : NULL;
    feed_listener_t listener = {.reset = on_reset, .argument = hub, .arrivals = arrivals};
    _cleanup_ (feed_client_destroy) feed_client_t *feed =
        hub ? feed_client_new (loop, settings->feed, settings->control, settings->feed_buffer_max,
                               settings->replay_max, replica, log, &listener, metrics, why)
            : NULL;
    _cleanup_ (asks_destroy) asks_t *asks =
        feed ? asks_new (loop, settings->control, settings->ask_timeout_ms, metrics, why) : NULL;
    http_parts_t parts = {.loop = loop,
                          .hub = hub,
                          .replica = replica,
                          .log = log,
                          .feed = feed,
                          .asks = asks,
                          .body_max_bytes = settings->body_max_bytes,
                          .filter_names_max = settings->filter_names_max,
                          .compression = settings->hub.compression,
                          .metrics = metrics,
                          .clients_max = settings->hub.clients_max,
                          .heartbeat_seconds = settings->hub.heartbeat_seconds,
                          .dashboard_dir = settings->dashboard_dir,
                          .connections = {settings->request_timeout_seconds,
                                          settings->connections_per_address,
                                          settings->cors_origins}};
    _cleanup_ (http_destroy) http_t *http = asks ? http_new (settings->listen, &parts, why) : NULL;
    if (!http) {
        return -1;
    }
    log_info ("ready", LOG_TEXT ("listen", settings->listen), LOG_TEXT ("feed", settings->feed));
    return loop_run (loop);
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
