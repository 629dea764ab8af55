// SPDX-License-Identifier: MIT

#include "report.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct fault {
    char kind [192];  //  "region|api|code", cut when longer
    time_us_t said;   //  steady
    uint64_t held_back;
} fault_t;

struct report {
    size_t count;
    fault_t faults [REPORT_KINDS_MAX];
};

report_t *
report_new (void)
{
    return calloc (1, sizeof (report_t));
}

void
report_destroy (report_t **self_p)
{
    assert (self_p);

    free (*self_p);
    *self_p = NULL;
}

//  The fault of this kind, or the place of a new one: a free one, else the longest unsaid.
static fault_t *
find (report_t *self, const char *kind, bool *is_new)
{
    fault_t *oldest = &self->faults [0];

    *is_new = false;
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->faults [i].kind, kind) == 0) {
            return &self->faults [i];
        }
        if (self->faults [i].said < oldest->said) {
            oldest = &self->faults [i];
        }
    }
    *is_new = true;
    return self->count < REPORT_KINDS_MAX ? &self->faults [self->count++] : oldest;
}

bool
report_is_due (report_t *self, const char *region, const char *api, const char *code, time_us_t now,
               uint64_t *held_back)
{
    fault_t fault = {.said = now};
    bool is_new;

    snprintf (fault.kind, sizeof fault.kind, "%s|%s|%s", region ? region : "", api, code);
    fault_t *kept = find (self, fault.kind, &is_new);
    if (!is_new && now - kept->said < REPORT_EVERY_US) {
        kept->held_back++;
        return false;
    }
    *held_back = is_new ? 0 : kept->held_back;
    *kept = fault;
    return true;
}
