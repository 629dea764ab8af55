// work.c - see work.h.
//
// SPDX-License-Identifier: MIT

#include "work.h"

#include <string.h>

bool
work_wants (const char *kind, const worker_t *worker)
{
    snapshot_t snapshot = worker_snapshot (worker);

    if (worker_status (worker) != WORKER_RUNNING) {
        return false;
    }
    return strcmp (kind, "cml") != 0 || snapshot.public_ip || snapshot.private_ip ||
           worker_is_listed (worker);
}

bool
work_is_by_region (const char *kind)
{
    return strcmp (kind, "ec2") == 0 || strcmp (kind, "cloudwatch") == 0;
}

const char *
work_unit (const char *kind, const worker_t *worker)
{
    return work_is_by_region (kind) ? worker_region (worker) : worker_id (worker);
}
