// cloudwatch_cost.c - see cloudwatch_cost.h.
//
// SPDX-License-Identifier: MIT

#include "cloudwatch_cost.h"

#include "cloudwatch_batch.h"

#define MICRO   1000000.0
#define METRICS 3  //  of a worker with the agent: CPU, memory, disk

const char *const CW_APIS [] = {"auto", "data", "statistics", NULL};

void
cw_load_add (cw_load_t *self, size_t series, int64_t interval_ms)
{
    self->metrics += (double) series * CW_MONTH_MS / (double) interval_ms;
}

static double
usd_of_data (double metrics, const cw_prices_t *prices)
{
    return metrics * (double) prices->metric_microusd / MICRO;
}

static double
usd_of_statistics (double metrics, const cw_prices_t *prices)
{
    double beyond = metrics - (double) prices->free_requests;

    return beyond > 0 ? beyond * (double) prices->request_microusd / MICRO : 0;
}

cw_cost_t
cw_cost_of (const cw_load_t *load, cw_api_t wanted, const cw_prices_t *prices)
{
    double data = usd_of_data (load->metrics, prices),
           statistics = usd_of_statistics (load->metrics, prices);
    cw_cost_t cost = {.api = wanted, .stretch = 1};

    //  Beyond the free requests the calls are as many as the metrics: batches are kinder to AWS.
    if (wanted == CW_API_AUTO) {
        cost.api = statistics < data && load->metrics <= (double) prices->free_requests
                       ? CW_API_STATISTICS
                       : CW_API_DATA;
    }
    cost.usd = cost.api == CW_API_STATISTICS ? statistics : data;
    if (prices->budget_usd > 0 && cost.usd > (double) prices->budget_usd) {
        double free_part = cost.api == CW_API_STATISTICS ? (double) prices->free_requests : 0;
        double price = (double) (cost.api == CW_API_STATISTICS ? prices->request_microusd
                                                               : prices->metric_microusd);
        cost.stretch = load->metrics / (free_part + (double) prices->budget_usd * MICRO / price);
    }
    return cost;
}

//  How often a worker is read, by its monitoring.
static int64_t
interval_of (int64_t interval_ms, int64_t otherwise)
{
    return interval_ms > 0 ? interval_ms : otherwise;
}

void
cw_cost_explain (const cw_prices_t *prices, int64_t interval_ms, FILE *out)
{
    const struct {
        const char *kind;
        int64_t every_ms;
    } KINDS [] = {{"detailed monitoring:", interval_of (interval_ms, CW_DETAILED_MS)},
                  {"basic monitoring:   ", interval_of (interval_ms, CW_BASIC_MS)}};

    fprintf (
        out,
        "# GetMetricData is billed for each metric asked for; GetMetricStatistics by request,\n"
        "# %lld of which are free each month. A running worker has up to %d metrics (CPU; memory\n"
        "# and disk with the agent). In 30 days, for each worker:\n",
        (long long) prices->free_requests, METRICS);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        cw_load_t load = {0};
        cw_load_add (&load, METRICS, KINDS [i].every_ms);
        fprintf (out,
                 "# %s %.0f metrics, about %.2f USD; %.0f workers fit into the free requests\n",
                 KINDS [i].kind, load.metrics, usd_of_data (load.metrics, prices),
                 (double) prices->free_requests / load.metrics);
    }
}

void
cw_cost_explain_requests (int64_t interval_ms, size_t accounts, size_t units, FILE *out)
{
    double each = CW_MONTH_MS / (double) interval_of (interval_ms, CW_BASIC_MS);

    fprintf (
        out,
        "# Requests of GetMetricData, each of up to %d metrics: at least %.0f for each region\n"
        "# of an account where a worker runs; of %zu account%s, %zu in all: at least %.0f.\n",
        CW_QUERIES_MAX, each, accounts, accounts == 1 ? "" : "s", units, each * (double) units);
}
