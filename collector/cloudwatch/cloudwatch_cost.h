// cloudwatch_cost.h - what reading CloudWatch costs in a month, which way is cheaper, and how much
// slower it must be to stay within a budget; pure.
//
// GetMetricData is billed for each metric asked for, from the first. GetMetricStatistics is billed by
// request, one for each metric, and lies with other requests within a number that is free each month.
// Prices are settings: they differ by region and change. Only one program's part is known here: with
// several collectors each gets its share of the budget and of the free requests.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CLOUDWATCH_COST_H
#define COLLECTOR_CLOUDWATCH_COST_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CW_DETAILED_MS 60000
#define CW_BASIC_MS    300000
#define CW_MONTH_MS    (30.0 * 86400 * 1000)

typedef enum cw_api { CW_API_AUTO, CW_API_DATA, CW_API_STATISTICS } cw_api_t;
extern const char *const CW_APIS [];  //  auto data statistics

typedef struct cw_prices {
    int64_t metric_microusd, request_microusd;  //  of one, in millionths of a dollar
    int64_t free_requests;                      //  a month
    int64_t budget_usd;                         //  a month; 0: none
} cw_prices_t;

//  What is asked a month; cw_load_add for each worker.
typedef struct cw_load {
    double metrics;
} cw_load_t;

void cw_load_add (cw_load_t *self, size_t series, int64_t interval_ms);

typedef struct cw_cost {
    cw_api_t api;    //  CW_API_DATA or CW_API_STATISTICS
    double usd;      //  a month, at the intervals that were wanted
    double stretch;  //  intervals are to be so many times as long; 1: the budget is kept
} cw_cost_t;

cw_cost_t cw_cost_of (const cw_load_t *load, cw_api_t wanted, const cw_prices_t *prices);

//  For --check-config: what a worker costs, at this interval (0: CloudWatch's own).
void cw_cost_explain (const cw_prices_t *prices, int64_t interval_ms, FILE *out);
//  What it is at least in all: units are regions, each counted in every account that reads it.
void cw_cost_explain_requests (int64_t interval_ms, size_t accounts, size_t units, FILE *out);

#endif
