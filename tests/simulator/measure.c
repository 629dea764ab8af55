// SPDX-License-Identifier: MIT

#include "measure.h"

#include "vitals.h"

#include <math.h>
#include <string.h>

#define BASIC_US       (5 * MINUTE_US)
#define DETAILED_US    MINUTE_US
#define LATE_LEAST_US  MINUTE_US  //  and up to another minute more, by instance
#define BOOT_DISK_PART 0.12       //  /boot/efi hardly ever changes

typedef double value_fn (const world_t *world, const instance_t *instance, time_us_t position);

struct measure_row {
    const char *name_space, *name, *unit;
    value_fn *value;
    bool of_agent;
    const char *path, *device, *fstype;  //  of a disk, else null
};

static double
disk_write (const world_t *world, const instance_t *instance, time_us_t position)
{
    return curves_at (world_curves (world), CURVE_DISK_WRITE, instance->slot, position);
}

static double
network_in (const world_t *world, const instance_t *instance, time_us_t position)
{
    return curves_at (world_curves (world), CURVE_NETWORK_IN, instance->slot, position);
}

static double
memory (const world_t *world, const instance_t *instance, time_us_t position)
{
    (void) world;
    return vitals_memory (instance, position);
}

static double
root_disk (const world_t *world, const instance_t *instance, time_us_t position)
{
    (void) world;
    return vitals_disk (instance, position);
}

static double
boot_disk (const world_t *world, const instance_t *instance, time_us_t position)
{
    (void) world;
    (void) position;
    return BOOT_DISK_PART * vitals_disk (instance, 0);
}

// clang-format off
static const measure_row_t ROWS [] = {
    {"AWS/EC2", "CPUUtilization",    "Percent", vitals_cpu, false, NULL, NULL, NULL},
    {"AWS/EC2", "NetworkIn",         "Bytes",   network_in, false, NULL, NULL, NULL},
    {"AWS/EC2", "DiskWriteBytes",    "Bytes",   disk_write, false, NULL, NULL, NULL},
    {"CWAgent", "mem_used_percent",  "Percent", memory,     true,  NULL, NULL, NULL},
    {"CWAgent", "disk_used_percent", "Percent", root_disk,  true,  "/",         "nvme0n1p1",  "ext4"},
    {"CWAgent", "disk_used_percent", "Percent", boot_disk,  true,  "/boot/efi", "nvme0n1p15", "vfat"},
};
// clang-format on

static void
add_dimension (measure_t *measure, const char *name, const char *value)
{
    measure->dimensions [measure->dimension_count++] = (dimension_t){name, value};
}

static measure_t
describe (const instance_t *instance, const measure_row_t *row, bool aggregated)
{
    measure_t measure = {.instance = instance,
                         .row = row,
                         .name_space = row->name_space,
                         .name = row->name,
                         .unit = row->unit};

    add_dimension (&measure, "InstanceId", instance->id);
    if (!row->of_agent || aggregated) {
        return measure;
    }
    add_dimension (&measure, "ImageId", instance->image->id);
    add_dimension (&measure, "InstanceType", instance->type->name);
    if (instance->agent == AGENT_GROUP) {
        add_dimension (&measure, "AutoScalingGroupName", instance->group);
    }
    if (row->path) {
        add_dimension (&measure, "path", row->path);
        if (instance->agent != AGENT_NO_DEVICE) {
            add_dimension (&measure, "device", row->device);
        }
        add_dimension (&measure, "fstype", row->fstype);
    }
    return measure;
}

size_t
measure_list (const instance_t *instance, measure_t measures [MEASURES_PER_INSTANCE])
{
    size_t count = 0;

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS [0]; i++) {
        const measure_row_t *row = &ROWS [i];
        if (row->of_agent && instance->agent == AGENT_NONE) {
            continue;
        }
        measures [count++] = describe (instance, row, false);
        if (row->of_agent && instance->agent == AGENT_AGGREGATED && row->value != boot_disk) {
            measures [count++] = describe (instance, row, true);
        }
    }
    return count;
}

static bool
has_dimension (const measure_t *measure, const dimension_t *wanted)
{
    for (size_t i = 0; i < measure->dimension_count; i++) {
        if (strcmp (measure->dimensions [i].name, wanted->name) == 0) {
            return strcmp (measure->dimensions [i].value, wanted->value) == 0;
        }
    }
    return false;
}

static bool
is_wanted (const measure_t *measure, const char *name_space, const char *name,
           const dimension_t *dimensions, size_t count)
{
    if (measure->dimension_count != count || strcmp (measure->name, name) != 0 ||
        strcmp (measure->name_space, name_space) != 0) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!has_dimension (measure, &dimensions [i])) {
            return false;
        }
    }
    return true;
}

bool
measure_find (const world_t *world, const char *region, const char *name_space, const char *name,
              const dimension_t *dimensions, size_t count, measure_t *measure)
{
    const instance_t *instance = NULL;
    measure_t measures [MEASURES_PER_INSTANCE];

    for (size_t i = 0; i < count && !instance; i++) {
        if (strcmp (dimensions [i].name, "InstanceId") == 0) {
            instance = world_find (world, dimensions [i].value);
        }
    }
    if (!instance || strcmp (instance->region, region) != 0) {
        return false;
    }
    size_t known = measure_list (instance, measures);
    for (size_t i = 0; i < known; i++) {
        if (is_wanted (&measures [i], name_space, name, dimensions, count)) {
            *measure = measures [i];
            return true;
        }
    }
    return false;
}

//  How far apart the points were at this time.
static time_us_t
interval (const measure_t *measure, time_us_t wall)
{
    const instance_t *instance = measure->instance;
    bool changed = wall < instance->monitoring_wall;

    if (measure->row->of_agent) {
        return DETAILED_US;
    }
    return instance->detailed != changed ? DETAILED_US : BASIC_US;
}

//  A point of the machine itself; false when it was off, or it is too early to be told.
static bool
sample (const world_t *world, const measure_t *measure, time_us_t wall, double *value)
{
    const instance_t *instance = measure->instance;
    time_us_t step = interval (measure, wall);
    time_us_t late = LATE_LEAST_US + (time_us_t) (instance->key % 60) * SECOND_US;

    if (wall % step != 0 || wall < instance->running_wall ||
        wall + step + late > world_now (world).wall ||
        (instance->state != INSTANCE_RUNNING &&
         (instance->stopped_wall == TIME_UNKNOWN || wall + step > instance->stopped_wall))) {
        return false;
    }
    *value = measure->row->value (world, instance, world_position (world, wall));
    return !isnan (*value);
}

bool
measure_point (const world_t *world, const measure_t *measure, time_us_t wall, time_us_t period_us,
               datapoint_t *point)
{
    *point = (datapoint_t){.wall = wall};
    for (time_us_t at = wall; at < wall + period_us; at += MINUTE_US) {
        double value;
        if (!sample (world, measure, at, &value)) {
            continue;
        }
        point->sum += value;
        point->least = point->samples && point->least < value ? point->least : value;
        point->most = point->samples && point->most > value ? point->most : value;
        point->samples++;
    }
    return point->samples > 0;
}
