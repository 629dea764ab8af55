// calls.h - who asked for what how often: for tests, and for what it would have cost.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_CALLS_H
#define SIMULATOR_CALLS_H

#include "../../common/json.h"

#include <stddef.h>
#include <stdint.h>

typedef struct calls calls_t;

calls_t *calls_new (void);
void calls_destroy (calls_t **self_p);
void calls_clear (calls_t *self);

//  One more of this name ("DescribeInstances", "/system_stats") in a group ("aws", "cml",
//  "faults"); names beyond 256 are counted as "other".
void calls_count (calls_t *self, const char *group, const char *name);

//  Metrics that GetMetricData was asked for: what AWS bills.
void calls_bill (calls_t *self, uint64_t metrics);

//  {"metrics_billed":n,"aws":{"DescribeInstances":n},…}
void calls_write (const calls_t *self, json_writer_t *out);

#endif
