// settings.c - the settings every collector has: defaults from outside, and what is allowed.
//
// SPDX-License-Identifier: MIT

#include "core.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLLECTOR_ID_MAX 128

static const char *
environment (const char *name)
{
    const char *value = getenv (name);
    return value && *value ? value : NULL;
}

//  "host" when the kernel gives no name: a container may have none.
static const char *
host_name (void)
{
    static char name [COLLECTOR_ID_MAX];  //  a default's text must outlive the table

    if (!name [0] && (gethostname (name, sizeof name - 1) < 0 || !name [0])) {
        strncpy (name, "host", sizeof name - 1);
    }
    return name;
}

static const char *
default_id (const collector_source_t *source)
{
    (void) source;
    const char *id = environment ("COLLECTOR_ID");
    return id ? id : host_name ();
}

//  Null: the table's own.
static const char *
default_regions (const collector_source_t *source)
{
    const char *region = environment ("AWS_REGION");

    region = region ? region : environment ("AWS_DEFAULT_REGION");
    region = region || !source->default_region ? region : source->default_region ();
    return region && *region ? region : NULL;
}

typedef const char *default_fn (const collector_source_t *source);

static const struct {
    const char *key;
    default_fn *value;
} FROM_OUTSIDE [] = {
    {"collector_id", default_id},
    {"regions", default_regions},
};

config_key_t *
collector_keys_new (const collector_source_t *source)
{
    const config_key_t *keys = source->keys;
    size_t count = 0;
    while (keys [count].name) {
        count++;
    }
    config_key_t *copy = calloc (count + 1, sizeof *copy);
    if (!copy) {
        return NULL;
    }
    memcpy (copy, keys, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < sizeof FROM_OUTSIDE / sizeof *FROM_OUTSIDE; j++) {
            const char *value = strcmp (copy [i].name, FROM_OUTSIDE [j].key) == 0
                                    ? FROM_OUTSIDE [j].value (source)
                                    : NULL;
            if (value && strlen (value) < CONFIG_TEXT_SIZE) {
                copy [i].initial = value;
            }
        }
    }
    return copy;
}

//  It becomes part of a source and of a topic: words that need no escaping anywhere.
static bool
is_word (const char *text, size_t size_max)
{
    size_t size = strlen (text);

    for (size_t i = 0; i < size; i++) {
        if (!isalnum ((unsigned char) text [i]) && !strchr ("._-", text [i])) {
            return false;
        }
    }
    return size > 0 && size <= size_max;
}

int
collector_read_ratio (const char *text, double *ratio, reason_t *why)
{
    char *end = NULL;
    double value = strtod (text, &end);

    if (end == text || *end || !(value >= 0 && value <= 1)) {
        return reason_set (why, -EINVAL, "otlp_traces_ratio = '%.60s' is no number from 0 to 1",
                           text);
    }
    *ratio = value;
    return 0;
}

int
collector_settings_check (const collector_settings_t *settings, reason_t *why)
{
    double ratio;

    if (!is_word (settings->collector_id, COLLECTOR_ID_MAX)) {
        return reason_set (why, -EINVAL,
                           "collector_id = '%s' is not 1 to %d of letters, digits, '.', '_', '-'",
                           settings->collector_id, COLLECTOR_ID_MAX);
    }
    int rc = bus_keys_check (&settings->keys, why);
    rc = rc < 0 ? rc : otlp_check (&settings->otlp, why);
    return rc == 0 ? collector_read_ratio (settings->otlp_traces_ratio, &ratio, why) : rc;
}
