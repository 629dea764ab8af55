// SPDX-License-Identifier: MIT

#include "vitals.h"

#include "labs.h"
#include "noise.h"

#include <math.h>

#define DISK_WRAP_US  (14 * (24 * HOUR_US))  //  the disk fills up and is cleaned each fortnight
#define CPU_OF_LAB    3.0                    //  percent that a running lab costs at the least
#define MEMORY_OF_LAB 6.0

enum { OF_CPU = 11, OF_MEMORY, OF_DISK };  //  what a key is for

static double
clamp (double percent)
{
    return percent < 0 ? 0 : percent > 100 ? 100 : percent;
}

double
vitals_cpu (const world_t *world, const instance_t *instance, time_us_t position)
{
    double cpu = curves_at (world_curves (world), CURVE_CPU, instance->slot, position);

    return isnan (cpu) ? cpu : clamp (cpu + instance->load_percent);
}

double
vitals_cml_cpu (const world_t *world, const instance_t *instance)
{
    time_us_t now = world_elapsed (world);
    double base = vitals_cpu (world, instance, now);
    double labs = CPU_OF_LAB * (double) labs_running (&instance->cml);
    double waver = 4 * noise_smooth (noise_key (instance->key, OF_CPU), now, 30 * SECOND_US);

    return clamp ((isnan (base) ? 5 : base) + labs + waver);
}

double
vitals_memory (const instance_t *instance, time_us_t position)
{
    uint64_t key = noise_key (instance->key, OF_MEMORY);
    double base = 10 + 15 * noise_unit (key);
    double labs = MEMORY_OF_LAB * (double) labs_running (&instance->cml);

    return clamp (base + labs + 6 * noise_smooth (key, position, 10 * MINUTE_US) +
                  instance->load_percent / 3);
}

double
vitals_disk (const instance_t *instance, time_us_t position)
{
    uint64_t key = noise_key (instance->key, OF_DISK);
    time_us_t within = position % DISK_WRAP_US;
    double grown = (double) (within < 0 ? within + DISK_WRAP_US : within) / (double) DISK_WRAP_US;

    return clamp (25 + 35 * noise_unit (key) + 20 * grown +
                  noise_smooth (key, position, 5 * MINUTE_US));
}
