// cloudwatch_budget.c - see cloudwatch_budget.h.
//
// SPDX-License-Identifier: MIT

#include "cloudwatch_budget.h"

#include <czmq.h>
#include <stdlib.h>

struct cw_budget {
    collector_t *core;
    cw_api_t wanted;
    const cw_prices_t *prices;
    zhashx_t *loads;  //  by "region account", cw_load_t
    cw_cost_t cost;   //  of all of them
    int warned;       //  0 not yet, 1 near the budget, 2 beyond it
    metric_t *metrics, *requests, *usd, *stretch;
};

static void
destroy_load (void **load_p)
{
    free (*load_p);
    *load_p = NULL;
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
    self->loads = zhashx_new ();
    zhashx_set_destructor (self->loads, destroy_load);
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
        zhashx_destroy (&(*self_p)->loads);
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

void
cw_budget_take (cw_budget_t *self, const char *region, const char *account, const cw_load_t *load)
{
    char key [160];
    cw_load_t *own = malloc (sizeof *own), all = {0};

    if (own) {
        *own = *load;
        snprintf (key, sizeof key, "%s %s", region, account);
        zhashx_update (self->loads, key, own);
    }
    for (const cw_load_t *each = zhashx_first (self->loads); each;
         each = zhashx_next (self->loads)) {
        all.metrics += each->metrics;
    }
    self->cost = cw_cost_of (&all, self->wanted, self->prices);
    metric_set (self->usd, self->cost.usd);
    metric_set (self->stretch, self->cost.stretch);
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
