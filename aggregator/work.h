// work.h - what a kind of collectors reads: which workers, and by what unit it is shared out.
//
// EC2 and CloudWatch are shared out by region; all other kinds by worker.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_WORK_H
#define AGGREGATOR_WORK_H

#include "worker.h"

#include <stdbool.h>

//  Running ones, for cml those that have an address or are listed by that kind. EC2 finds its
//  workers by itself.
bool work_wants (const char *kind, const worker_t *worker);

bool work_is_by_region (const char *kind);
//  The unit that this worker is read in: its region, or itself. Borrowed.
const char *work_unit (const char *kind, const worker_t *worker);

#endif
