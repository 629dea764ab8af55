// cloudwatch_source.c - the collector of CloudWatch: CPU, memory and disk of the workers
// that run.
//
// A round reads one region (cloudwatch_round.h): of its leased workers those that are due, 60 s with
// detailed monitoring, 300 s with basic, for CloudWatch has no newer points; interval_ms overrides.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "cloudwatch_region.h"
#include "cloudwatch_round.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct cloudwatch_settings {
    collector_settings_t collector;
    int api;  //  cw_api_t
    cw_prices_t prices;
} cloudwatch_settings_t;

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (collector_settings_t),
    COLLECTOR_KEYS ("127.0.0.1:8083", "0", 0, "16"),
    COLLECTOR_REGION_KEYS,
    {"api",              CONFIG_CHOICE,  offsetof (cloudwatch_settings_t, api),                     "auto",    0, 0,             CW_APIS, "data: GetMetricData, up to 500 metrics a request; statistics: GetMetricStatistics, one each; auto: what costs less"},
    {"price_metric_microusd",  CONFIG_INTEGER, offsetof (cloudwatch_settings_t, prices.metric_microusd),  "10", 0, 1000000,    NULL, "price of one metric asked for by GetMetricData, in millionths of a dollar"},
    {"price_request_microusd", CONFIG_INTEGER, offsetof (cloudwatch_settings_t, prices.request_microusd), "10", 0, 1000000,    NULL, "price of one request beyond the free ones, in millionths of a dollar"},
    {"free_requests",    CONFIG_INTEGER, offsetof (cloudwatch_settings_t, prices.free_requests),    "1000000", 0, 1000000000000, NULL, "requests that are free each month: this collector's share of the account's"},
    {"budget_usd",       CONFIG_INTEGER, offsetof (cloudwatch_settings_t, prices.budget_usd),       "0",       0, 1000000,       NULL, "what this collector may cost a month; near it that is said, beyond it intervals become longer; 0: no bound"},
    {0},
};
// clang-format on

typedef struct cloudwatch {
    collector_t *core;
    const cloudwatch_settings_t *settings;
    aws_api_t *api;
    cw_budget_t *budget;
    cw_rounds_t *rounds;
} cloudwatch_t;

static void
explain (const void *settings, FILE *out)
{
    const cloudwatch_settings_t *own = settings;

    aws_span_t span = aws_accounts_span_of (&own->collector);

    cw_cost_explain (&own->prices, own->collector.interval_ms, out);
    cw_cost_explain_requests (own->collector.interval_ms, span.accounts, span.units, out);
}

//  --- rounds and jobs

static void
start (void *state, collector_round_t *round)
{
    cw_rounds_start (((cloudwatch_t *) state)->rounds, round);
}

static void
refresh (void *state, collector_job_t *job)
{
    cw_rounds_start_job (((cloudwatch_t *) state)->rounds, job);
}

static void
stop (void *state, collector_job_t *job)
{
    cw_rounds_stop_job (((cloudwatch_t *) state)->rounds, job);
}

static const collector_capability_t CAPABILITIES [] = {
    {"metrics.refresh:cloudwatch", refresh, stop},
    {0},
};

//  --- life

//  New workers are read at once, not at the region's next turn; nobody who is not due is asked.
static void
leased (void *state)
{
    cloudwatch_t *self = state;
    size_t count;
    const collector_worker_t *const *workers = collector_workers (self->core, NULL, &count);
    const char *region = "";

    for (size_t i = 0; i < count; i++) {
        if (strcmp (workers [i]->region, region) != 0) {
            region = workers [i]->region;
            collector_make_due (self->core, region);
        }
    }
}

//  A region's rounds come as often as its most watched worker needs.
static int64_t
unit_interval_ms (void *state, const char *region)
{
    cloudwatch_t *self = state;
    size_t count;
    const collector_worker_t *const *workers = collector_workers (self->core, region, &count);
    bool detailed = false;

    for (size_t i = 0; i < count; i++) {
        detailed |= workers [i]->detailed_monitoring == FLAG_YES;
    }
    return cw_rounds_interval_ms (self->rounds, detailed);
}

static void
destroy (void *state)
{
    cloudwatch_t *self = state;

    cw_rounds_destroy (&self->rounds);
    aws_api_destroy (&self->api);
    cw_budget_destroy (&self->budget);
    free (self);
}

static void *
init (collector_t *core, const void *settings, reason_t *why)
{
    cloudwatch_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "cloudwatch: out of memory");
        return NULL;
    }
    self->core = core;
    self->settings = settings;
    self->budget = cw_budget_new (core, (cw_api_t) self->settings->api, &self->settings->prices);
    self->api = aws_api_new (core, &self->settings->collector, aws_getenv, why);
    if (!self->api || !self->budget) {
        destroy (self);
        return NULL;
    }
    self->rounds =
        cw_rounds_new (core, self->api, self->budget, self->settings->collector.interval_ms);
    if (!self->rounds) {
        reason_set (why, -ENOMEM, "cloudwatch: out of memory");
        destroy (self);
        return NULL;
    }
    return self;
}

static const char *const *
accounts (void *state, const char *region, size_t *count)
{
    cloudwatch_t *self = state;
    return aws_accounts_of_region (aws_api_accounts (self->api), region, count);
}

static uint64_t
lists (void *state)
{
    const cloudwatch_t *self = state;
    return aws_accounts_digest (aws_api_accounts (self->api));
}

static const char *
regions (void *state)
{
    const cloudwatch_t *self = state;
    return aws_accounts_regions (aws_api_accounts (self->api));
}

static void
unit_clear (void *state, void *unit)
{
    (void) state;
    cw_region_clear (unit);
}

const collector_source_t collector_source = {
    .kind = "cloudwatch",
    .program = "cmlwatch-collector-cloudwatch",
    .section = "collector-cloudwatch",
    .summary = "reads CloudWatch: CPU, memory and disk of the workers that run",
    .reads = COLLECTOR_READS_REGIONS,
    .keys = KEYS,
    .default_region = aws_default_region,
    .settings_size = sizeof (cloudwatch_settings_t),
    .check = aws_accounts_check,
    .explain = explain,
    .init = init,
    .destroy = destroy,
    .start = start,
    .needs_workers = true,
    .plan = start,  //  aws_api_ask asks nothing then
    .unit_size = sizeof (cw_region_t),
    .unit_clear = unit_clear,
    .accounts = accounts,
    .regions = regions,
    .lists = lists,
    .leased = leased,
    .unit_interval_ms = unit_interval_ms,
    .capabilities = CAPABILITIES,
};
