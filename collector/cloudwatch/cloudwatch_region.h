// cloudwatch_region.h - what is kept of a region's workers between rounds.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CLOUDWATCH_REGION_H
#define COLLECTOR_CLOUDWATCH_REGION_H

#include "../core/collector.h"
#include "cloudwatch_dimensions.h"

typedef struct cw_region {  //  a unit's memory: zeroed at first
    zhashx_t *workers;      //  instance id -> cw_worker_t; null before cw_region_open
    size_t jobs;            //  under way, which know their workers
} cw_region_t;

void cw_region_open (cw_region_t *self);
void cw_region_clear (cw_region_t *self);

//  The worker's memory, made on first use; null when memory is out.
cw_worker_t *cw_region_worker (cw_region_t *self, const char *instance_id);

//  Forgets those that are not among the leased, or the table would only grow; not while a job is
//  under way. No round of the region may be.
void cw_region_forget_absent (cw_region_t *self, const collector_worker_t *const *leased,
                              size_t count);

#endif
