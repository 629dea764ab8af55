// otlp_metrics.h - a registry of metrics as one OTLP ExportMetricsServiceRequest, in JSON.
//
// Walks what /metrics walks (metrics_visit), so that the two never disagree: the same names,
// label for attribute, counter for a monotonic cumulative sum, gauge for gauge, histogram for an
// explicit-bucket histogram. Cumulative values count from metrics_since.
//
// Format: opentelemetry-proto metrics/v1 in protobuf's JSON mapping, with OTLP's own rules (the
// OTLP specification, "JSON Protobuf Encoding"): lowerCamelCase names, enums as numbers, 64-bit
// integers as decimal texts.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_OTLP_METRICS_H
#define COMMON_OTLP_METRICS_H

#include "metrics.h"
#include "otlp_json.h"

//  Data points written; 0: there is nothing to send. at: wall.
size_t otlp_metrics_write (buffer_t *out, metrics_t *metrics, const otlp_resource_t *resource,
                           time_us_t at);

#endif
