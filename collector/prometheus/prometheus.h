// prometheus.h - what a worker's node exporter says of its load: out of its text, in percent.
//
// Format: https://prometheus.io/docs/instrumenting/exposition_formats/ , version 0.0.4. Samples:
// node_cpu_seconds_total (each CPU and mode, a counter), node_memory_MemTotal_bytes and
// node_memory_MemAvailable_bytes, node_filesystem_size_bytes and node_filesystem_avail_bytes of one
// mountpoint. A sample that is not there, or is no number, leaves its value unknown.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_PROMETHEUS_H
#define COLLECTOR_PROMETHEUS_H

#include "../../common/json.h"

#include <stdbool.h>

typedef struct prometheus_load {
    double cpu_idle, cpu_all;  //  seconds since the exporter began; UNKNOWN
    double memory_percent, storage_percent;
} prometheus_load_t;

//  text ends with NUL.
prometheus_load_t prometheus_read (const char *text, const char *mountpoint);

//  Of the time between two readings; UNKNOWN for the first, and when the exporter began anew.
double prometheus_cpu_percent (const prometheus_load_t *before, const prometheus_load_t *now);

#endif
