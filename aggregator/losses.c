// losses.c - see losses.h.
//
// SPDX-License-Identifier: MIT

#include "losses.h"

#include <assert.h>
#include <czmq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct range {
    uint64_t from, to;
    time_us_t noted;  //  steady
    time_us_t ask_at;
} range_t;

typedef struct missing {  //  of one source
    char epoch [ENVELOPE_EPOCH_SIZE];
    range_t ranges [LOSSES_RANGES_MAX];
    size_t count;
    bool fresh;  //  it is to begin anew
} missing_t;

struct losses {
    time_us_t wait_us;
    zhashx_t *sources;  //  missing_t by source, while there is something to say of it
};

static void
free_missing (void **missing_p)
{
    free (*missing_p);
    *missing_p = NULL;
}

losses_t *
losses_new (time_us_t wait_us)
{
    losses_t *self = calloc (1, sizeof *self);

    if (self) {
        self->wait_us = wait_us;
        self->sources = zhashx_new ();
        zhashx_set_destructor (self->sources, free_missing);
    }
    return self;
}

void
losses_destroy (losses_t **self_p)
{
    assert (self_p);
    losses_t *self = *self_p;

    if (self) {
        zhashx_destroy (&self->sources);
        free (self);
        *self_p = NULL;
    }
}

static void
forget_if_done (losses_t *self, const char *source, const missing_t *missing)
{
    if (missing->count == 0 && !missing->fresh) {
        zhashx_delete (self->sources, source);
    }
}

//  A source that began anew has no numbers of before.
static missing_t *
of_source (losses_t *self, const char *source, const char *epoch)
{
    missing_t *missing = zhashx_lookup (self->sources, source);

    if (!missing && (missing = calloc (1, sizeof *missing))) {
        zhashx_insert (self->sources, source, missing);
    }
    if (missing && strcmp (missing->epoch, epoch) != 0) {
        snprintf (missing->epoch, sizeof missing->epoch, "%s", epoch);
        missing->count = 0;
    }
    return missing;
}

uint64_t
losses_note (losses_t *self, const char *source, const char *epoch, uint64_t from, uint64_t to,
             time_us_t steady)
{
    missing_t *missing = of_source (self, source, epoch);

    if (!missing || missing->count == LOSSES_RANGES_MAX) {
        if (missing) {
            missing->fresh = true;
        }
        return to - from + 1;
    }
    missing->ranges [missing->count++] =
        (range_t){.from = from, .to = to, .noted = steady, .ask_at = steady};
    return 0;
}

static void
remove_range (missing_t *missing, size_t at)
{
    missing->count--;
    memmove (&missing->ranges [at], &missing->ranges [at + 1],
             (missing->count - at) * sizeof (range_t));
}

//  They come in order: a range mostly shrinks from its begin. One that is hit within is cut to
//  what lies behind, for what lay before it was passed over again.
static void
cross_off (missing_t *missing, size_t at, uint64_t number)
{
    range_t *range = &missing->ranges [at];

    if (number == range->to) {
        range->to--;
    } else if (number == range->from) {
        range->from++;
    } else if (missing->count < LOSSES_RANGES_MAX) {
        missing->ranges [missing->count] = *range;
        missing->ranges [missing->count++].from = number + 1;
        range->to = number - 1;
    } else {
        return;  //  no room to cut it in two: it stays as it is, and may count one too many
    }
    if (range->from > range->to) {
        remove_range (missing, at);
    }
}

bool
losses_came (losses_t *self, const char *source, const char *epoch, uint64_t number)
{
    missing_t *missing = zhashx_lookup (self->sources, source);

    for (size_t i = 0; missing && strcmp (missing->epoch, epoch) == 0 && i < missing->count; i++) {
        if (number >= missing->ranges [i].from && number <= missing->ranges [i].to) {
            cross_off (missing, i, number);
            forget_if_done (self, source, missing);
            return true;
        }
    }
    return false;
}

void
losses_ask (losses_t *self, const char *source, time_us_t steady, losses_range_fn *fn,
            void *argument)
{
    missing_t *missing = zhashx_lookup (self->sources, source);

    for (size_t i = 0; missing && i < missing->count; i++) {
        if (missing->ranges [i].ask_at <= steady) {
            missing->ranges [i].ask_at = steady + self->wait_us / LOSSES_ASKED_MOST;
            fn (argument, missing->ranges [i].from, missing->ranges [i].to);
        }
    }
}

bool
losses_takes_fresh (losses_t *self, const char *source)
{
    missing_t *missing = zhashx_lookup (self->sources, source);

    if (!missing || !missing->fresh) {
        return false;
    }
    missing->fresh = false;
    forget_if_done (self, source, missing);
    return true;
}

static uint64_t
expire (missing_t *missing, time_us_t before)
{
    uint64_t lost = 0;

    for (size_t i = missing->count; i-- > 0;) {
        const range_t *range = &missing->ranges [i];
        if (range->noted < before) {
            lost += range->to - range->from + 1;
            remove_range (missing, i);
        }
    }
    missing->fresh |= lost > 0;
    return lost;
}

void
losses_expire (losses_t *self, time_us_t steady, losses_lost_fn *fn, void *argument)
{
    for (missing_t *missing = zhashx_first (self->sources); missing;
         missing = zhashx_next (self->sources)) {
        uint64_t lost = expire (missing, steady - self->wait_us);
        if (lost > 0) {
            fn (argument, zhashx_cursor (self->sources), lost);
        }
    }
}
