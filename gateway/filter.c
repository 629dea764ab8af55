// filter.c - see filter.h.
//
// SPDX-License-Identifier: MIT

#include "filter.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
filter_init (filter_t *self, int64_t heartbeat_seconds)
{
    *self = (filter_t){.all_types = true, .state = true, .heartbeat_seconds = heartbeat_seconds};
}

static int
add_type (filter_t *self, const char *word, const char *name, reason_t *why)
{
    size_t size = strlen (word);
    bool star = size > 0 && word [size - 1] == '*', found = false;

    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        const char *row = event_type_name ((event_type_t) type);
        if (event_type_place ((event_type_t) type) != EVENT_PLACE_INGEST &&
            (star ? strncmp (row, word, size - 1) == 0 : strcmp (row, word) == 0)) {
            self->types [type] = true;
            found = true;
        }
    }
    self->all_types = false;
    return found ? 0 : reason_set (why, -EINVAL, "%s: no event has the type '%.60s'", name, word);
}

static int
add_topic (filter_t *self, const char *word, const char *name, reason_t *why)
{
    static const struct {
        const char *topic, *types;
    } TOPICS [] = {{"workers", "worker.*"},    {"system_stats", "system.stats"},
                   {"heartbeat", "heartbeat"}, {"jobs", "job.*"},
                   {"jobs:progress", NULL},    {"jobs:status", "job.*"}};

    for (size_t i = 0; i < sizeof TOPICS / sizeof *TOPICS; i++) {
        if (strcmp (TOPICS [i].topic, word) == 0) {
            self->all_types = false;
            return TOPICS [i].types ? add_type (self, TOPICS [i].types, name, why) : 0;
        }
    }
    return reason_set (
        why, -EINVAL,
        "%s: '%.60s' is none of workers, jobs, jobs:progress, jobs:status, system_stats, "
        "heartbeat",
        name, word);
}

static int
add_region (filter_t *self, const char *word, const char *name, reason_t *why)
{
    if (self->regions_count == FILTER_NAMES_MAX || strlen (word) >= FEED_REGION_SIZE || !*word) {
        return reason_set (why, -EINVAL, "%s: at most %d regions", name, FILTER_NAMES_MAX);
    }
    snprintf (self->regions [self->regions_count++], FEED_REGION_SIZE, "%s", word);
    return 0;
}

static int
add_worker (filter_t *self, const char *word, const char *name, reason_t *why)
{
    bool uuid = strlen (word) == FEED_WORKER_ID_SIZE - 1 &&
                strspn (word, "0123456789abcdef-") == FEED_WORKER_ID_SIZE - 1;

    if (!uuid || self->workers_count == FILTER_NAMES_MAX) {
        return reason_set (why, -EINVAL, "%s: '%.60s' is no worker id, or there are over %d", name,
                           word, FILTER_NAMES_MAX);
    }
    snprintf (self->workers [self->workers_count++], FEED_WORKER_ID_SIZE, "%s", word);
    return 0;
}

static int
each_word (filter_t *self, const char *name, const char *value, reason_t *why,
           int (*add) (filter_t *, const char *, const char *, reason_t *))
{
    char word [128];

    for (;; value++) {
        size_t size = strcspn (value, ",");
        snprintf (word, sizeof word, "%.*s", (int) (size < 127 ? size : 127), value);
        int rc = add (self, word, name, why);
        value += size;
        if (rc < 0 || !*value) {
            return rc;  //  an empty list is one empty word, which nobody takes
        }
    }
}

static int
set_number (int64_t *slot, const char *name, const char *value, int64_t least, int64_t most,
            reason_t *why)
{
    char *end = NULL;
    long long number = strtoll (value, &end, 10);

    if (end == value || *end || number < least || number > most) {
        return reason_set (why, -EINVAL, "%s: '%.60s' is not a whole number within %lld to %lld",
                           name, value, (long long) least, (long long) most);
    }
    *slot = number;
    return 0;
}

int
filter_set (filter_t *self, const char *name, const char *value, reason_t *why)
{
    int64_t number = 1;
    int rc = 0;

    if (strcmp (name, "event_types") == 0) {
        return each_word (self, name, value, why, add_type);
    }
    if (strcmp (name, "topics") == 0) {
        return each_word (self, name, value, why, add_topic);
    }
    if (strcmp (name, "regions") == 0) {
        return each_word (self, name, value, why, add_region);
    }
    if (strcmp (name, "worker_ids") == 0) {
        return each_word (self, name, value, why, add_worker);
    }
    if (strcmp (name, "heartbeat") == 0) {
        return set_number (&self->heartbeat_seconds, name, value, 1, 60, why);
    }
    if (strcmp (name, "state") == 0) {
        rc = set_number (&number, name, value, 0, 1, why);
        self->state = number == 1;
        return rc;
    }
    if (strcmp (name, "client") == 0) {
        snprintf (self->client, sizeof self->client, "%s", value);
        return 0;
    }
    return reason_set (why, -ENOENT, "unknown parameter '%.60s'", name);
}

static bool
among (const char *name, const char *names, size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp (names + i * size, name) == 0) {
            return true;
        }
    }
    return count == 0;
}

bool
filter_wants (const filter_t *self, event_type_t type, const char *region, const char *worker_id)
{
    if (!self->all_types && (type == EVENT_UNKNOWN || !self->types [type])) {
        return false;
    }
    return (*region == '\0' ||
            among (region, self->regions [0], FEED_REGION_SIZE, self->regions_count)) &&
           (*worker_id == '\0' ||
            among (worker_id, self->workers [0], FEED_WORKER_ID_SIZE, self->workers_count));
}
