// spans.c - see spans.h.
//
// SPDX-License-Identifier: MIT

#include "spans.h"

#include "collector_state.h"

#include <inttypes.h>
#include <stdio.h>

void
spans_round (const tracing_t *tracing, const collector_round_t *round, bool ok)
{
    otlp_t *otlp = tracing_otlp (tracing);

    if (otlp_wants (otlp, &round->scope.round)) {
        span_t span = {.name = "round",
                       .kind = SPAN_INTERNAL,
                       .own = round->scope.round,
                       .start = round->began_wall,
                       .end = clock_now ().wall,
                       .error = ok ? NULL : "",
                       .attributes = {{"cmlwatch.unit", round->unit->key, 0}}};
        otlp_span (otlp, &span);
    }
}

static void
tell (otlp_t *otlp, const trace_context_t *own, const trace_context_t *parent, time_us_t start,
      const bus_publisher_t *publisher, const observation_t *observation, const char *subject,
      const char *error)
{
    char id [40];

    snprintf (id, sizeof id, "%s-%012" PRIu64, bus_publisher_epoch (publisher),
              bus_publisher_sequence (publisher));
    span_t span = {
        .name = "publish",
        .kind = SPAN_PRODUCER,
        .own = *own,
        .parent = parent,
        .start = start,
        .end = clock_now ().wall,
        .error = error,
        .attributes = {{"messaging.system", "zeromq", 0},
                       {"cloudevents.event_type", event_type_name (observation->envelope.type), 0},
                       {"cloudevents.event_subject", subject, 0},
                       {"cloudevents.event_id", id, 0}}};
    otlp_span (otlp, &span);
}

int
spans_publish (const tracing_t *tracing, bus_publisher_t *publisher, observation_t *observation,
               const char *subject)
{
    otlp_t *otlp = tracing_otlp (tracing);
    tracing_scope_t scope = tracing_scope (tracing);
    const trace_context_t *parent = tracing_parent (&scope);
    trace_context_t own = *parent;
    bool wanted = otlp_wants (otlp, parent);
    time_us_t start = 0;
    char text [TRACEPARENT_SIZE];

    if (!trace_context_is_set (parent)) {
        return bus_publish (publisher, observation, subject);
    }
    if (wanted) {
        own = trace_context_child (parent);
        start = clock_now ().wall;
    }
    observation->envelope.traceparent = trace_context_write (&own, text);
    int rc = bus_publish (publisher, observation, subject);
    observation->envelope.traceparent = NULL;
    if (wanted) {
        tell (otlp, &own, parent, start, publisher, observation, subject,
              rc < 0 ? "the bus does not take it" : NULL);
    }
    return rc;
}

tracing_t *
collector_tracing (const collector_t *self)
{
    return self->tracing;
}
