// SPDX-License-Identifier: MIT

#include "calls.h"

#include "../../common/cleanup.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CALLS_MAX 256

typedef struct call {
    const char *group;
    char name [64];
    uint64_t count;
} call_t;

struct calls {
    call_t list [CALLS_MAX];
    size_t count;
    uint64_t billed;
};

static const char *const GROUPS [] = {"aws", "cml", "faults", "metadata"};

calls_t *
calls_new (void)
{
    return calloc (1, sizeof (calls_t));
}

void
calls_destroy (calls_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

void
calls_clear (calls_t *self)
{
    *self = (calls_t){0};
}

void
calls_count (calls_t *self, const char *group, const char *name)
{
    size_t i = 0;

    while (i < self->count &&
           (strcmp (self->list [i].group, group) != 0 ||
            strncmp (self->list [i].name, name, sizeof self->list [i].name - 1) != 0)) {
        i++;
    }
    if (i == CALLS_MAX) {
        snprintf (self->list [--i].name, sizeof self->list [i].name, "other");
    }
    call_t *call = &self->list [i];
    if (i == self->count) {
        self->count++;
        call->group = group;
        snprintf (call->name, sizeof call->name, "%s", name);
    }
    call->count++;
}

void
calls_bill (calls_t *self, uint64_t metrics)
{
    self->billed += metrics;
}

void
calls_write (const calls_t *self, json_writer_t *out)
{
    json_open_object (out);
    json_member_integer (out, "metrics_billed", (int64_t) self->billed);
    for (size_t group = 0; group < sizeof GROUPS / sizeof GROUPS [0]; group++) {
        json_key (out, GROUPS [group]);
        json_open_object (out);
        for (size_t i = 0; i < self->count; i++) {
            if (strcmp (self->list [i].group, GROUPS [group]) == 0) {
                json_member_integer (out, self->list [i].name, (int64_t) self->list [i].count);
            }
        }
        json_close_object (out);
    }
    json_close_object (out);
}
