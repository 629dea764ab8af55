// http_trace.h - a request as the span `collect`. For http_client.c alone.
//
// Attributes are those of OpenTelemetry's semantic conventions for an HTTP client's span. The
// context is not sent along: AWS and CML are not part of the trace.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_HTTP_TRACE_H
#define COMMON_HTTP_TRACE_H

#include "http_client.h"
#include "http_options.h"

typedef struct http_trace {
    tracing_scope_t scope;  //  the request's own: what is published out of its answer is in it
    bool begins;            //  no round sent it: the span has no parent
    time_us_t began;        //  wall
} http_trace_t;

//  The request is sent, in the scope that tracing is in.
http_trace_t http_trace_begin (const tracing_t *tracing);
//  It was answered, or was not.
void http_trace_end (const http_trace_t *self, const tracing_t *tracing,
                     const http_options_t *options, const http_answer_t *answer);

#endif
