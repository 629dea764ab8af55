// feed_past.c - see feed_past.h.
//
// SPDX-License-Identifier: MIT

#include "feed_past.h"

#include "../common/cleanup.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_SIZE 1024

typedef struct event {
    feed_header_t header;
    char *json;
    size_t size;
} event_t;

struct feed_past {
    event_t *events;
    size_t count, size;
    uint64_t replay_max;
    char epoch [ENVELOPE_EPOCH_SIZE];
    uint64_t seq;    //  of the state: the last wanted
    uint64_t after;  //  the first is after + 1
    bool extends;    //  they follow what the log holds
};

feed_past_t *
feed_past_new (int64_t replay_max)
{
    feed_past_t *self = calloc (1, sizeof *self);

    if (self) {
        self->replay_max = (uint64_t) replay_max;
    }
    return self;
}

void
feed_past_drop (feed_past_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free (self->events [i].json);
    }
    free (self->events);
    self->events = NULL;
    self->count = self->size = 0;
}

void
feed_past_destroy (feed_past_t **self_p)
{
    assert (self_p);
    feed_past_t *self = *self_p;

    if (self) {
        feed_past_drop (self);
        free (self);
        *self_p = NULL;
    }
}

bool
feed_past_begin (feed_past_t *self, const event_log_t *log, const char *epoch, uint64_t seq)
{
    uint64_t last = event_log_last (log);

    feed_past_drop (self);
    snprintf (self->epoch, sizeof self->epoch, "%s", epoch);
    self->seq = seq;
    self->extends =
        strcmp (epoch, event_log_epoch (log)) == 0 && last <= seq && seq - last <= self->replay_max;
    self->after = self->extends ? last : seq > self->replay_max ? seq - self->replay_max : 0;
    return self->after < seq;
}

uint64_t
feed_past_after (const feed_past_t *self)
{
    return self->after + self->count;
}

static event_t *
next_place (feed_past_t *self)
{
    if (self->count == self->size) {
        size_t size = self->size ? self->size * 2 : FIRST_SIZE;
        event_t *events = realloc (self->events, size * sizeof *events);
        if (!events) {
            return NULL;
        }
        self->events = events;
        self->size = size;
    }
    return &self->events [self->count];
}

//  The next one, not beyond the state: what comes after that, the feed says.
static bool
keep (feed_past_t *self, zframe_t *head, zframe_t *body)
{
    event_t *place = next_place (self);
    size_t size = zframe_size (body);
    feed_header_t header;

    if (!place ||
        feed_header_parse (&header, (const char *) zframe_data (head), zframe_size (head), NULL) <
            0 ||
        header.seq != feed_past_after (self) + 1 || header.seq > self->seq) {
        return false;
    }
    *place = (event_t){.header = header, .json = malloc (size + 1), .size = size};
    if (!place->json) {
        return false;
    }
    memcpy (place->json, zframe_data (body), size);
    self->count++;
    return true;
}

bool
feed_past_take (feed_past_t *self, uint64_t first, zmsg_t *payload)
{
    zframe_t *head, *body;
    size_t kept = 0;

    if (self->count == 0 && first > self->after + 1) {
        self->after = first - 1;  //  no more is held there
        self->extends = false;
    }
    while ((head = zmsg_pop (payload)) && (body = zmsg_pop (payload))) {
        kept += keep (self, head, body);
        zframe_destroy (&head);
        zframe_destroy (&body);
    }
    zframe_destroy (&head);
    return kept > 0 && feed_past_after (self) < self->seq;
}

void
feed_past_end (feed_past_t *self, event_log_t *log)
{
    bool whole = feed_past_after (self) == self->seq;

    if (!whole || !self->extends) {
        event_log_reset (log, self->epoch, whole ? self->after : self->seq);
    }
    for (size_t i = 0; whole && i < self->count; i++) {
        (void) event_log_append (log, &self->events [i].header, self->events [i].json,
                                 self->events [i].size);
    }
    feed_past_drop (self);
}
