// job_outbox.c - see job_outbox.h.
//
// SPDX-License-Identifier: MIT

#include "job_outbox.h"

#include <assert.h>
#include <stdlib.h>

typedef struct letter {
    bus_request_t *request;
    buffer_t text;
} letter_t;

struct job_outbox {
    letter_t *letters;
    size_t count, size;
};

job_outbox_t *
job_outbox_new (void)
{
    return calloc (1, sizeof (job_outbox_t));
}

void
job_outbox_destroy (job_outbox_t **self_p)
{
    assert (self_p);

    if (*self_p) {
        for (size_t i = 0; i < (*self_p)->count; i++) {
            buffer_clear (&(*self_p)->letters [i].text);
        }
        free ((*self_p)->letters);
        free (*self_p);
        *self_p = NULL;
    }
}

void
job_outbox_put (job_outbox_t *self, bus_request_t *request, buffer_t *text)
{
    if (self->count == self->size) {
        size_t size = self->size ? self->size * 2 : 64;
        letter_t *letters = realloc (self->letters, size * sizeof *letters);
        assert (letters && "a row for each answer of a turn");
        self->letters = letters;
        self->size = size;
    }
    self->letters [self->count++] = (letter_t){.request = request, .text = *text};
    *text = (buffer_t){0};
}

void
job_outbox_send (job_outbox_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        letter_t *letter = &self->letters [i];
        bus_request_reply (letter->request, letter->text.data, letter->text.size);
        buffer_clear (&letter->text);
    }
    self->count = 0;
}
