// cloudwatch_round.h - one reading of CloudWatch: a region's workers that are due, or the one that a
// job is about.
//
// First the agent's series of workers that have none yet are looked for: by name for a few workers,
// by one listing of the whole region for many. That costs a question's wait once; when it fails,
// CPU is read all the same and it is looked for again after a while. Then the metrics are asked for,
// in requests of up to 500 questions, one after the other; each worker is published when all of its
// own have been answered. What a job asks for is billed like the rest, and counts as read: the
// worker's next turn comes an interval after it.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CLOUDWATCH_ROUND_H
#define COLLECTOR_CLOUDWATCH_ROUND_H

#include "../aws/query_api.h"
#include "cloudwatch_budget.h"

typedef struct cw_rounds cw_rounds_t;

//  All borrowed. interval_ms 0: as often as CloudWatch has points. Null when memory is out.
cw_rounds_t *cw_rounds_new (collector_t *core, aws_api_t *api, cw_budget_t *budget,
                            int64_t interval_ms);
void cw_rounds_destroy (cw_rounds_t **self_p);  //  ends none; the API must be there still

void cw_rounds_start (cw_rounds_t *self, collector_round_t *round);
void cw_rounds_start_job (cw_rounds_t *self, collector_job_t *job);
void cw_rounds_stop_job (cw_rounds_t *self, collector_job_t *job);

//  From one reading of a worker to its next, as long as the budget wants it.
int64_t cw_rounds_interval_ms (const cw_rounds_t *self, bool detailed);

#endif
