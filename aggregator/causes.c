// causes.c - see causes.h.
//
// SPDX-License-Identifier: MIT

#include "causes.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct row {
    trace_context_t parent;       //  the observation's
    trace_context_t apply, feed;  //  when recorded
    bool recorded;
    time_us_t began;  //  wall
    event_type_t type;
    char subject [ENVELOPE_SUBJECT_MAX + 1], source [ENVELOPE_SOURCE_MAX + 1];
    char *error;  //  null: none
    size_t events;
} row_t;

struct causes {
    otlp_t *otlp;
    row_t *rows;
    size_t count, room;
    cause_t current;
    time_us_t committed;  //  wall
};

causes_t *
causes_new (otlp_t *otlp)
{
    causes_t *self = calloc (1, sizeof *self);

    if (self) {
        self->otlp = otlp;
    }
    return self;
}

static void
forget_all (causes_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->rows [i].error);
    }
    self->count = 0;
    self->current = 0;
}

void
causes_destroy (causes_t **self_p)
{
    assert (self_p);
    causes_t *self = *self_p;

    if (self) {
        forget_all (self);
        free (self->rows);
        free (self);
        *self_p = NULL;
    }
}

//  Null: there are too many, or no memory.
static row_t *
add_row (causes_t *self)
{
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 64;
        row_t *rows = room <= CAUSES_MAX ? realloc (self->rows, room * sizeof *rows) : NULL;
        if (!rows) {
            return NULL;
        }
        self->rows = rows;
        self->room = room;
    }
    return &self->rows [self->count++];
}

void
causes_begin (causes_t *self, const observation_t *observation)
{
    const envelope_t *envelope = &observation->envelope;
    trace_context_t parent;

    if (!self || !trace_context_parse (&parent, envelope->traceparent)) {
        return;
    }
    bool wanted = otlp_wants (self->otlp, &parent);
    row_t *row = add_row (self);
    if (!row) {
        if (wanted) {
            otlp_span_lost (self->otlp);
        }
        return;
    }
    row->parent = parent;
    row->recorded = wanted;
    row->error = NULL;
    row->events = 0;
    self->current = (cause_t) self->count;
    if (row->recorded) {
        row->began = clock_now ().wall;
        row->apply = trace_context_child (&parent);
        row->feed = trace_context_child (&parent);
        row->type = envelope->type;
        snprintf (row->subject, sizeof row->subject, "%s", envelope->subject);
        snprintf (row->source, sizeof row->source, "%s", envelope->source);
    }
}

void
causes_end (causes_t *self, const char *error)
{
    if (!self || !self->current) {
        return;
    }
    row_t *row = &self->rows [self->current - 1];
    if (error && row->recorded) {
        row->error = strdup (error);
    }
    self->current = 0;
}

cause_t
causes_current (const causes_t *self)
{
    return self ? self->current : 0;
}

void
causes_enter (causes_t *self, cause_t cause)
{
    if (self) {
        assert (cause <= self->count && "a cause is not used after its turn");
        self->current = cause;
    }
}

trace_context_t
causes_tell (causes_t *self)
{
    if (!self || !self->current) {
        return (trace_context_t){0};
    }
    row_t *row = &self->rows [self->current - 1];
    row->events++;
    return row->recorded ? row->feed : row->parent;
}

static void
record_apply (const causes_t *self, const row_t *row)
{
    span_t span = {.name = "apply",
                   .kind = SPAN_CONSUMER,
                   .own = row->apply,
                   .parent = &row->parent,
                   .parent_is_remote = true,
                   .start = row->began,
                   .end = self->committed,
                   .error = row->error,
                   .attributes = {{"messaging.system", "zeromq", 0},
                                  {"cloudevents.event_type", event_type_name (row->type), 0},
                                  {"cloudevents.event_subject", row->subject, 0},
                                  {"cloudevents.event_source", row->source, 0}}};
    otlp_span (self->otlp, &span);
}

void
causes_committed (causes_t *self)
{
    if (!self || self->count == 0) {
        return;
    }
    self->committed = clock_now ().wall;
    for (size_t i = 0; i < self->count; i++) {
        if (self->rows [i].recorded) {
            record_apply (self, &self->rows [i]);
        }
    }
}

static void
record_feed (const causes_t *self, const row_t *row, time_us_t now)
{
    span_t span = {.name = "feed",
                   .kind = SPAN_PRODUCER,
                   .own = row->feed,
                   .parent = &row->apply,
                   .start = self->committed,
                   .end = now,
                   .attributes = {{"messaging.system", "zeromq", 0},
                                  {"cmlwatch.events", NULL, (int64_t) row->events}}};
    otlp_span (self->otlp, &span);
}

void
causes_published (causes_t *self)
{
    if (!self || self->count == 0) {
        return;
    }
    time_us_t now = clock_now ().wall;
    for (size_t i = 0; i < self->count; i++) {
        if (self->rows [i].recorded && self->rows [i].events > 0) {
            record_feed (self, &self->rows [i], now);
        }
    }
    forget_all (self);
}
