// http_trace.c - see http_trace.h.
//
// SPDX-License-Identifier: MIT

#include "http_trace.h"

#include <stdio.h>
#include <string.h>

http_trace_t
http_trace_begin (const tracing_t *tracing)
{
    http_trace_t self = {.scope = tracing_scope (tracing)};

    if (!tracing) {
        return self;
    }
    self.began = clock_now ().wall;
    self.begins = !trace_context_is_set (&self.scope.round);
    if (self.begins) {
        self.scope = tracing_begin (tracing);
        self.scope.request = self.scope.round;
    } else {
        self.scope.request = trace_context_child (&self.scope.round);
    }
    return self;
}

//  `host` of `host:port`; an IPv6 address without its brackets.
static void
write_address (char *out, size_t size, const char *host)
{
    bool bracketed = *host == '[';

    snprintf (out, size, "%.*s", (int) strcspn (host + bracketed, bracketed ? "]" : ":"),
              host + bracketed);
}

void
http_trace_end (const http_trace_t *self, const tracing_t *tracing, const http_options_t *options,
                const http_answer_t *answer)
{
    otlp_t *otlp = tracing_otlp (tracing);
    char *url = NULL, *method = NULL, address [sizeof options->host], status [16];
    long port = 0;
    bool answered = answer->outcome == HTTP_ANSWERED;

    if (!otlp_wants (otlp, &self->scope.request)) {
        return;
    }
    (void) curl_easy_getinfo (options->easy, CURLINFO_EFFECTIVE_URL, &url);
    (void) curl_easy_getinfo (options->easy, CURLINFO_EFFECTIVE_METHOD, &method);
    (void) curl_easy_getinfo (options->easy, CURLINFO_PRIMARY_PORT, &port);
    write_address (address, sizeof address, options->host);
    snprintf (status, sizeof status, "%d", answer->status);
    span_t span = {.name = "collect",
                   .kind = SPAN_CLIENT,
                   .own = self->scope.request,
                   .parent = self->begins ? NULL : &self->scope.round,
                   .start = self->began,
                   .end = clock_now ().wall,
                   .attributes = {{"http.request.method", method ? method : "", 0},
                                  {"url.full", url ? url : "", 0},
                                  {"server.address", address, 0}}};
    span_attribute_t *more = &span.attributes [3];
    if (port > 0) {
        *more++ = (span_attribute_t){"server.port", NULL, port};
    }
    if (answered) {
        *more++ = (span_attribute_t){"http.response.status_code", NULL, answer->status};
    }
    if (!answered || answer->status >= 400) {
        *more = (span_attribute_t){"error.type",
                                   answered ? status : http_outcome_name (answer->outcome), 0};
        span.error = answered ? "" : answer->why.text;
    }
    otlp_span (otlp, &span);
}
