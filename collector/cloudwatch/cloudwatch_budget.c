// cloudwatch_budget.c - see cloudwatch_budget.h.
//
// SPDX-License-Identifier: MIT

#include "cloudwatch_budget.h"

#include <czmq.h>
#include <stdlib.h>

typedef struct part {
    char region [65], account [65];
    cw_load_t load;
} part_t;

struct cw_budget {
    collector_t *core;
    cw_api_t wanted;
    const cw_prices_t *prices;
    zhashx_t *parts;  //  part_t by "region account"
    cw_cost_t cost;   //  of all of them
    int warned;       //  0 not yet, 1 near the budget, 2 beyond it
    metric_t *metrics, *requests, *usd, *stretch;
};

static void
destroy_part (void **part_p)
{
    free (*part_p);
    *part_p = NULL;
}

cw_budget_t *
cw_budget_new (collector_t *core, cw_api_t wanted, const cw_prices_t *prices)
{
    cw_budget_t *self = calloc (1, sizeof *self);
    metrics_t *metrics = collector_metrics (core);

    if (!self) {
        return NULL;
    }
    self->core = core;
    self->wanted = wanted;
    self->prices = prices;
    self->parts = zhashx_new ();
    zhashx_set_destructor (self->parts, destroy_part);
    self->cost = cw_cost_of (&(cw_load_t){0}, wanted, prices);
    self->metrics =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_cloudwatch_metrics_requested_total",
                     "metrics asked of GetMetricData and answered: what AWS bills");
    self->requests =
        metrics_add (metrics, METRIC_COUNTER, "cmlwatch_cloudwatch_statistics_requested_total",
                     "requests of GetMetricStatistics that were answered");
    self->usd = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_cloudwatch_cost_usd_month",
                             "what this collector would cost a month at the intervals wanted");
    self->stretch = metrics_add (metrics, METRIC_GAUGE, "cmlwatch_cloudwatch_interval_stretch",
                                 "intervals are so many times as long, to keep within budget_usd");
    return self;
}

void
cw_budget_destroy (cw_budget_t **self_p)
{
    if (*self_p) {
        zhashx_destroy (&(*self_p)->parts);
        free (*self_p);
        *self_p = NULL;
    }
}

//  Said once when it comes near the budget, and once when it is beyond.
static void
warn (cw_budget_t *self, const char *region)
{
    double budget = (double) self->prices->budget_usd, usd = self->cost.usd;
    int level = budget <= 0 || usd < CW_BUDGET_NEAR * budget ? 0 : usd <= budget ? 1 : 2;
    char text [200];

    if (level > self->warned) {
        snprintf (
            text, sizeof text,
            "reading CloudWatch would cost %.2f USD a month of a budget of %.0f; %s", usd, budget,
            level == 1 ? "no interval is longer yet" : "intervals are longer, to keep within it");
        collector_report (self->core, region, "budget", level == 1 ? "near" : "exceeded", text);
    }
    self->warned = level;
}

//  Of what all cost, each has its part by what is asked of it: free requests are nobody's own.
static void
tell_usage (cw_budget_t *self, double metrics)
{
    usage_t *usage = collector_usage (self->core);

    for (const part_t *part = zhashx_first (self->parts); part; part = zhashx_next (self->parts)) {
        usage_set_cost (usage, part->account, part->region,
                        metrics > 0 ? self->cost.usd * part->load.metrics / metrics : 0);
    }
    usage_set_budget (usage, self->cost.usd, self->prices->budget_usd, self->cost.stretch);
}

void
cw_budget_take (cw_budget_t *self, const char *region, const char *account, const cw_load_t *load)
{
    char key [160];
    part_t *own = malloc (sizeof *own);
    cw_load_t all = {0};

    if (own) {
        snprintf (own->region, sizeof own->region, "%s", region);
        snprintf (own->account, sizeof own->account, "%s", account);
        own->load = *load;
        snprintf (key, sizeof key, "%s %s", region, account);
        zhashx_update (self->parts, key, own);
    }
    for (const part_t *part = zhashx_first (self->parts); part; part = zhashx_next (self->parts)) {
        all.metrics += part->load.metrics;
    }
    self->cost = cw_cost_of (&all, self->wanted, self->prices);
    metric_set (self->usd, self->cost.usd);
    metric_set (self->stretch, self->cost.stretch);
    tell_usage (self, all.metrics);
    warn (self, region);
}

cw_cost_t
cw_budget_cost (const cw_budget_t *self)
{
    return self->cost;
}

metric_t *
cw_budget_bill (const cw_budget_t *self)
{
    return self->cost.api == CW_API_STATISTICS ? self->requests : self->metrics;
}
