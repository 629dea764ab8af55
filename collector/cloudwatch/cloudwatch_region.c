// SPDX-License-Identifier: MIT

#include "cloudwatch_region.h"

#include <string.h>

static void
destroy_worker_item (void **item_p)
{
    cw_worker_destroy ((cw_worker_t **) item_p);
}

void
cw_region_open (cw_region_t *self)
{
    if (!self->workers) {
        self->workers = zhashx_new ();
        zhashx_set_destructor (self->workers, destroy_worker_item);
    }
}

void
cw_region_clear (cw_region_t *self)
{
    zhashx_destroy (&self->workers);
}

cw_worker_t *
cw_region_worker (cw_region_t *self, const char *instance_id)
{
    cw_worker_t *worker = zhashx_lookup (self->workers, instance_id);

    if (!worker && (worker = cw_worker_new (instance_id))) {
        zhashx_insert (self->workers, instance_id, worker);
    }
    return worker;
}

void
cw_region_forget_absent (cw_region_t *self, const collector_worker_t *const *leased, size_t count)
{
    if (zhashx_size (self->workers) <= count || self->jobs > 0) {
        return;
    }
    zhashx_t *kept = zhashx_new ();
    for (size_t i = 0; i < count; i++) {
        cw_worker_t *worker = zhashx_lookup (self->workers, leased [i]->instance_id);
        if (worker) {
            zhashx_update (kept, worker->instance_id, worker);
        }
    }
    zlistx_t *ids = zhashx_keys (self->workers);
    for (const char *id = zlistx_first (ids); id; id = zlistx_next (ids)) {
        if (!zhashx_lookup (kept, id)) {
            zhashx_delete (self->workers, id);
        }
    }
    zlistx_destroy (&ids);
    zhashx_destroy (&kept);
}
