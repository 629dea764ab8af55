// SPDX-License-Identifier: MIT

#include "curves.h"

#include "../../common/cleanup.h"
#include "noise.h"
#include "series.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define FILES_MAX    32
#define ROUND_US     (37 * HOUR_US)  //  no multiple of a day: two rounds do not peak together
#define DAY_US       (24 * HOUR_US)
#define WORK_BEGINS  7.0  //  hours, UTC
#define WORK_HOURS   12.0
#define PERIOD_BYTES 4e6

typedef struct bundle {
    series_t *files [FILES_MAX];
    size_t count;
} bundle_t;

struct curves {
    bundle_t bundles [CURVE_COUNT];
    uint64_t seed;
    time_us_t wall;
};

static const char *const PATTERNS [CURVE_COUNT] = {
    [CURVE_CPU] = "ec2_cpu_utilization_*.csv",
    [CURVE_DISK_WRITE] = "ec2_disk_write_bytes_*.csv",
    [CURVE_NETWORK_IN] = "ec2_network_in_*.csv",
};

static int
read_bundle (bundle_t *bundle, const char *folder, const char *pattern, reason_t *why)
{
    char path [1200];
    glob_t found = {0};
    int rc = 0;

    snprintf (path, sizeof path, "%s/%s", folder, pattern);
    if (glob (path, 0, NULL, &found) == 0) {
        for (size_t i = 0; i < found.gl_pathc && i < FILES_MAX && rc == 0; i++) {
            series_t *series = series_read (found.gl_pathv [i], why);
            if (series) {
                bundle->files [bundle->count++] = series;
            } else {
                rc = -EINVAL;
            }
        }
    }
    globfree (&found);
    return rc;
}

curves_t *
curves_new (const char *folder, uint64_t seed, time_us_t wall, reason_t *why)
{
    _cleanup_ (curves_destroy) curves_t *self = calloc (1, sizeof *self);

    if (!self) {
        return NULL;
    }
    self->seed = seed;
    self->wall = wall;
    for (int curve = 0; curve < CURVE_COUNT && *folder; curve++) {
        if (read_bundle (&self->bundles [curve], folder, PATTERNS [curve], why) < 0) {
            return NULL;
        }
    }
    return take_ptr (self);
}

void
curves_destroy (curves_t **self_p)
{
    assert (self_p);

    curves_t *self = *self_p;
    if (self) {
        for (int curve = 0; curve < CURVE_COUNT; curve++) {
            for (size_t i = 0; i < self->bundles [curve].count; i++) {
                series_destroy (&self->bundles [curve].files [i]);
            }
        }
        free (self);
        *self_p = NULL;
    }
}

size_t
curves_files (const curves_t *self)
{
    size_t files = 0;

    for (int curve = 0; curve < CURVE_COUNT; curve++) {
        files += self->bundles [curve].count;
    }
    return files;
}

//  0 at night, 1 at the middle of the working day.
static double
working_day (time_us_t wall)
{
    double hour = (double) (wall % DAY_US) / (double) HOUR_US;
    double part = (hour - WORK_BEGINS) / WORK_HOURS;

    return part > 0 && part < 1 ? sin (M_PI * part) : 0;
}

static double
generate_cpu (uint64_t key, time_us_t wall)
{
    double busy = 10 + 35 * noise_unit (key) * working_day (wall);
    double slow = 25 * noise_smooth (noise_key (key, 1), wall, 40 * MINUTE_US);
    double quick = 8 * noise_smooth (noise_key (key, 2), wall, 5 * MINUTE_US);
    double burst = noise_smooth (noise_key (key, 3), wall, 3 * HOUR_US) > 0.9 ? 35 : 0;
    double sum = busy + slow + quick + burst;

    return sum > 100 ? 100 : sum;
}

double
curves_at (const curves_t *self, curve_t curve, size_t slot, time_us_t position)
{
    const bundle_t *bundle = &self->bundles [curve];

    if (bundle->count > 0) {
        time_us_t shift = (time_us_t) (slot / bundle->count) * ROUND_US;
        return series_at (bundle->files [slot % bundle->count], position - shift);
    }
    uint64_t key = noise_key (noise_key (self->seed, slot), (uint64_t) curve);
    double cpu = generate_cpu (key, self->wall + position);
    return curve == CURVE_CPU ? cpu : cpu * PERIOD_BYTES;
}
