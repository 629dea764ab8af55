// filter.h - what one client wants of the stream: its query, checked and compiled once.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_FILTER_H
#define GATEWAY_FILTER_H

#include "event_log.h"

#include <stdbool.h>

#define FILTER_NAMES_MAX 64  //  of regions, and of workers

typedef struct filter {
    bool types [EVENT_TYPE_COUNT];
    bool all_types;
    size_t regions_count, workers_count;
    char regions [FILTER_NAMES_MAX][FEED_REGION_SIZE];
    char workers [FILTER_NAMES_MAX][FEED_WORKER_ID_SIZE];
    bool state;
    int64_t heartbeat_seconds;
    char client [64];
} filter_t;

void filter_init (filter_t *self, int64_t heartbeat_seconds);

//  One parameter of the query. 0; -ENOENT for an unknown name, -EINVAL for a bad value; why
//  names it.
int filter_set (filter_t *self, const char *name, const char *value, reason_t *why);

bool filter_wants (const filter_t *self, event_type_t type, const char *region,
                   const char *worker_id);

#endif
