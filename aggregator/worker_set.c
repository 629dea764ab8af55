// worker_set.c - a change from its begin to its end, and the setters; see worker_state.h.
//
// SPDX-License-Identifier: MIT

#include "worker_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PERCENT_SAME 0.0005  //  half of the last decimal that is written

worker_change_t
change_begin (const worker_t *self, worker_source_t by)
{
    worker_change_t change = {.by = by,
                              .old_connected = self->connected,
                              .old_status = self->status,
                              .old_service = self->service};

    for (int source = 0; source < SOURCE_COUNT; source++) {
        change.old_freshness [source] = self->sources [source].freshness;
    }
    return change;
}

//  When something was read or is read next: it travels along and is no news.
static bool
is_quiet (snapshot_field_t field)
{
    switch (snapshot_field_group (field)) {
    case SNAPSHOT_GROUP_CML_QUIET:
    case SNAPSHOT_GROUP_EC2_QUIET:
    case SNAPSHOT_GROUP_CLOUDWATCH_QUIET: return true;
    default: break;
    }
    return field == SNAPSHOT_next_refresh_at || field == SNAPSHOT_poll_interval ||
           field == SNAPSHOT_last_activity_check_at || field == SNAPSHOT_next_idle_check_at;
}

worker_change_t
change_end (worker_t *self, worker_change_t *change, time_us_t at)
{
    bool news = change->labs || change->old_connected != self->connected;

    idle_follow (self, change);
    cost_follow (self, change);
    FOR_EACH_FIELD (field, &change->fields)
    {
        news = news || !is_quiet ((snapshot_field_t) field);
    }
    //  Sources differ in their times: what was updated last never goes back.
    if (news && at > self->state.updated_at) {
        self->state.updated_at = at;
        field_set_add (&change->fields, SNAPSHOT_updated_at);
    }
    change->verdict = WORKER_APPLIED;
    change->at = at;
    return *change;
}

static void
adopt (worker_change_t *change, snapshot_field_t field, const char **slot, char *owned)
{
    free ((void *) (uintptr_t) *slot);
    *slot = owned;
    field_set_add (&change->fields, field);
}

static bool
same_text (const char *a, const char *b)
{
    return a == b || (a && b && strcmp (a, b) == 0);
}

void
set_text (worker_change_t *change, snapshot_field_t field, const char **slot, const char *value)
{
    if (same_text (*slot, value)) {
        return;
    }
    char *copied = value ? strdup (value) : NULL;
    if (copied || !value) {  //  else out of memory: the old stays, the next round tries again
        adopt (change, field, slot, copied);
    }
}

void
set_json (worker_change_t *change, snapshot_field_t field, const char **slot,
          const json_node_t *node)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    (void) buffer_reserve (&text, *slot ? strlen (*slot) : 0);  //  mostly it is as long as it was
    json_put_node (&json, node);
    if (buffer_failed (&text) || same_text (*slot, text.data)) {
        buffer_clear (&text);
        return;
    }
    char *fitting = realloc (text.data, text.size + 1);
    adopt (change, field, slot, fitting ? fitting : text.data);
}

void
set_percent (worker_change_t *change, snapshot_field_t field, double *slot, double value)
{
    //  NaN differs from itself, which is right for sums and wrong for "did it change?".
    if ((isnan (*slot) && isnan (value)) || fabs (*slot - value) < PERCENT_SAME) {
        return;
    }
    *slot = value;
    field_set_add (&change->fields, field);
}

void
set_integer (worker_change_t *change, snapshot_field_t field, int64_t *slot, int64_t value)
{
    if (*slot != value) {
        *slot = value;
        field_set_add (&change->fields, field);
    }
}

void
set_flag (worker_change_t *change, snapshot_field_t field, flag_t *slot, flag_t value)
{
    if (*slot != value) {
        *slot = value;
        field_set_add (&change->fields, field);
    }
}
