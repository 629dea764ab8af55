// usage.c - see usage.h.
//
// SPDX-License-Identifier: MIT

#include "usage.h"

#include "../../common/cleanup.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE   65
#define EVERY_LEAST SECOND_US  //  a heartbeat is seldomer

typedef struct row {
    char account [NAME_SIZE], region [NAME_SIZE];
    int64_t calls, failed, throttled;
    double billed, cost;  //  cost is UNKNOWN until it was said
} row_t;

struct usage {
    row_t rows [USAGE_ROWS_MAX];
    size_t count;
    int64_t budget_usd, units, overdue;
    double cost, stretch;         //  cost as in a row
    time_us_t since, told, wait;  //  since is wall, the others steady
    bool changed;
    struct json_object *tree;  //  what was told last
};

usage_t *
usage_new (time_us_t since)
{
    usage_t *self = calloc (1, sizeof *self);

    if (self) {
        self->since = since;
        self->cost = UNKNOWN;
        self->stretch = 1;
        self->wait = EVERY_LEAST;
        self->changed = true;
    }
    return self;
}

void
usage_destroy (usage_t **self_p)
{
    if (*self_p) {
        json_destroy (&(*self_p)->tree);
        free (*self_p);
        *self_p = NULL;
    }
}

static row_t *
find (usage_t *self, const char *account, const char *region)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->rows [i].account, account) == 0 &&
            strcmp (self->rows [i].region, region) == 0) {
            return &self->rows [i];
        }
    }
    return NULL;
}

//  Never null: what has no row of its own is one of the others.
static row_t *
row_of (usage_t *self, const char *account, const char *region)
{
    bool fits = strlen (account) < NAME_SIZE && strlen (region) < NAME_SIZE;
    row_t *row = fits ? find (self, account, region) : NULL;

    self->changed = true;
    if (!row && (!fits || self->count >= USAGE_ROWS_MAX - 1)) {
        account = region = USAGE_OTHERS;
        row = find (self, account, region);
    }
    if (!row) {
        row = &self->rows [self->count++];
        *row = (row_t){.cost = UNKNOWN};
        snprintf (row->account, sizeof row->account, "%s", account);
        snprintf (row->region, sizeof row->region, "%s", region);
    }
    return row;
}

void
usage_count (usage_t *self, const char *account, const char *region, usage_outcome_t outcome)
{
    row_t *row = row_of (self, account, region);

    row->calls++;
    row->failed += outcome == USAGE_FAILED;
    row->throttled += outcome == USAGE_THROTTLED;
}

void
usage_bill (usage_t *self, const char *account, const char *region, double billed)
{
    row_of (self, account, region)->billed += billed;
}

void
usage_set_cost (usage_t *self, const char *account, const char *region, double usd_month)
{
    row_t *row = row_of (self, account, region);

    if (strcmp (row->region, USAGE_OTHERS) != 0) {  //  which is many: the whole has the sum
        row->cost = usd_month;
    }
}

void
usage_set_budget (usage_t *self, double usd_month, int64_t budget_usd, double stretch)
{
    self->changed = true;
    self->cost = usd_month;
    self->budget_usd = budget_usd;
    self->stretch = stretch;
}

void
usage_set_work (usage_t *self, size_t units, size_t rounds_overdue)
{
    self->changed = self->changed || self->units != (int64_t) units ||
                    self->overdue != (int64_t) rounds_overdue;
    self->units = (int64_t) units;
    self->overdue = (int64_t) rounds_overdue;
}

static struct json_object *
tree_of (const row_t *row)
{
    struct json_object *tree = json_object_new_object ();

    json_object_object_add (tree, "account", json_object_new_string (row->account));
    json_object_object_add (tree, "region", json_object_new_string (row->region));
    json_object_object_add (tree, "calls", json_object_new_int64 (row->calls));
    json_object_object_add (tree, "failed", json_object_new_int64 (row->failed));
    json_object_object_add (tree, "throttled", json_object_new_int64 (row->throttled));
    json_object_object_add (tree, "billed", json_object_new_double (row->billed));
    if (isfinite (row->cost)) {
        json_object_object_add (tree, "cost_usd_month", json_object_new_double (row->cost));
    }
    return tree;
}

void
usage_tell (usage_t *self, collector_heartbeat_t *beat, time_us_t steady)
{
    time_us_t waited = steady - self->told;

    if (self->tree && waited < USAGE_EVERY_MOST && !(self->changed && waited >= self->wait)) {
        return;
    }
    self->wait = self->wait * 2 < USAGE_EVERY_MOST ? self->wait * 2 : USAGE_EVERY_MOST;
    self->told = steady;
    self->changed = false;
    json_destroy (&self->tree);
    self->tree = json_object_new_array ();
    for (size_t i = 0; i < self->count; i++) {
        json_object_array_add (self->tree, tree_of (&self->rows [i]));
    }
    beat->units = self->units;
    beat->rounds_overdue = self->overdue;
    beat->usage_since = self->since;
    beat->usage.tree = self->tree;
    beat->cost_cents = isfinite (self->cost) ? llround (self->cost * 100) : INTEGER_UNKNOWN;
    beat->budget_usd = self->budget_usd > 0 ? self->budget_usd : INTEGER_UNKNOWN;
    beat->stretch_percent = (int64_t) llround (self->stretch * 100);
}
