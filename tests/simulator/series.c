// SPDX-License-Identifier: MIT

#include "series.h"

#include "../../common/buffer.h"
#include "../../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FILE_SIZE_MAX (16u << 20)

typedef struct point {
    time_us_t at;  //  of the file
    double value;  //  mean of its samples
    unsigned samples;
} point_t;

struct series {
    point_t *points;  //  by time
    size_t count, capacity;
};

static point_t *
add_point (series_t *self)
{
    if (self->count == self->capacity) {
        size_t capacity = self->capacity ? self->capacity * 2 : 4096;
        point_t *points = realloc (self->points, capacity * sizeof *points);
        if (!points) {
            return NULL;
        }
        self->points = points;
        self->capacity = capacity;
    }
    point_t *point = &self->points [self->count++];
    *point = (point_t){0};
    return point;
}

static int
read_line (series_t *self, const char *line, const char *where, reason_t *why)
{
    struct tm parts = {0};
    char *end = NULL;
    const char *comma = strptime (line, "%Y-%m-%d %H:%M:%S", &parts);

    if (!comma || *comma != ',') {
        return reason_set (why, -EINVAL, "%s: '%.40s' is not 'YYYY-MM-DD hh:mm:ss,value'", where,
                           line);
    }
    double value = strtod (comma + 1, &end);
    if (end == comma + 1 || *end != '\0' || !isfinite (value)) {
        return reason_set (why, -EINVAL, "%s: '%.40s' is not a number", where, comma + 1);
    }
    time_us_t at = (time_us_t) timegm (&parts) * SECOND_US;
    point_t *last = self->count ? &self->points [self->count - 1] : NULL;
    if (last && at < last->at) {
        return reason_set (why, -EINVAL, "%s: %.19s is before the line above it", where, line);
    }
    if (!last || at > last->at) {
        last = add_point (self);
        if (!last) {
            return reason_set (why, -ENOMEM, "out of memory");
        }
        last->at = at;
    }
    last->samples++;
    last->value += (value - last->value) / last->samples;
    return 0;
}

series_t *
series_parse (char *text, const char *name, reason_t *why)
{
    _cleanup_ (series_destroy) series_t *self = calloc (1, sizeof *self);
    char *rest = text;
    unsigned number = 0;

    for (char *line = strsep (&rest, "\n"); line && self; line = strsep (&rest, "\n")) {
        char where [300];
        snprintf (where, sizeof where, "%s:%u", name, ++number);
        line [strcspn (line, "\r")] = '\0';
        if (*line == '\0' || (number == 1 && strncmp (line, "timestamp", 9) == 0)) {
            continue;
        }
        if (read_line (self, line, where, why) < 0) {
            return NULL;
        }
    }
    if (!self || self->count < 2) {
        reason_set (why, -EINVAL, "%s: a series has at least two points", name);
        return NULL;
    }
    return take_ptr (self);
}

series_t *
series_read (const char *path, reason_t *why)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    FILE *file = fopen (path, "re");

    if (!file) {
        reason_set (why, -errno, "%s: %s", path, strerror (errno));
        return NULL;
    }
    char chunk [16384];
    size_t size;
    while ((size = fread (chunk, 1, sizeof chunk, file)) > 0 && text.size < FILE_SIZE_MAX) {
        buffer_append (&text, chunk, size);
    }
    fclose (file);
    if (text.size == 0 || text.size >= FILE_SIZE_MAX || buffer_failed (&text)) {
        reason_set (why, -EINVAL, "%s: empty, or over %u bytes", path, FILE_SIZE_MAX);
        return NULL;
    }
    return series_parse (text.data, path, why);
}

void
series_destroy (series_t **self_p)
{
    assert (self_p);

    series_t *self = *self_p;
    if (self) {
        free (self->points);
        free (self);
        *self_p = NULL;
    }
}

time_us_t
series_length (const series_t *self)
{
    return self->points [self->count - 1].at - self->points [0].at + SERIES_STEP_US;
}

size_t
series_size (const series_t *self)
{
    return self->count;
}

double
series_at (const series_t *self, time_us_t position)
{
    time_us_t length = series_length (self);
    time_us_t within = (position - SERIES_STEP_US) % length;  //  from the first stamp

    if (within < 0) {
        within += length;
    }
    time_us_t at = self->points [0].at + within;
    size_t low = 0, high = self->count;
    while (high - low > 1) {  //  the last point that is not after at
        size_t middle = low + (high - low) / 2;
        if (self->points [middle].at <= at) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return at - self->points [low].at < SERIES_STEP_US ? self->points [low].value : (double) NAN;
}
