// noise.h - numbers that look like chance and are the same in each run.
//
// All that varies in the simulated world comes from a key (seed, instance, what for), so
// that a run can be repeated, and no state has to be kept for a value that only depends
// on the time.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_NOISE_H
#define SIMULATOR_NOISE_H

#include "../../common/clock.h"

#include <stddef.h>
#include <stdint.h>

//  splitmix64's finaliser (Steele, Lea, Flood 2014): each bit of the input changes half of
//  those of the output.
uint64_t noise_mix (uint64_t value);

//  A key of two.
uint64_t noise_key (uint64_t a, uint64_t b);

//  The next number of a generator whose state is *state.
uint64_t noise_next (uint64_t *state);

//  Uniform in [0, 1).
double noise_unit (uint64_t key);

//  A smooth curve over time within [0, 1) that wanders once a period.
double noise_smooth (uint64_t key, time_us_t at, time_us_t period_us);

#define NOISE_UUID_SIZE 37  //  36 characters and NUL

//  A version-4 UUID of a key, in lower case, as CML writes them.
void noise_uuid (char text [NOISE_UUID_SIZE], uint64_t key);

#endif
