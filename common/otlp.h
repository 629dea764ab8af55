// otlp.h - this program's metrics and spans, sent to an OpenTelemetry collector. Off by default.
//
// OTLP/HTTP with JSON (https://opentelemetry.io/docs/specs/otlp/): what /metrics shows goes to
// <endpoint>/v1/metrics each interval, spans go to <endpoint>/v1/traces in batches. Nothing waits
// for it: spans are queued as text up to queue_max, one request of each kind is under way, and what
// cannot be sent is dropped and counted (cmlwatch_otlp_dropped_total{signal,reason}). When off
// there is no exporter, no connection and no metric of it; every function takes a null one.
//
// Which spans there are is the programs' matter; whether a trace is recorded is decided where it
// begins and stands in its context (trace_context.h).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_OTLP_H
#define COMMON_OTLP_H

#include "config.h"
#include "loop.h"
#include "metrics.h"
#include "otlp_trace.h"
#include "reason.h"

typedef struct otlp otlp_t;

typedef struct otlp_settings {
    char endpoint [CONFIG_TEXT_SIZE];
    char headers [CONFIG_TEXT_SIZE];
    int64_t interval_seconds, queue_max, timeout_seconds;
} otlp_settings_t;

// clang-format off
//  Rows of a program's table; member is its otlp_settings_t.
#define OTLP_KEYS(settings_t, member)                                                                                                                                                      \
    {"otlp_endpoint",         CONFIG_TEXT,    offsetof (settings_t, member.endpoint),         "",     0, 0,          NULL, "OpenTelemetry collector to send metrics and spans to, like http://127.0.0.1:4318; empty: none"}, \
    {"otlp_headers",          CONFIG_SECRET,  offsetof (settings_t, member.headers),          "",     0, 0,          NULL, "headers for it: name=value, apart by ',', values percent-encoded"}, \
    {"otlp_interval_seconds", CONFIG_INTEGER, offsetof (settings_t, member.interval_seconds), "60",   1, 86400,      NULL, "time from one sending of the metrics to the next; what was not taken by then is dropped and counted"}, \
    {"otlp_queue_max",        CONFIG_INTEGER, offsetof (settings_t, member.queue_max),        "2048", 1, 1000000,    NULL, "spans that wait to be sent, each some 700 bytes; more are dropped and counted"}, \
    {"otlp_timeout_seconds",  CONFIG_INTEGER, offsetof (settings_t, member.timeout_seconds),  "10",   1, 600,        NULL, "longest wait for the answer to a request"}
// clang-format on

//  0, or -EINVAL: the endpoint is no http(s) URL, or a header is none.
int otlp_check (const otlp_settings_t *settings, reason_t *why);

//  0 and *self_p, null when settings name no endpoint; or a negative errno and why. metrics are
//  what is sent, and where the exporter counts; service is the program's name.
int otlp_open (otlp_t **self_p, loop_t *loop, const otlp_settings_t *settings, const char *service,
               metrics_t *metrics, reason_t *why);
//  What is still queued is dropped.
void otlp_destroy (otlp_t **self_p);

//  Whether spans of this trace are taken: ask before doing anything for one.
bool otlp_wants (const otlp_t *self, const trace_context_t *context);

//  A span that has ended; its texts are copied.
void otlp_span (otlp_t *self, const span_t *span);
//  One that could not be made, for its part had no room: counted as dropped ("turn_full").
void otlp_span_lost (otlp_t *self);

#endif
