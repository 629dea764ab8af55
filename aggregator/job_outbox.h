// job_outbox.h - answers that wait for their turn's commit.
//
// What an answer says happened is told to nobody before the store has it. The outbox holds answers
// until it is told that they may go; one whose asker has gone by then costs nothing.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_JOB_OUTBOX_H
#define AGGREGATOR_JOB_OUTBOX_H

#include "../common/buffer.h"
#include "../common/bus.h"

typedef struct job_outbox job_outbox_t;

job_outbox_t *job_outbox_new (void);
void job_outbox_destroy (job_outbox_t **self_p);  //  what it holds is never answered

//  Takes text over. request was deferred (bus_request_defer).
void job_outbox_put (job_outbox_t *self, bus_request_t *request, buffer_t *text);
void job_outbox_send (job_outbox_t *self);

#endif
