// utilization.c - see utilization.h.
//
// SPDX-License-Identifier: MIT

#include "utilization.h"

typedef struct sum {
    double part, whole;  //  whole is the weight; 0: nothing was said
} sum_t;

//  The first of these members that is there and a number: names differ by version, and units do
//  not matter within one object.
static bool
first_number (const json_node_t *object, const char *const names [], double *value)
{
    for (; *names; names++) {
        if (json_node_number (json_node_get (object, *names), value) && isfinite (*value)) {
            return true;
        }
    }
    return false;
}

static void
add_cpu (sum_t *sum, const json_node_t *cpu)
{
    static const char *const USER [] = {"user_percent", NULL};
    static const char *const SYSTEM [] = {"system_percent", NULL};
    static const char *const PERCENT [] = {"percent", NULL};
    static const char *const COUNT [] = {"count", NULL};
    double user, system, percent, count;

    if (first_number (cpu, USER, &user) && first_number (cpu, SYSTEM, &system)) {
        percent = user + system;
    } else if (!first_number (cpu, PERCENT, &percent)) {
        return;
    }
    if (!first_number (cpu, COUNT, &count) || count <= 0) {
        count = 1;
    }
    sum->part += percent / 100 * count;
    sum->whole += count;
}

static const char *const TOTAL [] = {"total", "total_kb", "capacity_kb", NULL};
static const char *const USED [] = {"used", "used_kb", "size_kb", NULL};

static void
add_used (sum_t *sum, double used, double total)
{
    sum->part += used;
    sum->whole += total;
}

static void
add_memory (sum_t *sum, const json_node_t *memory)
{
    static const char *const AVAILABLE [] = {"available", "available_kb", NULL};
    double total, available, used;

    if (!first_number (memory, TOTAL, &total) || total <= 0) {
        return;
    }
    if (first_number (memory, AVAILABLE, &available)) {
        add_used (sum, total - available, total);
    } else if (first_number (memory, USED, &used)) {
        add_used (sum, used, total);
    }
}

static void
add_disk (sum_t *sum, const json_node_t *disk)
{
    double total, used;

    if (first_number (disk, TOTAL, &total) && total > 0 && first_number (disk, USED, &used)) {
        add_used (sum, used, total);
    }
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
utilization_of_stats (const json_node_t *stats)
{
    const json_node_t *computes = json_node_get_object (stats, "computes");
    sum_t cpu = {0}, memory = {0}, disk = {0};

    FOR_EACH_NODE (compute, computes)
    {
        const json_node_t *own = json_node_get_object (compute, "stats");
        add_cpu (&cpu, json_node_get_object (own, "cpu"));
        add_memory (&memory, json_node_get_object (own, "memory"));
        add_disk (&disk, json_node_get_object (own, "disk"));
    }
    return (utilization_t){
        .cpu = percent_of (&cpu), .memory = percent_of (&memory), .storage = percent_of (&disk)};
}
