// history.c - see history.h.
//
// A ring is an array of blocks of slots; slot n stands for the n-th minute (or ten) since 1970
// and lies at n modulo the ring's length. newest is the highest n told; everything within one
// length below it is valid, for slots that are passed over are emptied on the way.
//
// SPDX-License-Identifier: MIT

#include "history.h"

#include "../common/cleanup.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SLOTS 120
#define DAY_MINUTES 1440

typedef struct ring {
    float **blocks;  //  each null until a value falls into it
    bool *dirty;     //  changed since it was saved
    int64_t length;  //  slots
    int64_t newest;  //  INT64_MIN: empty
} ring_t;

typedef struct series {
    ring_t fine, thin;
    double sum;  //  of the newest thin slot
    int64_t count;
} series_t;

struct history {
    const history_bounds_t *bounds;
    int64_t minute;  //  of the last sample
    bool due;        //  a minute has begun since the blocks were saved
    size_t bytes;
    series_t series [HISTORY_METRIC_COUNT];
};

static const char *const NAMES [HISTORY_METRIC_COUNT] = {"cpu_utilization", "memory_utilization",
                                                         "storage_utilization", "cml_labs_count"};

const char *
history_metric_name (history_metric_t metric)
{
    return NAMES [metric];
}

history_metric_t
history_metric_parse (const char *name)
{
    int metric = 0;

    while (metric < HISTORY_METRIC_COUNT && strcmp (NAMES [metric], name) != 0) {
        metric++;
    }
    return (history_metric_t) metric;
}

static size_t
block_count (const ring_t *ring)
{
    return (size_t) ((ring->length + BLOCK_SLOTS - 1) / BLOCK_SLOTS);
}

static bool
ring_init (ring_t *ring, int64_t length)
{
    ring->length = length;
    ring->newest = INT64_MIN;
    ring->blocks = length > 0 ? calloc (block_count (ring), sizeof *ring->blocks) : NULL;
    ring->dirty = length > 0 ? calloc (block_count (ring), sizeof *ring->dirty) : NULL;
    return length == 0 || (ring->blocks && ring->dirty);
}

static void
ring_clear (ring_t *ring)
{
    for (size_t i = 0; ring->blocks && i < block_count (ring); i++) {
        free (ring->blocks [i]);
    }
    free (ring->blocks);
    free (ring->dirty);
}

history_t *
history_new (const history_bounds_t *bounds)
{
    _cleanup_ (history_destroy) history_t *self = calloc (1, sizeof *self);
    int64_t thin = bounds->thin_days * DAY_MINUTES / HISTORY_THIN_MINUTES;

    if (!self) {
        return NULL;
    }
    self->bounds = bounds;
    self->bytes = sizeof *self;
    for (int metric = 0; metric < HISTORY_METRIC_COUNT; metric++) {
        series_t *series = &self->series [metric];
        if (!ring_init (&series->fine, bounds->fine_minutes) || !ring_init (&series->thin, thin)) {
            return NULL;
        }
        self->bytes += (block_count (&series->fine) + block_count (&series->thin)) *
                       sizeof *series->fine.blocks;
    }
    return take_ptr (self);
}

void
history_destroy (history_t **self_p)
{
    assert (self_p);
    history_t *self = *self_p;

    if (self) {
        for (int metric = 0; metric < HISTORY_METRIC_COUNT; metric++) {
            ring_clear (&self->series [metric].fine);
            ring_clear (&self->series [metric].thin);
        }
        free (self);
        *self_p = NULL;
    }
}

static float *
slot_of (const ring_t *ring, int64_t number)
{
    int64_t index = number % ring->length;
    float *block = ring->blocks [index / BLOCK_SLOTS];

    return block ? &block [index % BLOCK_SLOTS] : NULL;
}

static void
empty (float *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        slots [i] = NAN;
    }
}

//  Slots between the newest and this one were told nothing. Blocks come with a first value: an empty
//  ring has none.
static void
advance (ring_t *ring, int64_t number)
{
    int64_t from = ring->newest == INT64_MIN               ? number
                   : number - ring->newest >= ring->length ? number - ring->length
                                                           : ring->newest;

    for (int64_t each = from + 1; each <= number; each++) {
        float *slot = slot_of (ring, each < 0 ? 0 : each);
        if (slot) {
            *slot = NAN;
            ring->dirty [each % ring->length / BLOCK_SLOTS] = true;
        }
    }
    ring->newest = number;
}

static bool
make_block (history_t *self, ring_t *ring, int64_t index)
{
    float **block = &ring->blocks [index];

    if (!*block && (*block = malloc (BLOCK_SLOTS * sizeof **block))) {
        empty (*block, BLOCK_SLOTS);
        self->bytes += BLOCK_SLOTS * sizeof **block;
    }
    return *block != NULL;
}

//  False when the slot is older than the ring, or there is no memory.
static bool
ring_put (history_t *self, ring_t *ring, int64_t number, double value)
{
    if (ring->length == 0 || number < 0 ||
        (ring->newest != INT64_MIN && number <= ring->newest - ring->length)) {
        return false;
    }
    if (number > ring->newest) {
        advance (ring, number);
    }
    if (!make_block (self, ring, number % ring->length / BLOCK_SLOTS)) {
        return false;
    }
    *slot_of (ring, number) = (float) value;
    ring->dirty [number % ring->length / BLOCK_SLOTS] = true;
    return true;
}

static void
put (history_t *self, series_t *series, double value, time_us_t at)
{
    int64_t minute = at / MINUTE_US, ten = minute / HISTORY_THIN_MINUTES;

    if (isnan (value) || !ring_put (self, &series->fine, minute, value)) {
        return;
    }
    self->due |= minute != self->minute;
    self->minute = minute;
    if (ten < series->thin.newest) {
        return;  //  a late sample stands in the fine ring alone
    }
    if (ten > series->thin.newest) {
        series->sum = 0;
        series->count = 0;
    }
    float *slot = series->thin.length > 0 ? slot_of (&series->thin, ten) : NULL;
    if (series->count == 0 && slot && ten == series->thin.newest && !isnan (*slot)) {
        series->sum = *slot;  //  what was told of it before a restart, as one
        series->count = 1;
    }
    series->sum += value;
    series->count++;
    (void) ring_put (self, &series->thin, ten, series->sum / (double) series->count);
}

void
history_put (history_t *self, const snapshot_t *snapshot, time_us_t at)
{
    if (self->bounds->fine_minutes == 0 || at < 0) {
        return;
    }
    put (self, &self->series [HISTORY_CPU], snapshot->cpu_utilization, at);
    put (self, &self->series [HISTORY_MEMORY], snapshot->memory_utilization, at);
    put (self, &self->series [HISTORY_STORAGE], snapshot->storage_utilization, at);
    if (snapshot->cml_labs_count != INTEGER_UNKNOWN) {
        put (self, &self->series [HISTORY_LABS], (double) snapshot->cml_labs_count, at);
    }
}

//  Also what is kept of it is to be written anew: with the newest number there is.
static bool
ring_forget_after (ring_t *ring, int64_t last)
{
    if (ring->length == 0 || ring->newest == INT64_MIN || ring->newest <= last) {
        return false;
    }
    int64_t oldest = ring->newest - ring->length + 1;
    for (int64_t each = oldest > last ? oldest : last + 1; each <= ring->newest; each++) {
        float *slot = each >= 0 ? slot_of (ring, each) : NULL;
        if (slot) {
            *slot = NAN;
        }
    }
    for (size_t i = 0; i < block_count (ring); i++) {
        ring->dirty [i] = ring->blocks [i] != NULL;
    }
    ring->newest = oldest > last ? INT64_MIN : last;
    return true;
}

void
history_forget_future (history_t *self, time_us_t now)
{
    int64_t minute = now / MINUTE_US;

    for (int metric = 0; metric < HISTORY_METRIC_COUNT; metric++) {
        series_t *series = &self->series [metric];
        self->due |= ring_forget_after (&series->fine, minute);
        if (ring_forget_after (&series->thin, minute / HISTORY_THIN_MINUTES)) {
            series->sum = 0;
            series->count = 0;
        }
    }
}

typedef struct reading {
    json_writer_t *out;  //  null: count alone
    size_t skip, count;
} reading_t;

static void
read_ring (const ring_t *ring, int64_t minutes, int64_t from, int64_t until, reading_t *reading)
{
    if (ring->length == 0 || ring->newest == INT64_MIN) {
        return;
    }
    int64_t oldest = ring->newest - ring->length + 1;

    for (int64_t at = from > oldest ? from : oldest; at <= ring->newest && at < until; at++) {
        const float *slot = at >= 0 ? slot_of (ring, at) : NULL;
        if (!slot || isnan (*slot) || reading->count++ < reading->skip || !reading->out) {
            continue;
        }
        json_open_object (reading->out);
        json_member_time (reading->out, "at", at * minutes * MINUTE_US);
        json_member_number (reading->out, "value", *slot);
        json_close_object (reading->out);
    }
}

static void
read_series (const series_t *series, int64_t since_minute, reading_t *reading)
{
    //  Thinned ones end where fine ones begin; a ten that lies in both is told finely.
    int64_t fine_from = series->fine.newest == INT64_MIN
                            ? INT64_MAX
                            : series->fine.newest - series->fine.length + 1;
    int64_t thin_until = fine_from == INT64_MAX ? INT64_MAX : fine_from / HISTORY_THIN_MINUTES;

    read_ring (&series->thin, HISTORY_THIN_MINUTES,
               (since_minute + HISTORY_THIN_MINUTES - 1) / HISTORY_THIN_MINUTES, thin_until,
               reading);
    read_ring (&series->fine, 1, since_minute, INT64_MAX, reading);
}

void
history_write (const history_t *self, history_metric_t metric, time_us_t since, size_t limit,
               json_writer_t *out)
{
    int64_t minute = since <= 0 ? 0 : (since + MINUTE_US - 1) / MINUTE_US;
    reading_t counting = {0};

    read_series (&self->series [metric], minute, &counting);
    reading_t writing = {.out = out, .skip = counting.count > limit ? counting.count - limit : 0};
    json_open_array (out);
    read_series (&self->series [metric], minute, &writing);
    json_close_array (out);
}

//  --- kept over a restart: a block with the bounds and the newest number of its ring

typedef struct block_head {
    int64_t newest, length;
} block_head_t;

static void
save_ring (ring_t *ring, int metric, char kind, history_block_fn *fn, void *argument)
{
    char name [HISTORY_NAME_SIZE], bytes [sizeof (block_head_t) + BLOCK_SLOTS * sizeof (float)];
    block_head_t head = {ring->newest, ring->length};

    for (size_t i = 0; ring->blocks && i < block_count (ring); i++) {
        if (ring->dirty [i] && ring->blocks [i]) {
            ring->dirty [i] = false;
            snprintf (name, sizeof name, "%s|%c|%04zu", NAMES [metric], kind, i);
            memcpy (bytes, &head, sizeof head);
            memcpy (bytes + sizeof head, ring->blocks [i], BLOCK_SLOTS * sizeof (float));
            fn (argument, name, bytes, sizeof bytes);
        }
    }
}

void
history_save (history_t *self, bool force, history_block_fn *fn, void *argument)
{
    if (!force && !self->due) {
        return;
    }
    self->due = false;
    for (int metric = 0; metric < HISTORY_METRIC_COUNT; metric++) {
        save_ring (&self->series [metric].fine, metric, 'f', fn, argument);
        save_ring (&self->series [metric].thin, metric, 't', fn, argument);
    }
}

//  The newest number that falls into this slot and is not beyond newest.
static int64_t
number_at (int64_t index, int64_t length, int64_t newest)
{
    return newest - (newest - index) % length;
}

static void
restore_block (history_t *self, ring_t *ring, int64_t index, const block_head_t *head,
               const float *slots)
{
    if (head->newest > ring->newest) {
        advance (ring, head->newest);
    }
    for (int64_t i = 0; i < BLOCK_SLOTS && index * BLOCK_SLOTS + i < ring->length; i++) {
        int64_t number = number_at (index * BLOCK_SLOTS + i, ring->length, head->newest);
        if (!isnan (slots [i]) && number > ring->newest - ring->length && number >= 0 &&
            make_block (self, ring, index)) {
            ring->blocks [index][i] = slots [i];
        }
    }
}

void
history_restore (history_t *self, const char *name, const void *bytes, size_t size)
{
    char metric_name [HISTORY_NAME_SIZE];
    size_t length = strcspn (name, "|");
    block_head_t head;
    float slots [BLOCK_SLOTS];

    snprintf (metric_name, sizeof metric_name, "%.*s", (int) length, name);
    history_metric_t metric = history_metric_parse (metric_name);
    if (metric == HISTORY_METRIC_COUNT || size != sizeof head + sizeof slots ||
        strlen (name) < length + 4) {
        return;
    }
    ring_t *ring =
        name [length + 1] == 'f' ? &self->series [metric].fine : &self->series [metric].thin;
    int64_t index = strtoll (name + length + 3, NULL, 10);
    memcpy (&head, bytes, sizeof head);
    memcpy (slots, (const char *) bytes + sizeof head, sizeof slots);
    if (head.length == ring->length && head.newest >= 0 && index >= 0 && ring->blocks &&
        (size_t) index < block_count (ring)) {
        restore_block (self, ring, index, &head, slots);
    }
}

size_t
history_bytes (const history_t *self)
{
    return self->bytes;
}
