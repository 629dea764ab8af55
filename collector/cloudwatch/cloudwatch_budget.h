// cloudwatch_budget.h - what this collector's part of the fleet costs, said on /metrics and, when it
// comes near the budget or goes beyond, as an event.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CLOUDWATCH_BUDGET_H
#define COLLECTOR_CLOUDWATCH_BUDGET_H

#include "../core/collector.h"
#include "cloudwatch_cost.h"

#define CW_BUDGET_NEAR 0.8  //  of the budget

typedef struct cw_budget cw_budget_t;

//  core and prices are borrowed. Null when memory is out.
cw_budget_t *cw_budget_new (collector_t *core, cw_api_t wanted, const cw_prices_t *prices);
void cw_budget_destroy (cw_budget_t **self_p);

//  What a region's workers of an account are asked for a month, as of this round.
void cw_budget_take (cw_budget_t *self, const char *region, const char *account,
                     const cw_load_t *load);

//  Of all regions.
cw_cost_t cw_budget_cost (const cw_budget_t *self);
//  The counter of what is billed the way that is chosen now: metrics, or requests.
metric_t *cw_budget_bill (const cw_budget_t *self);

#endif
