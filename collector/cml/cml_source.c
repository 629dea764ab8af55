// cml_source.c - the collector of CML: what each server says of itself, its labs, its use.
//
// A round reads one worker (cml_round.h); rounds share nothing but the settings and the
// fingerprints, so a server that is dead, slow or broken is nobody else's delay.
//
//     cml_server    where it is (cml_address), by which key it is known (cml_pins), and with
//                   which account it is opened (cml_logins)
//     cml_servers   those that are no EC2 instances; cml_listing: that they are there
//     cml_session   its login (cml_login, cml_token) and its requests
//     cml_fault     what an answer is worth
//     cml_worker    what is kept between rounds
//     cml_round     the phases, in order; cml_labs, cml_activity, cml_told: what they know
//     cml_observe   what is said of what was found
//
// Since 2.9 a server says most of it by itself:
//
//     cml_push      its connection and when it is tried again (cml_pace)
//     cml_teller    what is told of what comes
//     cml_socket    a WebSocket (cml_upgrade); cml_said: one message
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "cml_address.h"
#include "cml_listing.h"
#include "cml_logins.h"
#include "cml_round.h"
#include "cml_worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REGION_MAX      63
#define PUSHES_PER_HOST 2  //  one that ends and the next

static const char *const PUSHES [] = {"auto", "off", NULL};  //  as cml_push_choice_t
static const char *const VERIFIES [] = {"full", "fingerprint", "off", NULL};  //  as http_verify_t

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (collector_settings_t),
    COLLECTOR_KEYS ("127.0.0.1:8084", "15000", 100, "64"),
    {"username",       CONFIG_TEXT,    offsetof (cml_settings_t, username),       "",       0, 0,          NULL,      "account on every CML server; one of its own, for what it reads is recorded as its activity"},
    {"password",       CONFIG_SECRET,  offsetof (cml_settings_t, password),       "",       0, 0,          NULL,      "its password"},
    {"logins_file",    CONFIG_TEXT,    offsetof (cml_settings_t, logins_file),    "",       0, 0,          NULL,      "file of lines `<pattern of name or instance id, or tag:<key>=<pattern>> <username> <password file>`; the first that fits, else username"},
    {"address",        CONFIG_TEXT,    offsetof (cml_settings_t, address),        "public", 0, 0,          NULL,      "where a worker's CML answers: public, private, tag:<key>, or a template as https://{name}.lab.example.com"},
    {"servers_file",   CONFIG_TEXT,    offsetof (cml_settings_t, servers_file),   "",       0, 0,          NULL,      "CML servers that are no EC2 instances: lines `<name> <host, host:port or https://host:port>`; the same for all CML collectors"},
    {"servers_region", CONFIG_TEXT,    offsetof (cml_settings_t, servers_region), "cml",    0, 0,          NULL,      "the region that these are shown in; none of EC2's"},
    {"port",           CONFIG_INTEGER, offsetof (cml_settings_t, port),           "443",    1, 65535,      NULL,      "port of HTTPS on it, unless the address names one"},
    {"verify",         CONFIG_CHOICE,  offsetof (cml_settings_t, verify),         "full",   0, 0,          VERIFIES,  "how a server proves to be it: by a chain to ca_file and its name, by a key in fingerprints, or (off) not at all"},
    {"fingerprints",   CONFIG_TEXT,    offsetof (cml_settings_t, fingerprints),   "",       0, 0,          NULL,      "file of lines `<instance id, worker name, address or *> sha256//<base64>`, for verify = fingerprint"},
    {"ca_file",        CONFIG_TEXT,    offsetof (cml_settings_t, ca_file),        "",       0, 0,          NULL,      "certificates to trust with verify = full; empty: the system's"},
    {"connect_ms",     CONFIG_INTEGER, offsetof (cml_settings_t, connect_ms),     "5000",   50, 60000,     NULL,      "longest time to a connection; then the server is unreachable in this round"},
    {"total_ms",       CONFIG_INTEGER, offsetof (cml_settings_t, total_ms),       "15000",  50, 300000,    NULL,      "longest time of one request; then the rest of the round is left out"},
    {"labs_per_round", CONFIG_INTEGER, offsetof (cml_settings_t, labs_per_round), "100",    1, 5000,       NULL,      "labs of one server whose details are read in one round; more take turns, running ones more often"},
    {"node_states",    CONFIG_FLAG,    offsetof (cml_settings_t, node_states),    "yes",    0, 0,          NULL,      "tell when a node of a running lab changes its state; one request more for each such lab and round"},
    {"activity_interval_ms", CONFIG_INTEGER, offsetof (cml_settings_t, activity_interval_ms), "60000", 0, 3600000, NULL, "least time between two readings of a server's telemetry log, which comes whole; 0: each round"},
    {"push",               CONFIG_CHOICE,  offsetof (cml_settings_t, push),               "auto",    0, 0,                 PUSHES, "listen to what a server says by itself (wss://…/ws/ui, CML 2.9 on) where it does, or only ask"},
    {"report_interval_ms", CONFIG_INTEGER, offsetof (cml_settings_t, report_interval_ms), "5000",    50, 600000,           NULL,   "a server that pushes: least time between two reports of its load, and of its labs; states are told at once"},
    {"push_poll_ms",       CONFIG_INTEGER, offsetof (cml_settings_t, push_poll_ms),       "60000",   50, 86400000,         NULL,   "a server that pushes: time between two rounds for what is not pushed (health, licence, list of labs, telemetry)"},
    {"push_idle_ms",       CONFIG_INTEGER, offsetof (cml_settings_t, push_idle_ms),       "30000",   300, 600000,          NULL,   "silence after which a pushing connection counts as dead, and without its load the server is asked again"},
    {"push_again_ms",      CONFIG_INTEGER, offsetof (cml_settings_t, push_again_ms),      "600000",  50, 86400000,         NULL,   "when a server that has no such path (before 2.9) is tried again"},
    {"push_message_max",   CONFIG_INTEGER, offsetof (cml_settings_t, push_message_max),   "1048576", 4096, 67108864,       NULL,   "bytes of one pushed message; a larger one ends the connection"},
    {"push_events_max",    CONFIG_INTEGER, offsetof (cml_settings_t, push_events_max),    "500",     1, 100000,            NULL,   "states of labs and nodes told of one server in a second; more are counted and dropped"},
    {0},
};
// clang-format on

typedef struct cml {
    const cml_settings_t *settings;
    cml_logins_t *logins;
    cml_servers_t *servers;
    cml_listing_t *listing;
    cml_pins_t *pins;     //  null unless verify = fingerprint
    http_client_t *push;  //  null: push = off
    cml_tools_t tools;
} cml_t;

static int
check_default_login (const cml_settings_t *own, reason_t *why)
{
    size_t size = strlen (own->username);

    if (size == 0 && *own->logins_file) {
        return 0;
    }
    if (size == 0 || size > CML_USERNAME_MAX) {
        return reason_set (why, -EINVAL,
                           "username = '%s' is not 1 to %d characters; it has no default",
                           own->username, CML_USERNAME_MAX);
    }
    if (!*own->password) {
        return reason_set (why, -EINVAL,
                           "password is not set; CMLWATCH_COLLECTOR_CML_PASSWORD_FILE may name a "
                           "file that holds it");
    }
    return 0;
}

static int
check (const void *settings, reason_t *why)
{
    const cml_settings_t *own = settings;

    if (!*own->servers_region || strpbrk (own->servers_region, "/|") ||
        strlen (own->servers_region) > REGION_MAX) {
        return reason_set (why, -EINVAL,
                           "servers_region = '%s' is not 1 to %d bytes without / and |",
                           own->servers_region, REGION_MAX);
    }
    if (check_default_login (own, why) < 0 || cml_address_check (own->address, why) < 0) {
        return -EINVAL;
    }
    _cleanup_ (cml_logins_destroy) cml_logins_t *logins =
        cml_logins_new (own->username, own->password, own->logins_file, why);
    if (!logins) {
        return -EINVAL;
    }
    _cleanup_ (cml_servers_destroy) cml_servers_t *servers =
        cml_servers_new (own->servers_region, own->servers_file, why);
    if (!servers) {
        return -EINVAL;
    }
    if (own->verify != HTTP_VERIFY_FINGERPRINT) {
        return 0;
    }
    if (!*own->fingerprints) {
        return reason_set (why, -EINVAL, "verify = fingerprint needs the file `fingerprints`");
    }
    _cleanup_ (cml_pins_destroy) cml_pins_t *pins = cml_pins_read (own->fingerprints, why);
    return pins ? 0 : -EINVAL;
}

static void
explain (const void *settings, FILE *out)
{
    const cml_settings_t *own = settings;
    double month_ms = 30.0 * 86400 * 1000;
    double rounds = month_ms / (double) own->collector.interval_ms;

    fprintf (out,
             "# For each CML server and 30 days: %.0f rounds of 5 requests and one for each lab\n"
             "# (at most %lld a round), never more than %d at once. They cost nothing at AWS but\n"
             "# the traffic where it leaves the network.\n",
             rounds, (long long) own->labs_per_round, CML_AT_ONCE);
    if (own->push == CML_PUSH_AUTO) {
        fprintf (out, "# A server that pushes (CML 2.9 on): %.0f rounds of 4 requests.\n",
                 month_ms / (double) own->push_poll_ms);
    }
}

static void
destroy (void *state)
{
    cml_t *self = state;

    http_client_destroy (&self->push);
    cml_pins_destroy (&self->pins);
    cml_listing_destroy (&self->listing);
    cml_servers_destroy (&self->servers);
    cml_logins_destroy (&self->logins);
    free (self);
}

static void
warn_of_verify_off (collector_t *core, const cml_settings_t *settings)
{
    bool is_off = settings->verify == HTTP_VERIFY_OFF;

    metric_set (metrics_add (collector_metrics (core), METRIC_GAUGE, "cmlwatch_cml_tls_unverified",
                             "1 while CML servers are believed without proof (verify = off)"),
                is_off);
    if (is_off) {
        log_warn ("verify = off: any host that answers at a worker's address is taken for its CML, "
                  "and is told the password",
                  LOG_TEXT ("remedy", "verify = fingerprint"));
    }
}

static void *
init (collector_t *core, const void *settings, reason_t *why)
{
    cml_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "cml: out of memory");
        return NULL;
    }
    self->settings = settings;
    self->logins = cml_logins_new (self->settings->username, self->settings->password,
                                   self->settings->logins_file, why);
    self->servers =
        cml_servers_new (self->settings->servers_region, self->settings->servers_file, why);
    self->listing = self->servers ? cml_listing_new (core, self->servers) : NULL;
    if (!self->logins || !self->listing) {
        destroy (self);
        return NULL;
    }
    if (self->settings->verify == HTTP_VERIFY_FINGERPRINT &&
        !(self->pins = cml_pins_read (self->settings->fingerprints, why))) {
        destroy (self);
        return NULL;
    }
    if (self->settings->push == CML_PUSH_AUTO &&
        !(self->push = http_client_new (collector_loop (core), PUSHES_PER_HOST,
                                        collector_metrics (core), why))) {
        destroy (self);
        return NULL;
    }
    self->tools =
        (cml_tools_t){self->settings, self->logins, self->servers, self->pins, self->push};
    warn_of_verify_off (core, self->settings);
    return self;
}

static void
leased (void *state)
{
    cml_t *self = state;
    cml_listing_follow (self->listing);
}

static void
start (void *state, collector_round_t *round)
{
    cml_t *self = state;
    cml_round_start (&self->tools, round);
}

//  What every round asks first; what follows depends on the answers.
static void
plan (void *state, collector_round_t *round)
{
    static const char *const PATHS [] = {
        "POST /authenticate", "GET /system_information", "GET /system_health",
        "GET /system_stats",  "GET /licensing",          "GET /labs?show_all=true",
        "GET /labs/{id}",     "GET /telemetry/events",
    };
    cml_t *self = state;
    const collector_worker_t *worker = collector_round_worker (round);
    cml_server_t server = {0};
    reason_t why = {0};
    char url [CML_ENDPOINT_SIZE + 16];
    bool known = cml_server_of (&server, &self->tools, worker, &why) == CML_OK;

    snprintf (url, sizeof url, "%s/api/v0", known ? server.endpoint : "(nowhere)");
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        collector_print_call (
            collector_round_core (round),
            &(collector_call_t){.api = PATHS [i],
                                .region = worker->region,
                                .url = url,
                                .keys = known ? server.account->username : why.text,
                                .parameters = worker->instance_id});
    }
    collector_round_end (&round, true);
}

static void
unit_clear (void *state, void *unit)
{
    (void) state;
    cml_worker_clear (unit);
}

static void
unit_forget (void *state, void *unit)
{
    (void) state;
    cml_worker_forget (unit);
}

//  A refresh is a round that is due now.
static void
refresh (void *state, collector_job_t *job)
{
    (void) state;
    collector_job_by_round (job);
}

static const collector_capability_t CAPABILITIES [] = {
    {"metrics.refresh:cml", refresh, NULL},
    {"labs.refresh", refresh, NULL},
    {0},
};

static uint64_t
lists (void *state)
{
    const cml_t *self = state;
    return cml_servers_digest (self->servers);
}

const collector_source_t collector_source = {
    .kind = "cml",
    .program = "cmlwatch-collector-cml",
    .section = "collector-cml",
    .summary = "asks CML servers: version, readiness, load, health, licence, labs, activity",
    .reads = COLLECTOR_READS_WORKERS,
    .keys = KEYS,
    .settings_size = sizeof (cml_settings_t),
    .check = check,
    .explain = explain,
    .init = init,
    .destroy = destroy,
    .start = start,
    .plan = plan,
    .leased = leased,
    .lists = lists,
    .unit_size = sizeof (cml_worker_t),
    .unit_clear = unit_clear,
    .unit_forget = unit_forget,
    .capabilities = CAPABILITIES,
};
