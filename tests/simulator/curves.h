// curves.h - which curve an instance's CPU, network and disk follow.
//
// Real ones (series.h) when there is a folder of them: the first instances take one file
// each, ending now; the next round takes the same files some days shifted, so that no two
// show the same. Without a folder a generator: a working day, noise, and a burst now and
// then, the same for a seed.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_CURVES_H
#define SIMULATOR_CURVES_H

#include "../../common/clock.h"
#include "../../common/reason.h"

#include <stddef.h>
#include <stdint.h>

typedef enum curve { CURVE_CPU, CURVE_DISK_WRITE, CURVE_NETWORK_IN, CURVE_COUNT } curve_t;

typedef struct curves curves_t;

//  An empty folder name, or a folder that is not there: the generator. Null and why when
//  a file in it is not a series. wall is what position 0 stands for.
curves_t *curves_new (const char *folder, uint64_t seed, time_us_t wall, reason_t *why);
void curves_destroy (curves_t **self_p);

//  Files read; 0 for the generator.
size_t curves_files (const curves_t *self);

//  The value of instance number slot at a position (series.h), NaN in a gap.
double curves_at (const curves_t *self, curve_t curve, size_t slot, time_us_t position);

#endif
