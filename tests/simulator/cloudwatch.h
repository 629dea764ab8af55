// cloudwatch.h - what the two files of the simulated CloudWatch share: how periods, windows,
// dimensions, statistics and page tokens are read.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_CLOUDWATCH_H
#define SIMULATOR_CLOUDWATCH_H

#include "aws_call.h"
#include "measure.h"

#define CLOUDWATCH_DIMENSIONS_MAX 30

typedef enum statistic {
    STATISTIC_AVERAGE,
    STATISTIC_MINIMUM,
    STATISTIC_MAXIMUM,
    STATISTIC_SUM,
    STATISTIC_SAMPLE_COUNT,
    STATISTIC_COUNT
} statistic_t;

//  STATISTIC_COUNT for another word, or null.
statistic_t cloudwatch_statistic (const char *name);
double cloudwatch_value (const datapoint_t *point, statistic_t statistic);

//  `<prefix>Dimensions.member.N`; a value may be null (ListMetrics). 0 or the refusal.
int cloudwatch_dimensions (aws_call_t *call, const char *prefix,
                           dimension_t dimensions [CLOUDWATCH_DIMENSIONS_MAX], size_t *count);

//  A multiple of 60 s, as metrics of standard resolution want it; name is for the refusal.
int cloudwatch_period (aws_call_t *call, const char *name, const char *text, time_us_t *period_us);

//  StartTime, rounded down to the minute, and EndTime.
int cloudwatch_window (aws_call_t *call, time_us_t *start, time_us_t *end);

//  Two positions of a page in NextToken, good for the request of this fingerprint only.
int cloudwatch_read_token (aws_call_t *call, uint64_t print, size_t *first, size_t *second);
void cloudwatch_write_token (aws_call_t *call, uint64_t print, size_t first, size_t second);

#endif
