// utilization.c - see utilization.h.
//
// SPDX-License-Identifier: MIT

#include "utilization.h"

typedef struct sum {
    double part, whole;  //  whole is the weight; 0: nothing was said
} sum_t;

static void
add_cpu (sum_t *sum, struct json_object *cpu)
{
    double user, system, percent, count;

    if (json_get_number (cpu, "user_percent", &user) &&
        json_get_number (cpu, "system_percent", &system)) {
        percent = user + system;
    } else if (!json_get_number (cpu, "percent", &percent)) {
        return;
    }
    if (!json_get_number (cpu, "count", &count) || count <= 0) {
        count = 1;
    }
    sum->part += percent / 100 * count;
    sum->whole += count;
}

//  The first of these members that is there: names differ by version, units do not matter
//  within one object.
static bool
first_number (struct json_object *object, const char *const names [], double *value)
{
    for (; *names; names++) {
        if (json_get_number (object, *names, value)) {
            return true;
        }
    }
    return false;
}

static void
add_part (sum_t *sum, struct json_object *object)
{
    static const char *const TOTAL [] = {"total", "total_kb", "capacity_kb", NULL};
    static const char *const LEFT [] = {"available", "available_kb", NULL};
    static const char *const USED [] = {"used", "used_kb", "size_kb", NULL};
    double total, left, used;

    if (!first_number (object, TOTAL, &total) || total <= 0) {
        return;
    }
    if (first_number (object, LEFT, &left)) {
        used = total - left;
    } else if (!first_number (object, USED, &used)) {
        return;
    }
    sum->part += used;
    sum->whole += total;
}

static double
percent_of (const sum_t *sum)
{
    return sum->whole > 0 ? utilization_clamp (100 * sum->part / sum->whole) : UNKNOWN;
}

double
utilization_clamp (double percent)
{
    return percent < 0 ? 0 : percent > 100 ? 100 : percent;
}

utilization_t
utilization_of_stats (struct json_object *stats)
{
    struct json_object *computes = json_get_object (stats, "computes");
    sum_t cpu = {0}, memory = {0}, disk = {0};

    if (computes) {
        json_object_object_foreach (computes, id, compute)
        {
            struct json_object *own = json_get_object (compute, "stats");
            (void) id;
            add_cpu (&cpu, json_get_object (own, "cpu"));
            add_part (&memory, json_get_object (own, "memory"));
            add_part (&disk, json_get_object (own, "disk"));
        }
    }
    return (utilization_t){
        .cpu = percent_of (&cpu), .memory = percent_of (&memory), .storage = percent_of (&disk)};
}
