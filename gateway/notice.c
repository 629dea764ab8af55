// notice.c - see notice.h.
//
// SPDX-License-Identifier: MIT

#include "notice.h"

#include "../common/digest.h"
#include "../common/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ID_SIZE 40

//  The writer of the data's object, which is open.
static json_writer_t
begin (buffer_t *out, event_type_t type, const char *id)
{
    if (id) {
        buffer_format (out, "id: %s\n", id);
    }
    buffer_format (out, "event: %s\ndata: ", event_type_name (type));
    frame_write_envelope (out, type);
    json_writer_t json = json_writer (out);
    json_open_object (&json);
    return json;
}

static void
end (json_writer_t *json)
{
    json_close_object (json);
    buffer_text (json->out, "}\n\n");
}

static void
write_id (const event_log_t *log, char id [ID_SIZE], uint64_t seq)
{
    snprintf (id, ID_SIZE, "%s-%" PRIu64, event_log_epoch (log), seq);
}

void
notice_connected (buffer_t *out, const event_log_t *log, const welcome_t *welcome)
{
    char last [ID_SIZE];
    json_writer_t json = begin (out, EVENT_CONNECTED, NULL);

    write_id (log, last, event_log_last (log));
    json_member_text (&json, "client_id", welcome->client_id);
    json_member_time (&json, "server_time", clock_now ().wall);
    json_member_text (&json, "epoch", event_log_epoch (log));
    json_member_text (&json, "last_event_id", last);
    json_member_integer (&json, "heartbeat_seconds", welcome->heartbeat_seconds);
    json_member_integer (&json, "retry_ms", welcome->retry_ms);
    json_member_text (&json, "user", welcome->user);
    end (&json);
}

void
notice_reset (buffer_t *out, const event_log_t *log, const char *reason, const char *requested)
{
    char oldest [ID_SIZE];
    json_writer_t json = begin (out, EVENT_SYSTEM_RESET, NULL);

    write_id (log, oldest, event_log_first (log));
    json_member_text (&json, "reason", reason);
    json_member_text (&json, "requested_id", requested);
    json_member_text (&json, "oldest_id", oldest);
    end (&json);
}

void
notice_state_begin (buffer_t *out, size_t workers, size_t jobs)
{
    json_writer_t json = begin (out, EVENT_SYSTEM_STATE_BEGIN, NULL);

    json_member_integer (&json, "workers", (int64_t) workers);
    json_member_integer (&json, "jobs", (int64_t) jobs);
    end (&json);
}

void
notice_state_end (buffer_t *out, const char *epoch, uint64_t seq, size_t workers, size_t jobs,
                  const char *digest)
{
    char id [ID_SIZE];

    snprintf (id, sizeof id, "%s-%" PRIu64, epoch, seq);
    json_writer_t json = begin (out, EVENT_SYSTEM_STATE_END, id);
    json_member_integer (&json, "workers", (int64_t) workers);
    json_member_integer (&json, "jobs", (int64_t) jobs);
    json_member_text (&json, "digest", digest);
    end (&json);
}

//  One by one: of these workers, or, for a limited view, of all.
static uint64_t
digest_of_workers (replica_t *replica, const filter_t *filter)
{
    const name_set_t *wanted = &filter->workers;
    bool masked = filter_is_masked (filter);
    uint64_t digest = 0;

    for (size_t i = 0; i < wanted->count; i++) {
        const replica_worker_t *worker = replica_find (replica, wanted->list [i]);
        if (worker && filter_wants_worker (filter, worker->region, "") &&
            filter_shows (filter, worker->region, worker->worker_id)) {
            digest += replica_worker_digest (worker, masked);
        }
    }
    for (const replica_worker_t *worker = wanted->count == 0 ? replica_next (replica, "") : NULL;
         worker; worker = replica_next (replica, worker->worker_id)) {
        if (filter_wants_worker (filter, worker->region, worker->worker_id) &&
            filter_shows (filter, worker->region, worker->worker_id)) {
            digest += replica_worker_digest (worker, masked);
        }
    }
    return digest;
}

static uint64_t
digest_of_regions (replica_t *replica, const filter_t *filter, const name_set_t *regions)
{
    uint64_t digest = 0;

    for (size_t i = 0; i < regions->count; i++) {
        if (filter_shows (filter, regions->list [i], "")) {
            digest += replica_region_digest (replica, filter_is_masked (filter), regions->list [i]);
        }
    }
    return digest;
}

const char *
notice_digest (char *text, replica_t *replica, const filter_t *filter)
{
    uint64_t digest = 0;
    bool masked = filter_is_masked (filter);

    if (!replica_digest (replica, masked, &digest) ||
        !filter_wants_type (filter, EVENT_WORKER_SNAPSHOT)) {
        return NULL;
    }
    if (filter->workers.count > 0 || (filter->view && filter->view->by_worker)) {
        digest = digest_of_workers (replica, filter);
    } else if (filter->regions.count > 0) {
        digest = digest_of_regions (replica, filter, &filter->regions);
    } else if (filter->view && filter->view->by_region) {
        digest = digest_of_regions (replica, filter, &filter->view->regions);
    }
    digest_text (text, digest);
    return text;
}

void
notice_heartbeat (buffer_t *out, const event_log_t *log, const heartbeat_t *heartbeat)
{
    char id [ID_SIZE];

    write_id (log, id, heartbeat->cursor);
    json_writer_t json = begin (out, EVENT_HEARTBEAT, heartbeat->with_id ? id : NULL);
    json_member_time (&json, "server_time", clock_now ().wall);
    json_member_text (&json, "last_event_id", id);
    json_member_integer (&json, "events_missed", (int64_t) heartbeat->missed);
    json_member_integer (&json, "conflated", (int64_t) heartbeat->conflated);
    json_member_integer (&json, "lag_ms", heartbeat->lag / MS_US);
    json_member_text (&json, "digest", heartbeat->digest);
    end (&json);
}

void
notice_id (buffer_t *out, const event_log_t *log, uint64_t seq)
{
    char id [ID_SIZE];

    write_id (log, id, seq);
    buffer_format (out, "id: %s\n\n", id);
}

void
notice_shutdown (buffer_t *out, const char *message, unsigned retry_ms)
{
    buffer_format (out, "retry: %u\n", retry_ms);
    json_writer_t json = begin (out, EVENT_SYSTEM_SSE_SHUTDOWN, NULL);
    json_member_text (&json, "message", message);
    json_member_integer (&json, "retry_ms", retry_ms);
    end (&json);
}
