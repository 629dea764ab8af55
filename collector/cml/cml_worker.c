// SPDX-License-Identifier: MIT

#include "cml_worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void
on_poll_wanted (void *argument, bool now)
{
    cml_worker_t *self = argument;

    self->was_polled = false;
    if (now) {
        collector_make_due (self->core, self->subject);
    }
}

int
cml_worker_set_up (cml_worker_t *self, const cml_tools_t *tools, collector_round_t *round)
{
    collector_t *core = collector_round_core (round);

    if (self->session) {
        return 0;
    }
    self->core = core;
    snprintf (self->subject, sizeof self->subject, "%s", collector_round_worker (round)->subject);
    self->session = cml_session_new (core, tools->settings);
    self->labs = cml_labs_new ();
    if (self->session && self->labs && tools->push) {
        self->push = cml_push_new (core, tools->settings, tools->push, self->session, self->labs,
                                   on_poll_wanted, self);
    }
    if (!self->session || !self->labs || (tools->push && !self->push)) {
        cml_worker_clear (self);
        return -ENOMEM;
    }
    return 0;
}

static bool
is_running (const collector_round_t *round)
{
    return strcmp (collector_round_worker (round)->status, "running") == 0;
}

bool
cml_worker_is_due (cml_worker_t *self, collector_round_t *round)
{
    self->runs = is_running (round);
    if (!self->push) {
        return true;
    }
    if (!self->runs) {
        cml_push_rest (self->push);
        return true;
    }
    return !cml_push_speaks (self->push) || !self->was_polled ||
           collector_now (self->core).steady >= self->poll_due;
}

void
cml_worker_attend (cml_worker_t *self, const cml_place_t *place)
{
    if (self->push && self->runs) {
        cml_push_attend (self->push, place);
    }
}

void
cml_worker_clear (cml_worker_t *self)
{
    cml_push_destroy (&self->push);
    cml_session_destroy (&self->session);
    cml_labs_destroy (&self->labs);
    cml_round_destroy (&self->round);
}

void
cml_worker_forget (cml_worker_t *self)
{
    cml_told_forget (&self->health);
    cml_told_forget (&self->licensing);
    self->activity_was_read = false;
    self->was_polled = false;
}
