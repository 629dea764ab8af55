// arrivals.c - see arrivals.h.
//
// SPDX-License-Identifier: MIT

#include "arrivals.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct arrival {
    trace_context_t parent;
    time_us_t at;  //  wall
    event_type_t type;
    char id [ENVELOPE_EPOCH_SIZE + 24];
    char worker_id [FEED_WORKER_ID_SIZE];
} arrival_t;

struct arrivals {
    loop_t *loop;
    otlp_t *otlp;
    const hub_t *hub;
    arrival_t *rows;
    size_t count, room;
};

void
arrivals_note (arrivals_t *self, const feed_header_t *header)
{
    if (!self || !otlp_wants (self->otlp, &header->trace) || header->type == EVENT_UNKNOWN) {
        return;
    }
    if (self->count == self->room) {
        size_t room = self->room ? 2 * self->room : 64;
        arrival_t *rows = room <= ARRIVALS_MAX ? realloc (self->rows, room * sizeof *rows) : NULL;
        if (!rows) {
            otlp_span_lost (self->otlp);
            return;
        }
        self->rows = rows;
        self->room = room;
    }
    arrival_t *arrival = &self->rows [self->count++];
    arrival->parent = header->trace;
    arrival->at = clock_now ().wall;
    arrival->type = header->type;
    snprintf (arrival->id, sizeof arrival->id, "%s-%" PRIu64, header->epoch, header->seq);
    snprintf (arrival->worker_id, sizeof arrival->worker_id, "%s", header->worker_id);
}

static void
on_turn_end (void *argument)
{
    arrivals_t *self = argument;
    time_us_t now = self->count > 0 ? clock_now ().wall : 0;

    for (size_t i = 0; i < self->count; i++) {
        const arrival_t *arrival = &self->rows [i];
        span_t span = {.name = "write",
                       .kind = SPAN_CONSUMER,
                       .own = trace_context_child (&arrival->parent),
                       .parent = &arrival->parent,
                       .parent_is_remote = true,
                       .start = arrival->at,
                       .end = now,
                       .attributes = {{"messaging.system", "zeromq", 0},
                                      {"cmlwatch.event.type", event_type_name (arrival->type), 0},
                                      {"cmlwatch.event.id", arrival->id, 0},
                                      {"cmlwatch.worker_id", arrival->worker_id, 0},
                                      {"cmlwatch.streams", NULL, (int64_t) hub_size (self->hub)}}};
        otlp_span (self->otlp, &span);
    }
    self->count = 0;
}

arrivals_t *
arrivals_new (loop_t *loop, otlp_t *otlp, const hub_t *hub)
{
    arrivals_t *self = calloc (1, sizeof *self);

    if (self) {
        self->loop = loop;
        self->otlp = otlp;
        self->hub = hub;
        loop_on_turn_end (loop, on_turn_end, self);
    }
    return self;
}

void
arrivals_destroy (arrivals_t **self_p)
{
    assert (self_p);
    arrivals_t *self = *self_p;

    if (self) {
        loop_forget (self->loop, self);
        free (self->rows);
        free (self);
        *self_p = NULL;
    }
}
