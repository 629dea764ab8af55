// cml_source.c - the collector of CML: what each server says of itself, its labs, its use.
//
// A round reads one worker (cml_round.h); rounds share nothing but the settings and the
// fingerprints, so a server that is dead, slow or broken is nobody else's delay.
//
//     cml_server    where it is, and by which key it is known (cml_pins)
//     cml_session   its login (cml_login, cml_token) and its requests
//     cml_fault     what an answer is worth
//     cml_round     the phases, in order; cml_labs, cml_activity, cml_told: what they know
//     cml_observe   what is said of what was found
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "cml_round.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USERNAME_MAX 32  //  CML's own bound

static const char *const ADDRESSES [] = {"public", "private", NULL};
static const char *const VERIFIES [] = {"full", "fingerprint", "off", NULL};  //  as http_verify_t

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (collector_settings_t),
    COLLECTOR_KEYS ("127.0.0.1:8084", "15000", 100, "64"),
    {"username",       CONFIG_TEXT,    offsetof (cml_settings_t, username),       "",       0, 0,          NULL,      "account on every CML server; one of its own, for what it reads is recorded as its activity"},
    {"password",       CONFIG_SECRET,  offsetof (cml_settings_t, password),       "",       0, 0,          NULL,      "its password"},
    {"address",        CONFIG_CHOICE,  offsetof (cml_settings_t, address),        "public", 0, 0,          ADDRESSES, "which of a worker's addresses is asked"},
    {"port",           CONFIG_INTEGER, offsetof (cml_settings_t, port),           "443",    1, 65535,      NULL,      "port of HTTPS on it"},
    {"verify",         CONFIG_CHOICE,  offsetof (cml_settings_t, verify),         "full",   0, 0,          VERIFIES,  "how a server proves to be it: by a chain to ca_file and its name, by a key in fingerprints, or (off) not at all"},
    {"fingerprints",   CONFIG_TEXT,    offsetof (cml_settings_t, fingerprints),   "",       0, 0,          NULL,      "file of lines `<instance id, worker name, address or *> sha256//<base64>`, for verify = fingerprint"},
    {"ca_file",        CONFIG_TEXT,    offsetof (cml_settings_t, ca_file),        "",       0, 0,          NULL,      "certificates to trust with verify = full; empty: the system's"},
    {"connect_ms",     CONFIG_INTEGER, offsetof (cml_settings_t, connect_ms),     "5000",   50, 60000,     NULL,      "longest time to a connection; then the server is unreachable in this round"},
    {"total_ms",       CONFIG_INTEGER, offsetof (cml_settings_t, total_ms),       "15000",  50, 300000,    NULL,      "longest time of one request; then the rest of the round is left out"},
    {"labs_per_round", CONFIG_INTEGER, offsetof (cml_settings_t, labs_per_round), "100",    1, 5000,       NULL,      "labs of one server whose details are read in one round; more take turns, running ones more often"},
    {"node_states",    CONFIG_FLAG,    offsetof (cml_settings_t, node_states),    "yes",    0, 0,          NULL,      "tell when a node of a running lab changes its state; one request more for each such lab and round"},
    {"activity_interval_ms", CONFIG_INTEGER, offsetof (cml_settings_t, activity_interval_ms), "60000", 0, 3600000, NULL, "least time between two readings of a server's telemetry log, which comes whole; 0: each round"},
    {0},
};
// clang-format on

typedef struct cml {
    const cml_settings_t *settings;
    cml_pins_t *pins;  //  null unless verify = fingerprint
} cml_t;

static int
check (const void *settings, reason_t *why)
{
    const cml_settings_t *own = settings;
    size_t size = strlen (own->username);

    if (size == 0 || size > USERNAME_MAX) {
        return reason_set (why, -EINVAL,
                           "username = '%s' is not 1 to %d characters; it has no default",
                           own->username, USERNAME_MAX);
    }
    if (!*own->password) {
        return reason_set (why, -EINVAL,
                           "password is not set; CMLWATCH_COLLECTOR_CML_PASSWORD_FILE may name a "
                           "file that holds it");
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
    double rounds = 30.0 * 86400 * 1000 / (double) own->collector.interval_ms;

    fprintf (out,
             "# For each CML server and 30 days: %.0f rounds of 5 requests and one for each lab\n"
             "# (at most %lld a round), never more than %d at once. They cost nothing at AWS but\n"
             "# the traffic where it leaves the network.\n",
             rounds, (long long) own->labs_per_round, CML_AT_ONCE);
}

static void
destroy (void *state)
{
    cml_t *self = state;

    cml_pins_destroy (&self->pins);
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
    if (self->settings->verify == HTTP_VERIFY_FINGERPRINT &&
        !(self->pins = cml_pins_read (self->settings->fingerprints, why))) {
        destroy (self);
        return NULL;
    }
    warn_of_verify_off (core, self->settings);
    return self;
}

static void
start (void *state, collector_round_t *round)
{
    cml_t *self = state;
    cml_round_start (self->settings, self->pins, round);
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
    const cml_t *self = state;
    const collector_worker_t *worker = collector_round_worker (round);
    const bool is_private = self->settings->address != 0;
    const char *address = is_private ? worker->private_ip : worker->public_ip;
    char url [200];

    snprintf (url, sizeof url, "https://%s:%lld/api/v0", *address ? address : "(no address)",
              (long long) self->settings->port);
    for (size_t i = 0; i < sizeof PATHS / sizeof *PATHS; i++) {
        collector_print_call (collector_round_core (round),
                              &(collector_call_t){.api = PATHS [i],
                                                  .region = worker->region,
                                                  .url = url,
                                                  .keys = self->settings->username,
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
    .unit_size = sizeof (cml_worker_t),
    .unit_clear = unit_clear,
    .unit_forget = unit_forget,
};
