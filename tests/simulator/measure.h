// measure.h - which metrics CloudWatch has of an instance, and their points.
//
// AWS/EC2's come from the hypervisor: one point each 5 minutes (basic) or each minute
// (detailed monitoring), by InstanceId alone. CWAgent's come from the agent inside: each
// minute, with whatever dimensions it was told to append; without an agent there is
// nothing. A metric is found by its exact set of dimensions only. A point is stamped with
// the start of its period and can be read one to two minutes after that has ended. A
// machine that is off says nothing, and a gap in the series is a missing point.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_MEASURE_H
#define SIMULATOR_MEASURE_H

#include "world.h"

#include <stdbool.h>
#include <stddef.h>

#define DIMENSIONS_MAX        8
#define MEASURES_PER_INSTANCE 12

typedef struct dimension {
    const char *name, *value;
} dimension_t;

typedef struct measure_row measure_row_t;  //  a row of the table of metrics

typedef struct measure {
    const instance_t *instance;
    const measure_row_t *row;
    const char *name_space, *name, *unit;
    dimension_t dimensions [DIMENSIONS_MAX];
    size_t dimension_count;
} measure_t;

//  All metrics of an instance; returns how many. Texts are borrowed from it.
size_t measure_list (const instance_t *instance, measure_t measures [MEASURES_PER_INSTANCE]);

//  The metric with exactly these dimensions, in any order, in this region. False when
//  there is none.
bool measure_find (const world_t *world, const char *region, const char *name_space,
                   const char *name, const dimension_t *dimensions, size_t count,
                   measure_t *measure);

typedef struct datapoint {
    time_us_t wall;  //  start of its period
    double sum, least, most;
    unsigned samples;
} datapoint_t;

//  The point of the period that begins at wall; false when there is none (yet).
bool measure_point (const world_t *world, const measure_t *measure, time_us_t wall,
                    time_us_t period_us, datapoint_t *point);

#endif
