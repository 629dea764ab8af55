// event_log.c - see event_log.h.
//
// SPDX-License-Identifier: MIT

#include "event_log.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct event_log {
    char epoch [ENVELOPE_EPOCH_SIZE];
    frame_t **ring;  //  seq s stands at s % max
    size_t max, bytes, bytes_max;
    uint64_t first, last;
    uint64_t end;  //  bytes ever appended
};

event_log_t *
event_log_new (size_t frames_max, size_t bytes_max)
{
    event_log_t *self = calloc (1, sizeof *self);

    if (self) {
        self->max = frames_max;
        self->bytes_max = bytes_max;
        self->first = 1;
        self->ring = calloc (frames_max, sizeof (frame_t *));
        if (!self->ring) {
            event_log_destroy (&self);
        }
    }
    return self;
}

//  Also true behind the largest number there is, where first is 0.
static bool
is_empty (const event_log_t *self)
{
    return self->first == self->last + 1;
}

static void
drop_oldest (event_log_t *self)
{
    frame_t **slot = &self->ring [self->first++ % self->max];

    frame_forget (*slot);
    frame_release (slot);
}

void
event_log_destroy (event_log_t **self_p)
{
    assert (self_p);
    event_log_t *self = *self_p;

    if (self) {
        while (self->ring && !is_empty (self)) {
            drop_oldest (self);
        }
        free (self->ring);
        free (self);
        *self_p = NULL;
    }
}

void
event_log_reset (event_log_t *self, const char *epoch, uint64_t seq)
{
    while (!is_empty (self)) {
        drop_oldest (self);
    }
    snprintf (self->epoch, sizeof self->epoch, "%s", epoch);
    self->last = seq;
    self->first = seq + 1;
}

bool
event_log_append (event_log_t *self, const feed_header_t *header, const void *json, size_t size)
{
    frame_t *frame = header->seq == self->last + 1 && header->seq > 0
                         ? frame_of_event (header, clock_now ().steady, json, size)
                         : NULL;

    if (!frame) {
        return false;
    }
    while (!is_empty (self) && (self->last - self->first + 1 >= self->max ||
                                self->bytes + frame->size > self->bytes_max)) {
        drop_oldest (self);
    }
    self->ring [frame->seq % self->max] = frame;
    frame_keep (frame, &self->bytes);
    frame->end = self->end += frame->size;
    self->last = frame->seq;
    return true;
}

const char *
event_log_epoch (const event_log_t *self)
{
    return self->epoch;
}

uint64_t
event_log_last (const event_log_t *self)
{
    return self->last;
}

uint64_t
event_log_first (const event_log_t *self)
{
    return self->first;
}

const char *
event_log_check (const event_log_t *self, const char *asked, uint64_t *seq)
{
    size_t epoch = strcspn (asked, "-");
    char *end = NULL;

    if (epoch != ENVELOPE_EPOCH_SIZE - 1 || asked [epoch] != '-' || asked [epoch + 1] < '0' ||
        asked [epoch + 1] > '9') {
        return "malformed";
    }
    errno = 0;
    *seq = strtoull (asked + epoch + 1, &end, 10);
    if (*end || errno) {
        return "malformed";
    }
    if (strncmp (asked, self->epoch, epoch) != 0) {
        return "another epoch";
    }
    return *seq > self->last ? EVENT_LOG_AHEAD : *seq + 1 < self->first ? "too old" : NULL;
}

frame_t *
event_log_get (const event_log_t *self, uint64_t seq)
{
    return seq >= self->first && seq <= self->last ? self->ring [seq % self->max] : NULL;
}

void
event_log_supersede (event_log_t *self, uint64_t seq, event_type_t type)
{
    frame_t *frame = seq > 0 ? event_log_get (self, seq) : NULL;

    if (frame) {
        frame->superseded_by = type;
    }
}

size_t
event_log_bytes (const event_log_t *self)
{
    return self->bytes;
}

size_t
event_log_bytes_after (const event_log_t *self, uint64_t seq)
{
    if (seq >= self->last) {
        return 0;
    }
    const frame_t *next = event_log_get (self, seq < self->first ? self->first : seq + 1);
    //  None in a log that begins behind events it never had.
    return next ? (size_t) (self->end - next->end) + next->size : 0;
}
