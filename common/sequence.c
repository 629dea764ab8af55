// sequence.c - see sequence.h.
//
// SPDX-License-Identifier: MIT

#include "sequence.h"

#include <stdio.h>
#include <string.h>

sequence_verdict_t
sequence_next (sequence_t *self, const char *epoch, uint64_t number, uint64_t *missed)
{
    bool first = self->epoch [0] == '\0';

    *missed = 0;
    if (first || strcmp (self->epoch, epoch) != 0) {
        snprintf (self->epoch, sizeof self->epoch, "%s", epoch);
        self->last = number;
        *missed = first || number == 0 ? 0 : number - 1;
        return first ? SEQUENCE_FIRST : SEQUENCE_RESTARTED;
    }
    if (number <= self->last) {
        return SEQUENCE_DUPLICATE;
    }
    *missed = number - self->last - 1;
    self->last = number;
    return *missed > 0 ? SEQUENCE_GAP : SEQUENCE_NEXT;
}

uint64_t
sequence_expect (sequence_t *self, const char *epoch, uint64_t last)
{
    if (strcmp (self->epoch, epoch) != 0 || last <= self->last) {
        return 0;
    }
    uint64_t missing = last - self->last;
    self->last = last;
    return missing;
}
