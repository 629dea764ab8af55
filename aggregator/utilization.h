// utilization.h - what a CML's system_stats says of its load, in percent.
//
// Pure. The rules are design.md section 4's: the computes of /system_stats; CPU is
// user_percent + system_percent, where these are missing percent; memory is
// (total - available) / total, where missing used / total; storage is used / total of the disk;
// several computes are summed by weight (CPU by count, memory and disk by total). Shapes differ
// by version (reference: api-facts 5.4): each member is optional. No value is UNKNOWN, never 0.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_UTILIZATION_H
#define AGGREGATOR_UTILIZATION_H

#include "../common/json_doc.h"

typedef struct utilization {
    double cpu, memory, storage;  //  0 to 100, or UNKNOWN
} utilization_t;

//  stats is the answer of /system_stats; null gives everything UNKNOWN.
utilization_t utilization_of_stats (const json_node_t *stats);

//  Within 0 and 100; UNKNOWN stays UNKNOWN.
double utilization_clamp (double percent);

#endif
