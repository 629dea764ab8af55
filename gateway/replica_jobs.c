// replica_jobs.c - see replica_jobs.h.
//
// SPDX-License-Identifier: MIT

#include "replica_jobs.h"

#include "scan.h"

#include <assert.h>
#include <czmq.h>
#include <stdlib.h>
#include <string.h>

typedef struct list {
    replica_job_t *first, *last;
    size_t count;
} list_t;

struct replica_jobs {
    zhashx_t *by_id;  //  owns them
    list_t groups [JOBS_GROUPS];
};

//  Where a job of this status stands, and since when.
static const struct {
    const char *status;
    replica_group_t group;
    bool is_active;
    const char *since;
} STATUSES [] = {{"pending", JOBS_OPEN, false, "created_at"},
                 {"assigned", JOBS_OPEN, true, "created_at"},
                 {"in_progress", JOBS_OPEN, true, "created_at"},
                 {"completed", JOBS_COMPLETED, false, "completed_at"},
                 {"failed", JOBS_FAILED, false, "failed_at"},
                 {"cancelled", JOBS_CANCELLED, false, "cancelled_at"}};

static void
job_destroy (void **job_p)
{
    replica_job_t *job = *job_p;

    if (job) {
        frame_release (&job->frame);
        buffer_clear (&job->record);
        free (job);
        *job_p = NULL;
    }
}

replica_jobs_t *
replica_jobs_new (void)
{
    replica_jobs_t *self = calloc (1, sizeof *self);

    if (self) {
        self->by_id = zhashx_new ();
        zhashx_set_destructor (self->by_id, job_destroy);
    }
    return self;
}

void
replica_jobs_destroy (replica_jobs_t **self_p)
{
    assert (self_p);
    replica_jobs_t *self = *self_p;

    if (self) {
        zhashx_destroy (&self->by_id);
        free (self);
        *self_p = NULL;
    }
}

void
replica_jobs_clear (replica_jobs_t *self)
{
    zhashx_purge (self->by_id);
    memset (self->groups, 0, sizeof self->groups);
}

//  --- the groups

static void
unlink_job (replica_jobs_t *self, replica_job_t *job)
{
    list_t *list = &self->groups [job->group];

    if (!job->is_placed) {
        return;
    }
    *(job->previous ? &job->previous->next : &list->first) = job->next;
    *(job->next ? &job->next->previous : &list->last) = job->previous;
    list->count--;
}

//  Behind all that are not younger: nearly always at the end.
static void
link_job (replica_jobs_t *self, replica_job_t *job)
{
    list_t *list = &self->groups [job->group];
    replica_job_t *before = list->last;

    while (before && strcmp (before->since, job->since) > 0) {
        before = before->previous;
    }
    job->previous = before;
    job->next = before ? before->next : list->first;
    *(before ? &before->next : &list->first) = job;
    *(job->next ? &job->next->previous : &list->last) = job;
    list->count++;
}

static void
drop_oldest (replica_jobs_t *self, replica_group_t group)
{
    replica_job_t *job = self->groups [group].first;

    unlink_job (self, job);
    zhashx_delete (self->by_id, job->id);
}

static void
copy_member (const buffer_t *record, const char *name, char *out, size_t size)
{
    scan_member_t member = {0};
    bool found = scan_find (record->data, record->size, name, &member);

    scan_copy (found ? &member : &(scan_member_t){0}, out, size);
}

//  By its record, which has changed, to its place. A status that is none leaves it where it is.
static void
place (replica_jobs_t *self, replica_job_t *job)
{
    char status [16];

    frame_release (&job->frame);
    copy_member (&job->record, "status", status, sizeof status);
    for (size_t i = 0; i < sizeof STATUSES / sizeof *STATUSES; i++) {
        if (strcmp (STATUSES [i].status, status) == 0) {
            bool moves = job->group != STATUSES [i].group || !job->is_placed;
            job->is_active = STATUSES [i].is_active;
            if (moves) {
                unlink_job (self, job);
                job->is_placed = true;
                job->group = STATUSES [i].group;
                copy_member (&job->record, STATUSES [i].since, job->since, sizeof job->since);
                link_job (self, job);
            }
        }
    }
    if (job->group != JOBS_OPEN && self->groups [job->group].count > REPLICA_JOBS_KEPT) {
        drop_oldest (self, job->group);
    }
}

//  --- records

//  The record with what the event says anew.
static void
merge (const buffer_t *record, const char *event, size_t size, buffer_t *out)
{
    const char *at = record->data, *end = at + record->size;
    scan_member_t member, news;

    for (const char *before = "{"; scan_next (&at, end, &member); before = ",") {
        char name [40];
        bool fits = member.name_size < sizeof name;
        memcpy (name, member.name, fits ? member.name_size : 0);
        name [fits ? member.name_size : 0] = '\0';
        const char *asked = strcmp (name, "status") == 0 ? "new_status" : name;
        bool found = fits && (scan_find (event, size, asked, &news) ||
                              (asked != name && scan_find (event, size, name, &news)));
        buffer_text (out, before);
        buffer_append (out, member.name - 1, member.name_size + 2);
        buffer_text (out, ":");
        buffer_append (out, found ? news.value : member.value,
                       found ? news.value_size : member.value_size);
    }
    buffer_text (out, "}");
}

//  What the event says of a new job, without the name that all events have for it.
static void
write_record (const char *data, size_t size, buffer_t *out)
{
    const char *at = data, *before = "{";
    scan_member_t member;

    while (scan_next (&at, data + size, &member)) {
        if (!scan_is_named (&member, "job_id")) {
            buffer_text (out, before);
            buffer_append (out, member.name - 1, member.name_size + 2 + 1 + member.value_size);
            before = ",";
        }
    }
    buffer_text (out, *before == '{' ? "{}" : "}");
}

static replica_job_t *
add (replica_jobs_t *self, const char *id)
{
    replica_job_t *job = calloc (1, sizeof *job);

    if (job) {
        snprintf (job->id, sizeof job->id, "%s", id);
        zhashx_insert (self->by_id, job->id, job);
    }
    return job;
}

//  The bytes are taken over. The job may be gone after it: too many have ended later.
static void
set_record (replica_jobs_t *self, replica_job_t *job, buffer_t *record)
{
    buffer_clear (&job->record);
    job->record = *record;
    place (self, job);
}

void
replica_jobs_put (replica_jobs_t *self, const feed_header_t *what, const char *record, size_t size)
{
    buffer_t copy = {0};
    char id [REPLICA_JOB_ID_SIZE] = "";
    scan_member_t member;

    write_record (record, size, &copy);
    if (!buffer_failed (&copy) && scan_find (copy.data, copy.size, "id", &member) &&
        member.value_size < REPLICA_JOB_ID_SIZE + 2) {
        scan_copy (&member, id, sizeof id);
    }
    replica_job_t *job = *id ? replica_jobs_find (self, id) : NULL;
    job = *id && !job ? add (self, id) : job;
    if (!job) {
        buffer_clear (&copy);
        return;
    }
    job->what = *what;
    set_record (self, job, &copy);
}

//  --- events

bool
replica_jobs_is_event (event_type_t type)
{
    return type >= EVENT_JOB_SUBMITTED && type <= EVENT_JOB_CANCELLED;
}

static replica_job_t *
find_of (replica_jobs_t *self, const char *data, size_t size)
{
    scan_member_t member;
    char id [REPLICA_JOB_ID_SIZE];

    if (!scan_find (data, size, "job_id", &member)) {
        return NULL;
    }
    scan_copy (&member, id, sizeof id);
    return replica_jobs_find (self, id);
}

uint64_t
replica_jobs_apply (replica_jobs_t *self, const feed_header_t *header, const char *data,
                    size_t size)
{
    buffer_t record = {0};

    if (header->type == EVENT_JOB_SUBMITTED) {
        replica_jobs_put (self, header, data, size);
        return 0;
    }
    replica_job_t *job = find_of (self, data, size);
    if (!job) {
        return 0;
    }
    uint64_t before = job->progress;
    job->progress = header->type == EVENT_JOB_PROGRESS ? header->seq : 0;
    merge (&job->record, data, size, &record);
    if (buffer_failed (&record)) {
        buffer_clear (&record);
    } else {
        set_record (self, job, &record);
    }
    return before;
}

//  --- what readers ask

replica_job_t *
replica_jobs_find (replica_jobs_t *self, const char *id)
{
    return zhashx_lookup (self->by_id, id);
}

size_t
replica_jobs_count (const replica_jobs_t *self, replica_group_t group)
{
    return self->groups [group].count;
}

replica_job_t *
replica_jobs_first (const replica_jobs_t *self, replica_group_t group)
{
    return self->groups [group].first;
}

frame_t *
replica_job_frame (replica_job_t *job)
{
    buffer_t event = {0};

    if (!job->frame) {
        frame_write_envelope (&event, EVENT_JOB_SUBMITTED);
        buffer_format (&event, "{\"job_id\":\"%s\",", job->id);
        buffer_append (&event, job->record.data + 1, job->record.size - 1);
        buffer_text (&event, "}");
        job->frame = buffer_failed (&event)
                         ? NULL
                         : frame_of_state (&job->what, EVENT_JOB_SUBMITTED, event.data, event.size);
        buffer_clear (&event);
    }
    return job->frame;
}
