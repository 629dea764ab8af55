// worker_state.h - the inside of a worker, for worker.c and worker_update.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_WORKER_STATE_H
#define AGGREGATOR_WORKER_STATE_H

#include "../common/worker_id.h"
#include "worker.h"

#define SOURCE_ERROR_SIZE  128
#define LICENSE_TOKEN_SIZE 32

typedef struct source_state {
    time_us_t at;       //  observation time of the newest thing it said, also of a failure
    time_us_t good_at;  //  of the newest usable one
    freshness_t freshness;
    time_us_t stale_at;  //  steady
    char error [SOURCE_ERROR_SIZE];
} source_state_t;

struct worker {
    char worker_id [WORKER_ID_SIZE];
    char *region, *instance_id;
    worker_status_t status;
    worker_service_t service;
    unsigned cml_failures;  //  in a row; the second makes it unavailable
    source_state_t sources [SOURCE_COUNT];
    time_us_t labs_at, activity_at;  //  observation times of those two kinds of CML's facts
    double cml_cpu, cml_memory, cml_storage, agent_disk;
    char *labs;
    //  Every text here is owned; numbers and times are as in the snapshot.
    snapshot_t state;
};

#endif
