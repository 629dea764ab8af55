// filter.c - see filter.h.
//
// SPDX-License-Identifier: MIT

#include "filter.h"

#include "monitor_form.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_SIZE     128
#define HZ_LEAST      0.01
#define HZ_MOST       100.0
#define BATCH_MOST    1000
#define PRIORITY_MOST 1000000

filter_t *
filter_new (size_t names_max)
{
    filter_t *self = calloc (1, sizeof *self);

    if (self) {
        self->references = 1;
        self->names_max = names_max;
        self->all_types = true;
        self->priority_least = INT_MIN;
        self->priority_most = INT_MAX;
    }
    return self;
}

void
filter_see (filter_t *self, view_t *view)
{
    self->view = view_hold (view);
}

filter_t *
filter_hold (filter_t *self)
{
    self->references++;
    return self;
}

void
filter_release (filter_t **self_p)
{
    filter_t *self = *self_p;

    if (self && --self->references == 0) {
        names_clear (&self->regions);
        names_clear (&self->workers);
        names_clear (&self->job_types);
        view_release (&self->view);
        free (self);
    }
    *self_p = NULL;
}

filter_t *
filter_copy (const filter_t *self)
{
    filter_t *copy = malloc (sizeof *copy);

    if (copy) {
        *copy = *self;
        copy->references = 1;
        copy->view = self->view ? view_hold (self->view) : NULL;
        copy->regions = copy->workers = copy->job_types = (name_set_t){0};
        if (!names_copy (&copy->regions, &self->regions) ||
            !names_copy (&copy->workers, &self->workers) ||
            !names_copy (&copy->job_types, &self->job_types)) {
            filter_release (&copy);
        }
    }
    return copy;
}

int
filter_unset (filter_t *self, const char *name, reason_t *why)
{
    if (strcmp (name, "event_types") == 0 || strcmp (name, "topics") == 0) {
        memset (self->types, 0, sizeof self->types);
        self->all_types = true;
    } else if (strcmp (name, "regions") == 0) {
        names_clear (&self->regions);
    } else if (strcmp (name, "worker_ids") == 0) {
        names_clear (&self->workers);
    } else if (strcmp (name, "job_types") == 0) {
        names_clear (&self->job_types);
    } else if (strcmp (name, "min_priority") == 0) {
        self->priority_least = INT_MIN;
    } else if (strcmp (name, "max_priority") == 0) {
        self->priority_most = INT_MAX;
    } else if (strcmp (name, "max_hz") == 0) {
        self->snapshot_period = 0;
    } else if (strcmp (name, "batch_ms") == 0) {
        self->metrics_period = 0;
        self->batches = false;
    } else {
        return reason_set (why, -ENOENT, "unknown parameter '%.60s'", name);
    }
    return 0;
}

void
filter_want_nothing (filter_t *self)
{
    memset (self->types, 0, sizeof self->types);
    self->all_types = false;
}

static int
add_name (const filter_t *self, name_set_t *names, const char *word, const char *parameter,
          reason_t *why)
{
    int rc = names_add (names, word, self->names_max);

    return rc == 0 ? 0
           : rc == -E2BIG
               ? reason_set (why, -EINVAL, "%s: at most %zu names", parameter, self->names_max)
               : reason_set (why, -EINVAL, "%s: out of memory", parameter);
}

//  All types that begin so, but the one; or the type of this very name. False: there is none.
static bool
choose (filter_t *self, const char *word, bool begins, const char *but)
{
    size_t size = strlen (word);
    bool found = false;

    self->all_types = false;
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        const char *row = event_type_name ((event_type_t) type);
        if (event_type_place ((event_type_t) type) != EVENT_PLACE_INGEST &&
            (begins ? strncmp (row, word, size) == 0 : strcmp (row, word) == 0) &&
            !(but && strcmp (row, but) == 0)) {
            self->types [type] = true;
            found = true;
        }
    }
    return found;
}

static int
add_type (filter_t *self, const char *word, const char *name, reason_t *why)
{
    char stem [WORD_SIZE];
    size_t size = strlen (word);
    bool star = size > 0 && word [size - 1] == '*';

    snprintf (stem, sizeof stem, "%.*s", (int) (star ? size - 1 : size), word);
    return choose (self, stem, star, NULL)
               ? 0
               : reason_set (why, -EINVAL, "%s: no event has the type '%.60s'", name, word);
}

static int
add_topic (filter_t *self, const char *word, const char *name, reason_t *why)
{
    static const struct {
        const char *topic, *types, *but;
    } TOPICS [] = {{"workers", "worker.", NULL},
                   {"jobs", "job.", NULL},
                   {"jobs:progress", "job.progress", NULL},
                   {"jobs:status", "job.", "job.progress"},
                   {"alerts", "alert.", NULL},
                   {"system_stats", "system.stats", NULL},
                   {"heartbeat", "heartbeat", NULL}};

    for (size_t i = 0; i < sizeof TOPICS / sizeof *TOPICS; i++) {
        if (strcmp (TOPICS [i].topic, word) == 0) {
            (void) choose (self, TOPICS [i].types, true, TOPICS [i].but);
            return 0;
        }
    }
    return reason_set (why, -EINVAL,
                       "%s: '%.60s' is none of workers, jobs, jobs:progress, jobs:status, alerts, "
                       "system_stats, heartbeat",
                       name, word);
}

static int
add_region (filter_t *self, const char *word, const char *name, reason_t *why)
{
    if (strlen (word) >= FEED_REGION_SIZE || !*word) {
        return reason_set (why, -EINVAL, "%s: '%.60s' is no region's name", name, word);
    }
    return add_name (self, &self->regions, word, name, why);
}

static int
add_worker (filter_t *self, const char *word, const char *name, reason_t *why)
{
    if (strlen (word) != FEED_WORKER_ID_SIZE - 1 ||
        strspn (word, "0123456789abcdef-") != FEED_WORKER_ID_SIZE - 1) {
        return reason_set (why, -EINVAL, "%s: '%.60s' is no worker id", name, word);
    }
    return add_name (self, &self->workers, word, name, why);
}

static int
add_job_type (filter_t *self, const char *word, const char *name, reason_t *why)
{
    if (strlen (word) >= FEED_JOB_TYPE_SIZE || !*word) {
        return reason_set (why, -EINVAL, "%s: '%.60s' is no type of a job", name, word);
    }
    return add_name (self, &self->job_types, word, name, why);
}

typedef int add_fn (filter_t *self, const char *word, const char *name, reason_t *why);

static int
each_word (filter_t *self, const char *name, const char *value, reason_t *why, add_fn *add)
{
    char word [WORD_SIZE];

    for (;; value++) {
        size_t size = strcspn (value, ",");
        snprintf (word, sizeof word, "%.*s", (int) (size < WORD_SIZE ? size : WORD_SIZE), value);
        int rc = add (self, word, name, why);
        value += size;
        if (rc < 0 || !*value) {
            return rc;  //  an empty list is one empty word, which nobody takes
        }
    }
}

static int
read_integer (int64_t *slot, const char *name, const char *value, int64_t least, int64_t most,
              reason_t *why)
{
    char *end = NULL;

    errno = 0;
    long long number = strtoll (value, &end, 10);
    if (end == value || isspace ((unsigned char) *value) || *end || errno || number < least ||
        number > most) {
        return reason_set (why, -EINVAL, "%s: '%.60s' is not a whole number within %lld to %lld",
                           name, value, (long long) least, (long long) most);
    }
    *slot = number;
    return 0;
}

static int
set_priority (int *slot, const char *name, const char *value, reason_t *why)
{
    int64_t number = 0;
    int rc = read_integer (&number, name, value, -PRIORITY_MOST, PRIORITY_MOST, why);

    *slot = rc == 0 ? (int) number : *slot;
    return rc;
}

static int
set_hz (filter_t *self, const char *name, const char *value, reason_t *why)
{
    char *end = NULL;
    double hz = strtod (value, &end);

    if (end == value || *end || !isdigit ((unsigned char) *value) || !isfinite (hz) ||
        hz < HZ_LEAST || hz > HZ_MOST) {
        return reason_set (why, -EINVAL, "%s: '%.60s' is not a number within %g to %g", name, value,
                           HZ_LEAST, HZ_MOST);
    }
    self->snapshot_period = (time_us_t) llround ((double) SECOND_US / hz);  //  as its key says it
    return 0;
}

static int
set_batch (filter_t *self, const char *name, const char *value, reason_t *why)
{
    int64_t ms = 0;
    int rc = read_integer (&ms, name, value, 0, BATCH_MOST, why);

    if (rc == 0) {
        self->metrics_period = ms * MS_US;
        self->batches = true;
    }
    return rc;
}

int
filter_set (filter_t *self, const char *name, const char *value, reason_t *why)
{
    static const struct {
        const char *name;
        add_fn *add;
    } LISTS [] = {{"event_types", add_type},
                  {"topics", add_topic},
                  {"regions", add_region},
                  {"worker_ids", add_worker},
                  {"job_types", add_job_type}};

    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        if (strcmp (LISTS [i].name, name) == 0) {
            return each_word (self, name, value, why, LISTS [i].add);
        }
    }
    if (strcmp (name, "min_priority") == 0) {
        return set_priority (&self->priority_least, name, value, why);
    }
    if (strcmp (name, "max_priority") == 0) {
        return set_priority (&self->priority_most, name, value, why);
    }
    if (strcmp (name, "max_hz") == 0) {
        return set_hz (self, name, value, why);
    }
    if (strcmp (name, "batch_ms") == 0) {
        return set_batch (self, name, value, why);
    }
    return reason_set (why, -ENOENT, "unknown parameter '%.60s'", name);
}

bool
filter_wants_type (const filter_t *self, event_type_t type)
{
    return self->all_types || (type != EVENT_UNKNOWN && self->types [type]);
}

bool
filter_wants_worker (const filter_t *self, const char *region, const char *worker_id)
{
    return (*region == '\0' || names_allow (&self->regions, region)) &&
           (*worker_id == '\0' || names_allow (&self->workers, worker_id));
}

bool
filter_shows (const filter_t *self, const char *region, const char *worker_id)
{
    return !self->view || view_shows (self->view, region, worker_id);
}

bool
filter_is_limited (const filter_t *self)
{
    return self->view && view_is_limited (self->view);
}

bool
filter_is_masked (const filter_t *self)
{
    return self->view && self->view->mask;
}

frame_t *
filter_form (const filter_t *self, frame_t *frame)
{
    const mask_t *mask = self->view ? self->view->mask : NULL;
    frame_t *form = mask ? frame_masked (frame, mask) : frame;

    return form && self->monitor ? monitor_form (form, self->monitor, mask) : form;
}

//  A job of no worker is none of those that are asked for.
static bool
wants_job (const filter_t *self, const frame_t *frame)
{
    return names_allow (&self->regions, frame->region) &&
           names_allow (&self->workers, frame->worker_id) &&
           names_allow (&self->job_types, frame->job_type) &&
           frame->priority >= self->priority_least && frame->priority <= self->priority_most;
}

bool
filter_wants (const filter_t *self, const frame_t *frame)
{
    return filter_wants_type (self, frame->type) &&
           filter_shows (self, frame->region, frame->worker_id) &&
           (*frame->job_type ? wants_job (self, frame)
                             : filter_wants_worker (self, frame->region, frame->worker_id));
}

void
filter_write_key (const filter_t *self, buffer_t *out)
{
    const char *before = "&event_types=";

    if (!self->all_types) {
        for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
            if (self->types [type]) {
                buffer_format (out, "%s%s", before, event_type_name ((event_type_t) type));
                before = ",";
            }
        }
        if (*before == '&') {
            buffer_text (out, "&event_types=");
        }
    }
    names_write (&self->regions, "&regions=", out);
    names_write (&self->workers, "&worker_ids=", out);
    names_write (&self->job_types, "&job_types=", out);
    if (self->priority_least != INT_MIN) {
        buffer_format (out, "&min_priority=%d", self->priority_least);
    }
    if (self->priority_most != INT_MAX) {
        buffer_format (out, "&max_priority=%d", self->priority_most);
    }
    if (self->snapshot_period > 0) {
        buffer_format (out, "&max_hz=%.9g", (double) SECOND_US / (double) self->snapshot_period);
    }
    if (self->batches) {
        buffer_format (out, "&batch_ms=%lld", (long long) (self->metrics_period / MS_US));
    }
    buffer_text (out, self->monitor ? "&monitor" : "");
    if (self->view) {
        view_write_key (self->view, out);
    }
}
