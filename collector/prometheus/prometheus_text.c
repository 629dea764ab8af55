// prometheus_text.c - see prometheus.h.
//
// SPDX-License-Identifier: MIT

#include "prometheus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

//  True for a line of this metric; *labels is what stands in its braces, *value its number.
static bool
is_sample (const char *line, const char *name, const char **labels, size_t *size, double *value)
{
    size_t length = strlen (name);
    const char *end = line + length;

    if (strncmp (line, name, length) != 0 || (*end != '{' && *end != ' ')) {
        return false;
    }
    *labels = end;
    *size = 0;
    if (*end == '{') {
        const char *eol = strchr (end, '\n');
        const char *close = memrchr (end, '}', eol ? (size_t) (eol - end) : strlen (end));
        if (!close) {
            return false;
        }
        *size = (size_t) (close - end);
        end = close + 1;
    }
    char *behind = NULL;
    *value = strtod (end, &behind);
    return behind != end && isfinite (*value);
}

static bool
has_label (const char *labels, size_t size, const char *name, const char *value)
{
    char wanted [300];
    int length = snprintf (wanted, sizeof wanted, "%s=\"%s\"", name, value);

    const char *at =
        length < (int) sizeof wanted ? memmem (labels, size, wanted, (size_t) length) : NULL;
    return at && (at [-1] == '{' || at [-1] == ',');
}

static double
used_percent (double all, double free_part)
{
    return all > 0 && free_part >= 0 && free_part <= all ? 100 * (1 - free_part / all) : UNKNOWN;
}

static void
add (double *sum, double value)
{
    *sum = isnan (*sum) ? value : *sum + value;
}

prometheus_load_t
prometheus_read (const char *text, const char *mountpoint)
{
    prometheus_load_t load = {UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN};
    double memory_all = UNKNOWN, memory_free = UNKNOWN, disk_all = UNKNOWN, disk_free = UNKNOWN;

    for (const char *line = text; line && *line;) {
        const char *labels, *next = strchr (line, '\n');
        size_t size;
        double value;
        if (is_sample (line, "node_cpu_seconds_total", &labels, &size, &value)) {
            add (&load.cpu_all, value);
            if (has_label (labels, size, "mode", "idle") ||
                has_label (labels, size, "mode", "iowait")) {
                add (&load.cpu_idle, value);
            }
        } else if (is_sample (line, "node_memory_MemTotal_bytes", &labels, &size, &value)) {
            memory_all = value;
        } else if (is_sample (line, "node_memory_MemAvailable_bytes", &labels, &size, &value)) {
            memory_free = value;
        } else if (is_sample (line, "node_filesystem_size_bytes", &labels, &size, &value) &&
                   has_label (labels, size, "mountpoint", mountpoint)) {
            disk_all = value;
        } else if (is_sample (line, "node_filesystem_avail_bytes", &labels, &size, &value) &&
                   has_label (labels, size, "mountpoint", mountpoint)) {
            disk_free = value;
        }
        line = next ? next + 1 : NULL;
    }
    load.memory_percent = used_percent (memory_all, memory_free);
    load.storage_percent = used_percent (disk_all, disk_free);
    return load;
}

double
prometheus_cpu_percent (const prometheus_load_t *before, const prometheus_load_t *now)
{
    return used_percent (now->cpu_all - before->cpu_all, now->cpu_idle - before->cpu_idle);
}
