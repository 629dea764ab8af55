// spans.h - what of a collector's work is recorded of a sampled trace: a round, and each publish.
//
// The requests between the two are the HTTP client's (common/http_trace.h):
//
//   round ─┬─ collect            one request to EC2, CloudWatch or CML
//          └─ collect ── publish ──►  the observation's traceparent
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_SPANS_H
#define COLLECTOR_CORE_SPANS_H

#include "../../common/bus.h"
#include "unit.h"

//  The round has ended.
void spans_round (const tracing_t *tracing, const collector_round_t *round, bool ok);

//  bus_publish, in the scope that tracing is in: the message carries the traceparent of the span
//  publish; outside of a trace, none.
int spans_publish (const tracing_t *tracing, bus_publisher_t *publisher, observation_t *observation,
                   const char *subject);

#endif
