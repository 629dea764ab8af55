// fleet_samples.c - the samples of each worker's charts, read from the store when they are first needed.
//
// SPDX-License-Identifier: MIT

#include "fleet_state.h"

#include "../common/log.h"

#include <stdio.h>
#include <string.h>

static void
restore_samples (void *history, const char *key, const void *bytes, size_t size)
{
    const char *name = strchr (key, '|');

    if (name) {
        history_restore (history, name + 1, bytes, size);
    }
}

//  Read when they are first needed, not at the start: most of a fleet's rows are samples.
history_t *
fleet_samples (fleet_t *self, entry_t *entry)
{
    char prefix [WORKER_ID_SIZE + 1];
    reason_t why = {0};

    if (entry->history || !(entry->history = history_new (&self->settings->history))) {
        return entry->history;
    }
    snprintf (prefix, sizeof prefix, "%s|", worker_id (entry->worker));
    if (self->store && store_each (self->store, STORE_SAMPLES, prefix, restore_samples,
                                   entry->history, &why) < 0) {
        log_warn ("samples cannot be read", LOG_TEXT ("worker", worker_id (entry->worker)),
                  LOG_TEXT ("reason", why.text));
    }
    history_forget_future (entry->history, loop_now (self->loop).wall);
    return entry->history;
}

const history_t *
fleet_history (fleet_t *self, const worker_t *worker)
{
    entry_t *entry = fleet_entry (self, worker_id (worker));

    return entry ? fleet_samples (self, entry) : NULL;
}
