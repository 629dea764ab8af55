// fleet.c - see fleet.h.
//
// SPDX-License-Identifier: MIT

#include "fleet.h"

#include "../../common/cleanup.h"
#include "../../common/plain.h"

#include <czmq.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_US      HOUR_US
#define POINTER_SIZE sizeof (void *)

const char *const FLEET_KINDS [FLEET_KIND_COUNT] = {"all",   "running", "attention",
                                                    "stale", "stopped", "idle"};

typedef struct worker {
    worker_row_t row;
    unsigned state;   //  of which full state it is
    uint64_t digest;  //  0 before its first snapshot
} worker_t;

struct fleet {
    zhashx_t *workers;  //  by id
    unsigned state;
    bool in_state;
    const worker_row_t **selected;
    size_t room;
};

static void
worker_destroy (void **worker_p)
{
    free (*worker_p);
    *worker_p = NULL;
}

static void *
worker_copy (const void *worker)
{
    worker_t *copy = malloc (sizeof *copy);

    if (copy) {
        *copy = *(const worker_t *) worker;
    }
    return copy;
}

fleet_t *
fleet_new (void)
{
    fleet_t *self = calloc (1, sizeof *self);

    if (self) {
        self->workers = zhashx_new ();
        zhashx_set_duplicator (self->workers, worker_copy);
        zhashx_set_destructor (self->workers, worker_destroy);
    }
    return self;
}

void
fleet_destroy (fleet_t **self_p)
{
    fleet_t *self = *self_p;

    if (self) {
        zhashx_destroy (&self->workers);
        free (self->selected);
        free (self);
        *self_p = NULL;
    }
}

fleet_t *
fleet_copy (const fleet_t *self)
{
    fleet_t *copy = calloc (1, sizeof *copy);

    if (copy) {
        copy->workers = zhashx_dup (self->workers);
    }
    return copy;
}

//  --- events

void
fleet_begin (fleet_t *self)
{
    self->state++;
    self->in_state = true;
}

void
fleet_end (fleet_t *self)
{
    zlistx_t *ids = self->in_state ? zhashx_keys (self->workers) : NULL;

    for (const char *id = ids ? zlistx_first (ids) : NULL; id; id = zlistx_next (ids)) {
        const worker_t *worker = zhashx_lookup (self->workers, id);
        if (worker && worker->state != self->state) {
            zhashx_delete (self->workers, id);
        }
    }
    zlistx_destroy (&ids);
    self->in_state = false;
}

//  What an event calls otherwise than the snapshot does.
static const struct {
    const char *type, *member, *field;
} RENAMED [] = {{"worker.status.updated", "new_status", "status"},
                {"worker.service_status.updated", "new_service_status", "service_status"},
                {"worker.labs.updated", "labs_count", "cml_labs_count"}};

static void
apply_freshness (worker_row_t *row, struct json_object *data)
{
    const char *source = json_get_text (data, "metric_source");
    _cleanup_ (json_destroy) struct json_object *patch = json_object_new_object ();
    char field [64];

    snprintf (field, sizeof field, "%.40s_freshness", source ? source : "");
    json_object_object_add (patch, field, json_object_get (json_get (data, "new")));
    (void) worker_row_apply (row, patch);
}

static void
apply_renamed (worker_row_t *row, const char *type, struct json_object *data)
{
    for (size_t i = 0; i < sizeof RENAMED / sizeof *RENAMED; i++) {
        struct json_object *value = json_get (data, RENAMED [i].member);
        if (value && strcmp (RENAMED [i].type, type) == 0) {
            _cleanup_ (json_destroy) struct json_object *patch = json_object_new_object ();
            json_object_object_add (patch, RENAMED [i].field, json_object_get (value));
            (void) worker_row_apply (row, patch);
        }
    }
}

//  A worker begins with a snapshot or its creation; news of one that is not known say too little. It is found
//  by what its row shows: an id that cannot be shown as it is, is none.
static worker_t *
worker_of (fleet_t *self, const char *id, bool may_begin)
{
    worker_t *worker = zhashx_lookup (self->workers, id);
    char plain [WORKER_ROW_TEXT_SIZE];

    if (!worker && may_begin && *id && strcmp (plain_text (plain, sizeof plain, id), id) == 0) {
        worker_t fresh = {0};
        worker_row_init (&fresh.row);
        if (zhashx_insert (self->workers, id, &fresh) == 0) {
            worker = zhashx_lookup (self->workers, id);
        }
    }
    return worker;
}

bool
fleet_take_digest (fleet_t *self, const char *id, uint64_t digest)
{
    worker_t *worker = zhashx_lookup (self->workers, id);
    bool repaired = worker && self->in_state && worker->digest && worker->digest != digest;

    if (worker) {
        worker->digest = digest;
    }
    return repaired;
}

bool
fleet_digest (const fleet_t *self, uint64_t *digest)
{
    *digest = 0;
    for (const worker_t *worker = zhashx_first (self->workers); worker;
         worker = zhashx_next (self->workers)) {
        *digest += worker->digest;
    }
    return !self->in_state;
}

bool
fleet_apply (fleet_t *self, const char *type, struct json_object *data)
{
    const char *id = json_get_text (data, "worker_id");
    bool whole = strcmp (type, "worker.snapshot") == 0 || strcmp (type, "worker.created") == 0;
    worker_t *worker = id ? worker_of (self, id, whole) : NULL;

    if (!worker) {
        return false;
    }
    worker->state = self->state;
    (void) worker_row_apply (&worker->row, data);
    apply_renamed (&worker->row, type, data);
    if (strcmp (type, "worker.freshness.changed") == 0) {
        apply_freshness (&worker->row, data);
    }
    if (strcmp (type, "worker.terminated") == 0 || strcmp (worker->row.status, "terminated") == 0) {
        zhashx_delete (self->workers, id);
    }
    return true;
}

//  --- what is looked for

static bool
is_any (const worker_row_t *row, const char *freshness)
{
    return strcmp (row->ec2, freshness) == 0 || strcmp (row->cloudwatch, freshness) == 0 ||
           strcmp (row->cml, freshness) == 0;
}

bool
fleet_is_kind (const worker_row_t *row, fleet_kind_t kind, time_us_t now)
{
    bool running = strcmp (row->status, "running") == 0;

    switch (kind) {
    case FLEET_RUNNING: return running;
    case FLEET_ATTENTION:
        return strcmp (row->status, "failed") == 0 ||
               (running && (is_any (row, "error") || strcmp (row->service, "error") == 0 ||
                            strcmp (row->service, "unavailable") == 0));
    case FLEET_STALE: return is_any (row, "stale");
    case FLEET_STOPPED: return strcmp (row->status, "stopped") == 0;
    case FLEET_IDLE: return running && !(row->labs > 0) && worker_row_idle (row, now) > IDLE_US;
    case FLEET_ALL:
    case FLEET_KIND_COUNT: break;
    }
    return true;
}

size_t
fleet_size (const fleet_t *self)
{
    return zhashx_size (self->workers);
}

void
fleet_count (const fleet_t *self, time_us_t now, size_t counts [FLEET_KIND_COUNT])
{
    memset (counts, 0, FLEET_KIND_COUNT * sizeof *counts);
    for (const worker_t *worker = zhashx_first (self->workers); worker;
         worker = zhashx_next (self->workers)) {
        for (int kind = 0; kind < FLEET_KIND_COUNT; kind++) {
            counts [kind] += fleet_is_kind (&worker->row, (fleet_kind_t) kind, now);
        }
    }
}

static bool
is_found (const worker_row_t *row, const char *search)
{
    return !*search || strcasestr (row->name, search) || strcasestr (row->region, search) ||
           strcasestr (row->instance_id, search) || strcasestr (row->id, search) ||
           strcasestr (row->status, search) || strcasestr (row->type, search);
}

static int
compare (const void *one, const void *two, void *argument)
{
    const worker_row_t *const *a = one, *const *b = two;
    const fleet_choice_t *choice = argument;
    int order = worker_row_compare (*a, *b, choice->sort);

    return choice->reverse ? -order : order;
}

size_t
fleet_select (fleet_t *self, const fleet_choice_t *choice, time_us_t now,
              const worker_row_t *const **list)
{
    size_t count = 0, wanted = zhashx_size (self->workers);

    *list = NULL;
    if (wanted > self->room) {
        const worker_row_t **more = realloc (self->selected, wanted * POINTER_SIZE);
        if (!more) {
            return 0;
        }
        self->selected = more;
        self->room = wanted;
    }
    for (const worker_t *worker = zhashx_first (self->workers); worker;
         worker = zhashx_next (self->workers)) {
        if (fleet_is_kind (&worker->row, choice->kind, now) &&
            is_found (&worker->row, choice->search)) {
            self->selected [count++] = &worker->row;
        }
    }
    if (count > 1) {
        qsort_r (self->selected, count, POINTER_SIZE, compare, (void *) (uintptr_t) choice);
    }
    *list = self->selected;
    return count;
}

const worker_row_t *
fleet_find (const fleet_t *self, const char *id)
{
    const worker_t *worker = zhashx_lookup (self->workers, id);

    return worker ? &worker->row : NULL;
}
