// cloudwatch_source.c - the collector of CloudWatch: CPU, memory and disk of the workers
// that run.
//
// A round reads one region: of its leased workers those that are due (60 s with detailed
// monitoring, 300 s with basic, for CloudWatch has no newer points; interval_ms overrides),
// in requests of up to 500 questions, one after the other. Before that the agent's series of
// workers that have none yet are looked for: by name for a few workers, by one listing of
// the whole region for many. That costs a question's wait once; when it fails, CPU is read
// all the same and it is looked for again after a while.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../common/url.h"
#include "../aws/query_api.h"
#include "cloudwatch_batch.h"
#include "cloudwatch_budget.h"
#include "cloudwatch_region.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_MAGIC      0xc10d2071u
#define LOOK_BY_NAME_MAX 10  //  workers; for more the whole region is listed

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
    zlistx_t *rounds;  //  under way; freed here when they cannot end
    cw_budget_t *budget;
} cloudwatch_t;

typedef struct cw_round {
    unsigned magic;
    cloudwatch_t *cloudwatch;
    collector_round_t *round;
    cw_region_t *region;
    cw_plan_t plan;
    size_t from, to;   //  queries of the request under way
    size_t published;  //  rows
    bool failed;
    cw_discovery_t discovery;
    zlistx_t *look_for;  //  cw_worker_t, borrowed
    bool whole_region;
    cw_metric_t looking_for;
} cw_round_t;

static void ask_data (cw_round_t *self);
static void look_on (cw_round_t *self);

static void
explain (const void *settings, FILE *out)
{
    const cloudwatch_settings_t *own = settings;

    aws_span_t span = aws_accounts_span_of (&own->collector);

    cw_cost_explain (&own->prices, own->collector.interval_ms, out);
    cw_cost_explain_requests (own->collector.interval_ms, span.accounts, span.units, out);
}

//  --- the round's end

static void
round_destroy (cw_round_t **self_p)
{
    cw_round_t *self = take_ptr (*self_p);

    if (self) {
        cw_plan_clear (&self->plan);
        zlistx_destroy (&self->look_for);
        free (self);
    }
}

static void
end_round (cw_round_t *self, bool ok)
{
    zlistx_t *rounds = self->cloudwatch->rounds;

    zlistx_delete (rounds, zlistx_find (rounds, self));
    collector_round_end (&self->round, ok);
    round_destroy (&self);
}

//  --- publishing

static void
publish_row (cw_round_t *self, const cw_row_t *row, time_us_t received)
{
    observation_t observation;

    observation_init (&observation, EVENT_UTILIZATION_OBSERVED);
    observation.envelope.time = received;
    cw_row_observe (row, &observation.utilization_observed);
    collector_publish (self->cloudwatch->core, &observation, row->subject);
}

//  The rows whose last question was in a request up to self->to.
static void
publish_complete_rows (cw_round_t *self, time_us_t received)
{
    for (; self->published < self->plan.rows_count; self->published++) {
        cw_row_t *row = &self->plan.rows [self->published];
        if (row->last_query >= self->to) {
            break;
        }
        publish_row (self, row, received);
        self->failed |= row->error_code [0] != '\0';
        for (int i = 0; !row->error_code [0] && i < CW_METRIC_COUNT; i++) {
            cw_worker_note (row->worker, (cw_metric_t) i, row->points [i].at != TIME_UNKNOWN);
        }
    }
}

//  --- GetMetricData

static void
on_data (void *argument, const aws_answer_t *answer)
{
    cw_round_t *self = argument;
    assert (self->magic == ROUND_MAGIC);

    if (answer->fault != AWS_OK) {
        cw_plan_fail (&self->plan, self->from, self->to, answer->code, answer->message);
    }
    publish_complete_rows (self, answer->received);
    self->from = self->to;
    ask_data (self);
}

//  The next request, or the end. A request that cannot even be made fails like any other.
static void
ask_data (cw_round_t *self)
{
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    moment_t now = collector_now (self->cloudwatch->core);

    if (self->from == self->plan.queries_count) {
        end_round (self, !self->failed);
        return;
    }
    aws_query_t query = {
        .service = &AWS_CLOUDWATCH,
        .region = collector_round_region (self->round),
        .account = collector_round_account (self->round),
        .target = &self->plan,
    };
    if (cw_budget_cost (self->cloudwatch->budget).api == CW_API_STATISTICS) {
        self->to = self->from + 1;
        cw_plan_write_statistics (&self->plan, self->from, now.wall, &fields);
        query.action = "GetMetricStatistics";
        query.rules = CW_STATISTICS_RULES;
    } else {
        self->to = cw_plan_request_end (&self->plan, self->from);
        cw_plan_write_request (&self->plan, self->from, self->to, now.wall, &fields);
        query.action = "GetMetricData";
        query.rules = CW_DATA_RULES;
        query.token_path = "GetMetricDataResult/NextToken";
    }
    query.fields = fields.data;
    query.bill = cw_budget_bill (self->cloudwatch->budget);
    query.billed = (double) (self->to - self->from);
    if (buffer_failed (&fields) || !aws_api_ask (self->cloudwatch->api, &query, on_data, self)) {
        log_error ("round given up: out of memory");
        end_round (self, false);
    }
}

static void
begin_data (cw_round_t *self)
{
    if (cw_plan_seal (&self->plan) < 0) {
        end_round (self, false);
        return;
    }
    ask_data (self);
}

//  --- ListMetrics

static void
on_metrics (void *argument, const aws_answer_t *answer)
{
    cw_round_t *self = argument;
    assert (self->magic == ROUND_MAGIC);

    if (answer->fault != AWS_OK) {
        begin_data (self);  //  it was reported; CPU needs no agent
        return;
    }
    if (++self->looking_for == CW_METRIC_COUNT) {
        self->looking_for = CW_MEMORY;
        if (self->whole_region) {
            zlistx_purge (self->look_for);
        } else {
            zlistx_detach (self->look_for, NULL);
        }
    }
    look_on (self);
}

static void
look_on (cw_round_t *self)
{
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    const cw_worker_t *worker = zlistx_first (self->look_for);

    if (!worker) {
        begin_data (self);
        return;
    }
    url_add_field (&fields, "Namespace", cw_metric_namespace (self->looking_for));
    url_add_field (&fields, "MetricName", cw_metric_name (self->looking_for));
    url_add_field (&fields, "RecentlyActive", "PT3H");
    url_add_field (&fields, "Dimensions.member.1.Name", "InstanceId");
    if (!self->whole_region) {
        url_add_field (&fields, "Dimensions.member.1.Value", worker->instance_id);
    }
    aws_query_t query = {
        .service = &AWS_CLOUDWATCH,
        .region = collector_round_region (self->round),
        .account = collector_round_account (self->round),
        .action = "ListMetrics",
        .fields = fields.data,
        .rules = CW_DISCOVERY_RULES,
        .target = &self->discovery,
        .token_path = "ListMetricsResult/NextToken",
    };
    if (buffer_failed (&fields) || !aws_api_ask (self->cloudwatch->api, &query, on_metrics, self)) {
        begin_data (self);
    }
}

//  --- the round's beginning

static int64_t
wanted_interval_ms (const cloudwatch_t *self, bool detailed)
{
    int64_t own = self->settings->collector.interval_ms;

    return own > 0 ? own : detailed ? CW_DETAILED_MS : CW_BASIC_MS;
}

//  As long as the budget wants it.
static int64_t
interval_ms_of (const cloudwatch_t *self, bool detailed)
{
    return (int64_t) ((double) wanted_interval_ms (self, detailed) *
                      cw_budget_cost (self->budget).stretch);
}

//  Due with a tenth of the interval's grace: rounds come by their own clock, and one that is
//  a moment early must not make a worker wait for another whole round.
static bool
is_due (const cw_worker_t *worker, int64_t interval_ms, time_us_t now)
{
    return worker->asked == TIME_UNKNOWN ||
           now - worker->asked >= interval_ms * MS_US - interval_ms * MS_US / 10;
}

static int
plan_worker (cw_round_t *self, const collector_worker_t *leased)
{
    bool detailed = leased->detailed_monitoring == FLAG_YES;
    int64_t interval_ms = interval_ms_of (self->cloudwatch, detailed);
    time_us_t now = collector_now (self->cloudwatch->core).steady;
    cw_worker_t *worker = cw_region_worker (self->region, leased->instance_id);

    if (!worker) {
        return -ENOMEM;
    }
    if (!is_due (worker, interval_ms, now)) {
        return 0;
    }
    worker->asked = now;
    if (cw_worker_needs_discovery (worker, now)) {
        worker->discovered = now;
        zlistx_add_end (self->look_for, worker);
    }
    return cw_plan_add (&self->plan, leased->subject, worker,
                        detailed ? CW_PERIOD_DETAILED : CW_PERIOD_BASIC,
                        (interval_ms + 999) / 1000);
}

//  What the region's workers cost, as much as is known of their metrics.
static void
reckon (cw_round_t *self, const collector_worker_t *const *leased, size_t count)
{
    cloudwatch_t *all = self->cloudwatch;
    cw_load_t load = {0};

    for (size_t i = 0; i < count; i++) {
        const cw_worker_t *worker = cw_region_worker (self->region, leased [i]->instance_id);
        cw_load_add (&load, worker ? cw_worker_series (worker) : 0,
                     wanted_interval_ms (all, leased [i]->detailed_monitoring == FLAG_YES));
    }
    cw_budget_take (all->budget, collector_round_region (self->round),
                    collector_round_account (self->round), &load);
}

static cw_round_t *
round_new (cloudwatch_t *cloudwatch, collector_round_t *round)
{
    _cleanup_ (round_destroy) cw_round_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->magic = ROUND_MAGIC;
    self->cloudwatch = cloudwatch;
    self->round = round;
    self->region = collector_round_unit (round);
    cw_region_open (self->region);
    self->discovery.workers = self->region->workers;
    self->looking_for = CW_MEMORY;
    self->look_for = zlistx_new ();
    return take_ptr (self);
}

DEFINE_CLEANUP (workers_destroy, const collector_worker_t **, free)

static void
start (void *state, collector_round_t *round)
{
    cloudwatch_t *cloudwatch = state;
    size_t count;
    _cleanup_ (workers_destroy) const collector_worker_t **leased =
        aws_accounts_workers (aws_api_accounts (cloudwatch->api), round, &count);
    cw_round_t *self = leased ? round_new (cloudwatch, round) : NULL;
    if (!self) {
        log_error ("round not started: out of memory");
        collector_round_end (&round, false);
        return;
    }
    zlistx_add_end (cloudwatch->rounds, self);
    cw_region_forget_absent (self->region, leased, count);
    reckon (self, leased, count);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = plan_worker (self, leased [i]);
    }
    if (rc < 0 || self->plan.rows_count == 0) {
        end_round (self, rc == 0);
        return;
    }
    self->whole_region = zlistx_size (self->look_for) > LOOK_BY_NAME_MAX;
    look_on (self);
}

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
    return interval_ms_of (self, detailed);
}

static void
destroy (void *state)
{
    cloudwatch_t *self = state;

    aws_api_destroy (&self->api);
    for (cw_round_t *round = zlistx_first (self->rounds); round;
         round = zlistx_next (self->rounds)) {
        round_destroy (&round);
    }
    zlistx_destroy (&self->rounds);
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
    self->rounds = zlistx_new ();
    self->budget = cw_budget_new (core, (cw_api_t) self->settings->api, &self->settings->prices);
    self->api = aws_api_new (core, &self->settings->collector, aws_getenv, why);
    if (!self->api || !self->budget) {
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
};
