// SPDX-License-Identifier: MIT

#include "noise.h"

#include <inttypes.h>
#include <stdio.h>

#define GOLDEN_GAMMA 0x9e3779b97f4a7c15u  //  of splitmix64

uint64_t
noise_mix (uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

uint64_t
noise_key (uint64_t a, uint64_t b)
{
    return noise_mix (a * GOLDEN_GAMMA + noise_mix (b + GOLDEN_GAMMA));
}

uint64_t
noise_next (uint64_t *state)
{
    *state += GOLDEN_GAMMA;
    return noise_mix (*state);
}

double
noise_unit (uint64_t key)
{
    return (double) (noise_mix (key) >> 11) * 0x1p-53;
}

double
noise_smooth (uint64_t key, time_us_t at, time_us_t period_us)
{
    time_us_t step = at / period_us - (at % period_us < 0);
    double within = (double) (at - step * period_us) / (double) period_us;
    double ease = within * within * (3 - 2 * within);  //  no corner where two steps meet
    double from = noise_unit (noise_key (key, (uint64_t) step));
    double to = noise_unit (noise_key (key, (uint64_t) step + 1));

    return from + (to - from) * ease;
}

void
noise_uuid (char text [NOISE_UUID_SIZE], uint64_t key)
{
    uint64_t high = noise_mix (key), low = noise_mix (key + GOLDEN_GAMMA);

    snprintf (text, NOISE_UUID_SIZE,
              "%08" PRIx64 "-%04" PRIx64 "-4%03" PRIx64 "-%" PRIx64 "%03" PRIx64 "-%012" PRIx64,
              high >> 32, (high >> 16) & 0xffff, high & 0xfff, 8 + (low >> 62), (low >> 48) & 0xfff,
              low & 0xffffffffffff);
}
