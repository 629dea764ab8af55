// runners.c - see runners.h.
//
// SPDX-License-Identifier: MIT

#include "runners.h"

#include "../common/cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD_MAX 100

struct runners {
    size_t max;
    zhashx_t *by_id;  //  owns them
    heap_t waiting;   //  by until
    runner_t *first, *last;
};

static void
free_runner (void **runner_p)
{
    runner_t *runner = *runner_p;

    free (runner->types);
    free (runner->scopes);
    zhashx_destroy (&runner->held);
    zlistx_destroy (&runner->given);
    zlistx_destroy (&runner->stopped);
    free (runner);
    *runner_p = NULL;
}

static bool
until_before (const void *a, const void *b)
{
    const runner_t *first = a, *second = b;

    return first->until < second->until;
}

runners_t *
runners_new (size_t runners_max)
{
    runners_t *self = calloc (1, sizeof *self);

    if (self && !(self->by_id = zhashx_new ())) {
        free (self);
        return NULL;
    }
    if (self) {
        self->max = runners_max;
        self->waiting = HEAP (until_before, runner_t, until_place);
        zhashx_set_destructor (self->by_id, free_runner);
    }
    return self;
}

void
runners_destroy (runners_t **self_p)
{
    assert (self_p);

    if (*self_p) {
        heap_clear (&(*self_p)->waiting);
        zhashx_destroy (&(*self_p)->by_id);
        free (*self_p);
        *self_p = NULL;
    }
}

static int
check_names (struct json_object *names, const char *what, size_t most, size_t size, reason_t *why)
{
    size_t count = names ? json_object_array_length (names) : 0;

    if (count > most) {
        return reason_set (why, -EINVAL, "%s: %zu of them, at most %zu", what, count, most);
    }
    for (size_t i = 0; i < count; i++) {
        struct json_object *name = json_object_array_get_idx (names, i);
        const char *text =
            json_object_is_type (name, json_type_string) ? json_object_get_string (name) : "";
        if (!*text || strlen (text) >= size || strchr (text, '|')) {
            return reason_set (why, -EINVAL, "%s: '%.80s' must be 1 to %zu bytes without '|'", what,
                               text, size - 1);
        }
    }
    return 0;
}

int
runners_check (const runner_offer_t *offer, reason_t *why)
{
    if (offer->concurrency < 1 || offer->concurrency > RUNNER_CONCURRENCY_MAX) {
        return reason_set (why, -EINVAL, "concurrency must be 1 to %d", RUNNER_CONCURRENCY_MAX);
    }
    int rc = check_names (offer->types, "job_types", RUNNER_TYPES_MAX, JOB_CAPABILITY_SIZE, why);
    rc = rc ? rc : check_names (offer->workers, "workers", RUNNER_SCOPES_MAX, JOB_NAME_SIZE, why);
    return rc ? rc : check_names (offer->regions, "regions", RUNNER_SCOPES_MAX, JOB_NAME_SIZE, why);
}

static const char *
name_at (struct json_object *names, size_t place)
{
    return json_object_get_string (json_object_array_get_idx (names, place));
}

static size_t
add_scopes (runner_t *runner, size_t at, char pool, struct json_object *names)
{
    for (size_t i = 0; names && i < json_object_array_length (names); i++, at++) {
        runner->scopes [at].pool = pool;
        snprintf (runner->scopes [at].name, JOB_NAME_SIZE, "%s", name_at (names, i));
    }
    return at;
}

static size_t
length (struct json_object *names)
{
    return names ? json_object_array_length (names) : 0;
}

static void
take_offer (runner_t *runner, const runner_offer_t *offer)
{
    size_t types = length (offer->types),
           scopes = length (offer->workers) + length (offer->regions);

    free (runner->types);
    free (runner->scopes);
    runner->types = calloc (types + 1, sizeof *runner->types);
    runner->scopes = calloc (scopes + 1, sizeof *runner->scopes);
    assert (runner->types && runner->scopes && "some hundred bytes for a runner");
    for (size_t i = 0; i < types; i++) {
        snprintf (runner->types [i], JOB_CAPABILITY_SIZE, "%s", name_at (offer->types, i));
    }
    runner->types_count = types;
    runner->scopes_count =
        add_scopes (runner, add_scopes (runner, 0, 'w', offer->workers), 'r', offer->regions);
    runner->concurrency = (size_t) offer->concurrency;
}

static void *
copy_text (const void *text)
{
    return strdup (text);
}

static void
free_text (void **text_p)
{
    free (*text_p);
    *text_p = NULL;
}

static runner_t *
make (runners_t *self, const char *id)
{
    runner_t *runner = zhashx_size (self->by_id) < self->max ? calloc (1, sizeof *runner) : NULL;

    if (runner) {
        snprintf (runner->id, sizeof runner->id, "%s", id);
        runner->held = zhashx_new ();
        runner->given = zlistx_new ();
        runner->stopped = zlistx_new ();
        zlistx_set_destructor (runner->stopped, free_text);
        zlistx_set_duplicator (runner->stopped, copy_text);
        zhashx_insert (self->by_id, id, runner);
    }
    return runner;
}

runner_t *
runners_hear (runners_t *self, const char *id, const runner_offer_t *offer, time_us_t steady)
{
    runner_t *runner = runners_find (self, id);

    runner = runner ? runner : make (self, id);
    if (runner) {
        runner->heard = steady;
        if (offer) {
            take_offer (runner, offer);
        }
    }
    return runner;
}

runner_t *
runners_find (const runners_t *self, const char *id)
{
    return zhashx_lookup (self->by_id, id);
}

void
runners_remove (runners_t *self, runner_t *runner)
{
    assert (zhashx_size (runner->held) == 0 && !runner->question);
    zhashx_delete (self->by_id, runner->id);
}

runner_t *
runners_silent (const runners_t *self, time_us_t since)
{
    for (runner_t *runner = runners_first (self); runner; runner = runners_next (self)) {
        if (runner->heard < since) {
            return runner;
        }
    }
    return NULL;
}

size_t
runners_count (const runners_t *self)
{
    return zhashx_size (self->by_id);
}

runner_t *
runners_first (const runners_t *self)
{
    return zhashx_first (self->by_id);
}

runner_t *
runners_next (const runners_t *self)
{
    return zhashx_next (self->by_id);
}

void
runner_hold (runner_t *self, const job_t *job)
{
    zhashx_insert (self->held, job->id, (void *) (uintptr_t) job);
}

void
runner_drop (runner_t *self, const job_t *job)
{
    zhashx_delete (self->held, job->id);
}

bool
runner_has_room (const runner_t *self)
{
    return !self->is_leaving && zhashx_size (self->held) < self->concurrency;
}

static const queued_t *
better (const queued_t *a, const queued_t *b)
{
    return !a || (b && job_queue_before (b, a)) ? b : a;
}

static bool
is_built_in (const char *capability)
{
    char type [JOB_CAPABILITY_SIZE];

    snprintf (type, sizeof type, "%.*s", (int) strcspn (capability, ":"), capability);
    return job_type_find (type) != NULL;
}

static const queued_t *
choose_of (const runner_t *self, const job_queue_t *queue, const char *capability)
{
    const queued_t *best = NULL;

    if (is_built_in (capability)) {
        return job_queue_first (queue, capability, 'o', self->id);
    }
    if (self->scopes_count == 0) {
        return job_queue_first (queue, capability, '*', "");
    }
    for (size_t i = 0; i < self->scopes_count; i++) {
        const runner_scope_t *scope = &self->scopes [i];
        best = better (best, job_queue_first (queue, capability, scope->pool, scope->name));
    }
    return best;
}

const job_t *
runner_choose (const runner_t *self, const job_queue_t *queue)
{
    const queued_t *best = NULL;

    for (size_t i = 0; i < self->types_count; i++) {
        best = better (best, choose_of (self, queue, self->types [i]));
    }
    return best ? best->job : NULL;
}

//  --- those that wait

void
runners_park (runners_t *self, runner_t *runner, void *question, time_us_t until)
{
    assert (!runner->question && question);
    runner->question = question;
    runner->until = until;
    heap_push (&self->waiting, runner);
    runner->next = NULL;
    runner->previous = self->last;
    *(self->last ? &self->last->next : &self->first) = runner;
    self->last = runner;
}

void *
runners_unpark (runners_t *self, runner_t *runner)
{
    if (runner->question) {
        heap_remove (&self->waiting, runner);
        *(runner->previous ? &runner->previous->next : &self->first) = runner->next;
        *(runner->next ? &runner->next->previous : &self->last) = runner->previous;
    }
    return take_ptr (runner->question);
}

runner_t *
runners_waiting (const runners_t *self)
{
    return self->first;
}

time_us_t
runners_due_at (const runners_t *self)
{
    const runner_t *first = heap_first (&self->waiting);

    return first ? first->until : INT64_MAX;
}

//  --- for people

static void
write_runner (json_writer_t *json, const runner_t *runner)
{
    size_t running = zhashx_size (runner->held);

    json_open_object (json);
    json_member_text (json, "runner_id", runner->id);
    json_member_text (json, "state",
                      running == 0                    ? "idle"
                      : running < runner->concurrency ? "busy"
                                                      : "full");
    json_key (json, "job_types");
    json_open_array (json);
    for (size_t i = 0; i < runner->types_count; i++) {
        json_put_text (json, runner->types [i]);
    }
    json_close_array (json);
    json_member_integer (json, "concurrency", (int64_t) runner->concurrency);
    json_member_integer (json, "running", (int64_t) running);
    json_close_object (json);
}

void
runners_write (const runners_t *self, json_writer_t *json)
{
    size_t told = 0;

    json_member_integer (json, "total_runners", (int64_t) runners_count (self));
    json_key (json, "runners");
    json_open_array (json);
    for (const runner_t *runner = runners_first (self); runner && told < TOLD_MAX;
         runner = runners_next (self), told++) {
        write_runner (json, runner);
    }
    json_close_array (json);
}
