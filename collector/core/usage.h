// usage.h - what this collector has asked of others' APIs, and what it costs: told with its heartbeats, so
// that who looks at the fleet sees it too.
//
// Pure. Counts are since the start, by account and region; what is of more than USAGE_ROWS_MAX of them is
// counted together in the last row. Told soon after the start and seldomer later: a heartbeat every two
// seconds is no place for a table.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_USAGE_H
#define COLLECTOR_CORE_USAGE_H

#include "../../common/observation.h"

#define USAGE_ROWS_MAX   32
#define USAGE_OTHERS     "*"  //  account and region of the last row, when there are more
#define USAGE_EVERY_MOST (30 * SECOND_US)

typedef enum usage_outcome { USAGE_ANSWERED, USAGE_FAILED, USAGE_THROTTLED } usage_outcome_t;

typedef struct usage usage_t;

//  since is wall. Null when memory is out.
usage_t *usage_new (time_us_t since);
void usage_destroy (usage_t **self_p);

//  A request has ended. account is "" where there is but one.
void usage_count (usage_t *self, const char *account, const char *region, usage_outcome_t outcome);
//  What is billed by number was answered, so many.
void usage_bill (usage_t *self, const char *account, const char *region, double billed);
//  What reading there costs a month.
void usage_set_cost (usage_t *self, const char *account, const char *region, double usd_month);
//  What all of it costs a month, of which budget (0: none), and by how much intervals are longer for that.
void usage_set_budget (usage_t *self, double usd_month, int64_t budget_usd, double stretch);
//  Of how it does its own work.
void usage_set_work (usage_t *self, size_t units, size_t rounds_overdue);

//  Adds it to a heartbeat when it is time: changed, or not told for USAGE_EVERY_MOST, for an aggregator that
//  began anew knows nothing. What the heartbeat borrows lives until the next call.
void usage_tell (usage_t *self, collector_heartbeat_t *beat, time_us_t steady);

#endif
