// report.h - which faults are worth saying again: the first of its kind, then one a minute.
//
// Pure: the caller gives the moment. The kinds kept are bounded; when there are more the
// oldest memory is given up, so that at worst something is said twice.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_REPORT_H
#define COLLECTOR_CORE_REPORT_H

#include "../../common/clock.h"

#include <stdbool.h>
#include <stdint.h>

#define REPORT_EVERY_US  MINUTE_US
#define REPORT_KINDS_MAX 256

typedef struct report report_t;

report_t *report_new (void);
void report_destroy (report_t **self_p);

//  True when the fault is to be said now; *held_back is then how often it was not since.
bool report_is_due (report_t *self, const char *region, const char *api, const char *code,
                    time_us_t now, uint64_t *held_back);

#endif
