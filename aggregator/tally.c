// tally.c - see tally.h.
//
// SPDX-License-Identifier: MIT

#include "tally.h"

#include <string.h>

void
tally_add (tally_t *self, const worker_t *worker)
{
    size_t at = 0;

    self->workers++;
    self->by_status [worker_status (worker)]++;
    while (at < self->regions_count && strcmp (self->regions [at], worker_region (worker)) != 0) {
        at++;
    }
    if (at == self->regions_count && at < TALLY_REGIONS_MAX) {
        self->regions [self->regions_count++] = worker_region (worker);
    }
    if (at < TALLY_REGIONS_MAX) {
        self->by_region [at]++;
    }
}

static void
write_statuses (const tally_t *self, json_writer_t *json)
{
    json_key (json, "by_status");
    json_open_object (json);
    for (int status = 0; status < WORKER_STATUS_COUNT; status++) {
        if (self->by_status [status] > 0) {
            json_member_integer (json, worker_status_name ((worker_status_t) status),
                                 (int64_t) self->by_status [status]);
        }
    }
    json_close_object (json);
}

//  A region's name comes from outside: it is escaped like any text.
static void
write_regions (const tally_t *self, json_writer_t *json)
{
    json_key (json, "by_region");
    json_open_object (json);
    for (size_t i = 0; i < self->regions_count; i++) {
        json_put_text (json, self->regions [i]);
        buffer_append (json->out, ":", 1);
        json->after_key = true;
        json_put_integer (json, (int64_t) self->by_region [i]);
    }
    json_close_object (json);
}

void
tally_write (const tally_t *self, json_writer_t *json)
{
    json_member_integer (json, "total_workers", (int64_t) self->workers);
    json_member_integer (json, "active_workers", (int64_t) self->by_status [WORKER_RUNNING]);
    write_statuses (self, json);
    write_regions (self, json);
}
