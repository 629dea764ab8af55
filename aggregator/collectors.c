// collectors.c - see collectors.h.
//
// SPDX-License-Identifier: MIT

#include "collectors.h"

#include "../common/cleanup.h"

#include <czmq.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX         "/collector/"
#define NAME_SIZE      65
#define KIND_SIZE      32
#define INTERVALS_MISS 3
#define INTERVAL_LEAST SECOND_US
#define INTERVAL_MOST  MINUTE_US
#define COUNT_MOST     1000000000000000  //  of what anybody may say: sums of it fit

typedef struct row {
    char account [NAME_SIZE], region [NAME_SIZE];
    int64_t calls, failed, throttled;
    double billed, cost;  //  cost UNKNOWN: none was said
} row_t;

typedef struct each {
    char kind [KIND_SIZE], version [NAME_SIZE];
    time_us_t said;  //  wall; the newest heartbeat
    time_us_t over;  //  steady; it is silent from then on
    collector_heartbeat_t
        beat;  //  the numbers of the last that told them; its texts and trees are gone
    row_t *rows;
    size_t count;
    uint64_t lost;
} each_t;

struct collectors {
    zhashx_t *all;  //  each_t by source
    buffer_t text;  //  what is told, an array
    bool changed, members_changed;
    time_us_t made;  //  steady
};

static void
destroy_each (void **each_p)
{
    each_t *self = *each_p;

    free (self->rows);
    free (self);
    *each_p = NULL;
}

collectors_t *
collectors_new (void)
{
    collectors_t *self = calloc (1, sizeof *self);

    if (self) {
        self->all = zhashx_new ();
        zhashx_set_destructor (self->all, destroy_each);
        buffer_text (&self->text, "[]");
    }
    return self;
}

void
collectors_destroy (collectors_t **self_p)
{
    if (*self_p) {
        zhashx_destroy (&(*self_p)->all);
        buffer_clear (&(*self_p)->text);
        free (*self_p);
        *self_p = NULL;
    }
}

//  --- what they say

static each_t *
each_of (collectors_t *self, const char *source)
{
    each_t *each = zhashx_lookup (self->all, source);
    const char *kind = source + strlen (PREFIX);

    if (each) {
        return each;
    }
    if (strncmp (source, PREFIX, strlen (PREFIX)) != 0 || !strchr (kind, '/') ||
        zhashx_size (self->all) >= COLLECTORS_MAX || !(each = calloc (1, sizeof *each))) {
        return NULL;
    }
    snprintf (each->kind, sizeof each->kind, "%.*s", (int) strcspn (kind, "/"), kind);
    each->beat.units = each->beat.rounds_overdue = each->beat.cost_cents = each->beat.budget_usd =
        each->beat.stretch_percent = INTEGER_UNKNOWN;
    each->beat.usage_since = TIME_UNKNOWN;
    zhashx_insert (self->all, source, each);
    self->members_changed = true;
    return each;
}

static int64_t
count_of (const json_node_t *node, const char *key)
{
    int64_t value = 0;

    return !json_node_integer (json_node_get (node, key), &value) || value < 0 ? 0
           : value < COUNT_MOST                                                ? value
                                                                               : COUNT_MOST;
}

static double
amount_of (const json_node_t *node, const char *key, double otherwise)
{
    double value = otherwise;

    return json_node_number (json_node_get (node, key), &value) && value >= 0 && value < COUNT_MOST
               ? value
               : otherwise;
}

static int64_t
known (int64_t value)
{
    return value < 0 ? INTEGER_UNKNOWN : value;
}

//  What is no row is left out: it comes from outside.
static bool
take_row (row_t *row, const json_node_t *node)
{
    const char *account = json_node_get_text (node, "account"),
               *region = json_node_get_text (node, "region");

    if (!region || strlen (region) >= NAME_SIZE || (account && strlen (account) >= NAME_SIZE)) {
        return false;
    }
    *row = (row_t){.calls = count_of (node, "calls"),
                   .failed = count_of (node, "failed"),
                   .throttled = count_of (node, "throttled"),
                   .billed = amount_of (node, "billed", 0),
                   .cost = amount_of (node, "cost_usd_month", UNKNOWN)};
    snprintf (row->account, sizeof row->account, "%s", account ? account : "");
    snprintf (row->region, sizeof row->region, "%s", region);
    return true;
}

static void
take_rows (each_t *each, const json_node_t *array)
{
    size_t count = json_node_count (array);
    size_t most = count < COLLECTORS_ROWS_MAX ? count : COLLECTORS_ROWS_MAX;
    row_t *rows = calloc (most + 1, sizeof *rows);

    if (!rows) {
        return;  //  the last ones stay
    }
    free (each->rows);
    each->rows = rows;
    each->count = 0;
    FOR_EACH_NODE (node, array)
    {
        if (each->count == most) {
            break;
        }
        each->count += take_row (&rows [each->count], node);
    }
}

void
collectors_take (collectors_t *self, const char *source, const collector_heartbeat_t *beat,
                 time_us_t at, time_us_t steady)
{
    each_t *each = each_of (self, source);
    time_us_t interval = beat->interval_ms == INTEGER_UNKNOWN || beat->interval_ms < 0 ? 0
                         : beat->interval_ms < INTERVAL_MOST / MS_US ? beat->interval_ms * MS_US
                                                                     : INTERVAL_MOST;

    if (!each) {
        return;
    }
    interval = interval > INTERVAL_LEAST ? interval : INTERVAL_LEAST;
    each->over = steady + INTERVALS_MISS * interval;
    if (at < each->said) {
        return;  //  sent again
    }
    each->said = at;
    if (beat->version) {
        snprintf (each->version, sizeof each->version, "%s", beat->version);
    }
    if (beat->usage.node) {
        take_rows (each, beat->usage.node);
        each->beat = (collector_heartbeat_t){.units = known (beat->units),
                                             .rounds_overdue = known (beat->rounds_overdue),
                                             .usage_since = beat->usage_since,
                                             .cost_cents = known (beat->cost_cents),
                                             .budget_usd = known (beat->budget_usd),
                                             .stretch_percent = known (beat->stretch_percent)};
        self->changed = true;
    }
}

void
collectors_lose (collectors_t *self, const char *source, uint64_t count)
{
    each_t *each = zhashx_lookup (self->all, source);

    if (each) {
        each->lost += count;
        self->changed = true;
    }
}

//  --- what is told

static row_t
sum_of (const each_t *each)
{
    row_t sum = {.cost = each->beat.cost_cents == INTEGER_UNKNOWN
                             ? UNKNOWN
                             : (double) each->beat.cost_cents / 100};

    for (size_t i = 0; i < each->count; i++) {
        sum.calls += each->rows [i].calls;
        sum.failed += each->rows [i].failed;
        sum.throttled += each->rows [i].throttled;
        sum.billed += each->rows [i].billed;
    }
    return sum;
}

//  json_put_integer and json_put_number write what is unknown as null.
static void
write_numbers (const row_t *row, json_writer_t *json)
{
    json_member_integer (json, "calls", row->calls);
    json_member_integer (json, "failed", row->failed);
    json_member_integer (json, "throttled", row->throttled);
    json_member_number (json, "billed", row->billed);
    json_member_number (json, "cost_usd_month", row->cost);
}

static void
write_each (const char *source, const each_t *each, size_t *room, json_writer_t *json)
{
    const collector_heartbeat_t *beat = &each->beat;
    row_t sum = sum_of (each);

    json_open_object (json);
    json_member_text (json, "collector_id", source);
    json_member_text (json, "kind", each->kind);
    json_member_text (json, "version", *each->version ? each->version : NULL);
    json_member_integer (json, "units", beat->units);
    json_member_integer (json, "rounds_overdue", beat->rounds_overdue);
    json_member_integer (json, "lost", (int64_t) each->lost);
    json_member_time (json, "since", beat->usage_since);
    write_numbers (&sum, json);
    json_member_integer (json, "budget_usd", beat->budget_usd);
    json_member_number (
        json, "interval_stretch",
        beat->stretch_percent == INTEGER_UNKNOWN ? UNKNOWN : (double) beat->stretch_percent / 100);
    json_key (json, "usage");
    json_open_array (json);
    for (size_t i = 0; i<each->count && * room> 0; i++, --*room) {
        json_open_object (json);
        json_member_text (json, "account", each->rows [i].account);
        json_member_text (json, "region", each->rows [i].region);
        write_numbers (&each->rows [i], json);
        json_close_object (json);
    }
    json_close_array (json);
    json_close_object (json);
}

static void
make (collectors_t *self)
{
    json_writer_t json = json_writer (&self->text);
    zlistx_t *sources = zhashx_keys (self->all);
    size_t room = COLLECTORS_ROWS_MAX;

    buffer_reset (&self->text);
    zlistx_set_comparator (sources, (zlistx_comparator_fn *) strcmp);
    zlistx_sort (sources);
    json_open_array (&json);
    for (const char *source = zlistx_first (sources); source; source = zlistx_next (sources)) {
        write_each (source, zhashx_lookup (self->all, source), &room, &json);
    }
    json_close_array (&json);
    zlistx_destroy (&sources);
}

static void
drop_silent (collectors_t *self, time_us_t steady)
{
    zlistx_t *sources = zhashx_keys (self->all);

    for (const char *source = zlistx_first (sources); source; source = zlistx_next (sources)) {
        const each_t *each = zhashx_lookup (self->all, source);
        if (each->over <= steady) {
            zhashx_delete (self->all, source);
            self->members_changed = true;
        }
    }
    zlistx_destroy (&sources);
}

void
collectors_look (collectors_t *self, time_us_t steady)
{
    drop_silent (self, steady);
    if (self->members_changed || (self->changed && steady - self->made >= COLLECTORS_EVERY)) {
        make (self);
        self->made = steady;
        self->changed = self->members_changed = false;
    }
}

void
collectors_write (const collectors_t *self, json_writer_t *json)
{
    json_member_raw (json, "collectors", self->text.data, self->text.size);
}
