// prometheus_source.c - an optional collector: the load of workers that run a node exporter.
//
// Also the worked example of collector/README.md: all that a source has to be. One GET a round for
// each worker; what it remembers of a worker is the last reading of the CPUs' counters.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../core/collector.h"
#include "prometheus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct prometheus_settings {
    collector_settings_t collector;  //  first, always
    int64_t port, answer_max_bytes;
    char path [CONFIG_TEXT_SIZE], mountpoint [CONFIG_TEXT_SIZE];
} prometheus_settings_t;

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (collector_settings_t),
    COLLECTOR_KEYS ("127.0.0.1:8085", "15000", 100, "32"),
    {"port",             CONFIG_INTEGER, offsetof (prometheus_settings_t, port),             "9100",     1, 65535,       NULL, "port of the exporter on each worker"},
    {"path",             CONFIG_TEXT,    offsetof (prometheus_settings_t, path),             "/metrics", 0, 0,           NULL, "where its page is"},
    {"mountpoint",       CONFIG_TEXT,    offsetof (prometheus_settings_t, mountpoint),       "/",        0, 0,           NULL, "the file system whose use is the worker's storage"},
    {"answer_max_bytes", CONFIG_INTEGER, offsetof (prometheus_settings_t, answer_max_bytes), "4194304",  1024, 67108864, NULL, "largest page that is read; a larger one is refused"},
    {0},
};
// clang-format on

typedef struct prometheus {  //  the source's own state
    collector_t *core;
    const prometheus_settings_t *settings;
} prometheus_t;

typedef struct unit {  //  of one worker, between rounds
    prometheus_t *source;
    prometheus_load_t last;
    bool has_last;
    http_call_t *call;
} unit_t;

static void
take_page (const prometheus_t *self, unit_t *unit, const char *page, utilization_observed_t *out)
{
    prometheus_load_t load = prometheus_read (page, self->settings->mountpoint);

    out->cpu_percent = unit->has_last ? prometheus_cpu_percent (&unit->last, &load) : UNKNOWN;
    out->memory_percent = load.memory_percent;
    out->disk_percent = load.storage_percent;
    out->cpu_measured_at = out->memory_measured_at = out->disk_measured_at =
        collector_now (self->core).wall;
    unit->last = load;
    unit->has_last = true;
}

static void
on_answer (void *argument, const http_answer_t *answer)
{
    collector_round_t *round = argument;
    unit_t *unit = collector_round_unit (round);
    const prometheus_t *self = unit->source;
    observation_t observation;
    utilization_observed_t *out = &observation.utilization_observed;
    char why [40];

    unit->call = NULL;
    observation_init (&observation, EVENT_UTILIZATION_OBSERVED);  //  everything unknown
    out->interval_seconds = collector_round_interval_seconds (round);
    bool ok = answer->outcome == HTTP_ANSWERED && answer->status == 200;
    if (ok) {
        take_page (self, unit, answer->body, out);
    } else if (answer->outcome == HTTP_ANSWERED) {
        snprintf (why, sizeof why, "the exporter answered %d", answer->status);
        out->error_code = "http";
        out->error_message = why;
    } else {
        out->error_code = http_outcome_name (answer->outcome);
        out->error_message = answer->why.text;
    }
    usage_count (collector_usage (self->core), "", collector_round_worker (round)->region,
                 ok ? USAGE_ANSWERED : USAGE_FAILED);
    collector_publish (self->core, &observation, collector_round_worker (round)->subject);
    collector_round_end (&round, ok);  //  exactly once
}

static void
start (void *state, collector_round_t *round)
{
    prometheus_t *self = state;
    unit_t *unit = collector_round_unit (round);
    const collector_worker_t *worker = collector_round_worker (round);
    char url [CONFIG_TEXT_SIZE + 200];
    reason_t why = {0};

    unit->source = self;
    snprintf (url, sizeof url, "http://%s:%lld%s",
              *worker->private_ip ? worker->private_ip : worker->public_ip,
              (long long) self->settings->port, self->settings->path);
    http_request_t request = {
        .method = "GET", .url = url, .answer_max = (size_t) self->settings->answer_max_bytes};
    unit->call = http_client_send (collector_http (self->core), &request, on_answer, round, &why);
    if (!unit->call) {
        collector_report (self->core, worker->region, "prometheus", "unsent", why.text);
        collector_round_end (&round, false);
    }
}

static void
clear_unit (void *state, void *unit)
{
    (void) state;
    http_call_cancel (&((unit_t *) unit)->call);
}

static void *
init (collector_t *core, const void *settings, reason_t *why)
{
    prometheus_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    self->core = core;
    self->settings = settings;
    return self;
}

static int
check (const void *settings, reason_t *why)
{
    const prometheus_settings_t *own = settings;

    return *own->path == '/'
               ? 0
               : reason_set (why, -EINVAL, "path = '%.80s' must begin with '/'", own->path);
}

const collector_source_t collector_source = {
    .kind = "prometheus",
    .program = "cmlwatch-collector-prometheus",
    .section = "collector-prometheus",
    .summary = "reads the load of workers that run Prometheus' node exporter",
    .reads = COLLECTOR_READS_WORKERS,
    .keys = KEYS,
    .settings_size = sizeof (prometheus_settings_t),
    .check = check,
    .init = init,
    .destroy = free,
    .start = start,
    .unit_size = sizeof (unit_t),
    .unit_clear = clear_unit,
};
