// view.h - what of the fleet somebody may see: which regions, which workers, and how much of each.
//
// A view is part of the filter (filter.h) of each stream and request: whoever may not see a worker
// is never served a byte of it, in the stream, its replay, lists, counts or errors. What concerns
// no worker and no region (the fleet's numbers, collectors) is for those who may see all.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_VIEW_H
#define GATEWAY_VIEW_H

#include "../common/reason.h"
#include "mask.h"
#include "names.h"

#define VIEW_NAMES_MOST 1024  //  of each list

typedef struct view {
    unsigned references;
    bool by_region, by_worker;  //  only those in the set; both: those in both
    name_set_t regions, workers;
    const mask_t *mask;  //  null: everything of a worker is seen; borrowed
} view_t;

//  Sees all.
view_t *view_new (void);
view_t *view_hold (view_t *self);
void view_release (view_t **self_p);

//  Adds to what may be seen, and to nothing else. list is names apart by commas. 0 or -EINVAL.
int view_limit_regions (view_t *self, const char *list, reason_t *why);
int view_limit_workers (view_t *self, const char *list, reason_t *why);

bool view_is_limited (const view_t *self);
//  "" for what concerns no region, no worker.
bool view_shows (const view_t *self, const char *region, const char *worker_id);
//  The same workers are seen by both.
bool view_equal (const view_t *self, const view_t *other);

//  The same text for views that show the same; nothing for one that shows all.
void view_write_key (const view_t *self, buffer_t *out);

#endif
