// series.h - one real CloudWatch series from a CSV file, replayed so that it ends now.
//
// The files (`timestamp,value`, a point each five minutes, about two weeks) are of another
// year; only the distances count. Positions are microseconds from the last point's stamp:
// 0 is that point, what lies before is negative, and after five minutes the series begins
// again. They are real, and what is odd in them stays visible: a gap has no value, and
// points that share a stamp (a clock change) are samples of one period: their mean.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_SERIES_H
#define SIMULATOR_SERIES_H

#include "../../common/clock.h"
#include "../../common/reason.h"

#include <stddef.h>

#define SERIES_STEP_US (5 * MINUTE_US)  //  how long a point speaks

typedef struct series series_t;

//  Null and why (file and line) for a file that cannot be read as a series.
series_t *series_read (const char *path, reason_t *why);

//  The same from lines in memory; name is for why.
series_t *series_parse (char *text, const char *name, reason_t *why);
void series_destroy (series_t **self_p);

//  The value at a position, or NaN in a gap.
double series_at (const series_t *self, time_us_t position);

//  Points after those of one stamp were made one.
size_t series_size (const series_t *self);

//  From the first stamp to the end of the last point's period.
time_us_t series_length (const series_t *self);

#endif
