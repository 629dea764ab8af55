// processor.c - see processor.h.
//
// SPDX-License-Identifier: MIT

#include "processor.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static double
of_one (const char *pid, int size)
{
    char path [400];
    double sum = 0;

    snprintf (path, sizeof path, "/proc/%.*s/task", size, pid);
    DIR *folder = opendir (path);
    for (struct dirent *entry; folder && (entry = readdir (folder));) {
        snprintf (path, sizeof path, "/proc/%.*s/task/%.20s/schedstat", size, pid, entry->d_name);
        FILE *file = *entry->d_name == '.' ? NULL : fopen (path, "re");
        double ns = 0;
        if (file && fscanf (file, "%lf", &ns) == 1) {
            sum += ns / 1000;
        }
        if (file) {
            fclose (file);
        }
    }
    if (folder) {
        closedir (folder);
    }
    return sum;
}

double
processor_us (const char *pids)
{
    double sum = 0;

    while (*pids) {
        size_t size = strcspn (pids, ",");
        sum += of_one (pids, (int) size);
        pids += size + (pids [size] == ',');
    }
    return sum;
}
