// tally.h - the fleet in numbers: what system.stats says.
//
// Pure: workers are added one by one, then written.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_TALLY_H
#define AGGREGATOR_TALLY_H

#include "../common/json.h"
#include "worker.h"

#define TALLY_REGIONS_MAX 64  //  told one by one; workers of more regions count in the sum alone

typedef struct tally {
    size_t workers;
    size_t by_status [WORKER_STATUS_COUNT];
    const char *regions [TALLY_REGIONS_MAX];  //  borrowed from the workers
    size_t by_region [TALLY_REGIONS_MAX], regions_count;
} tally_t;

void tally_add (tally_t *self, const worker_t *worker);

//  The members of the data of system.stats that are about workers, into the caller's open object.
void tally_write (const tally_t *self, json_writer_t *json);

#endif
