// notice.c - see notice.h.
//
// SPDX-License-Identifier: MIT

#include "notice.h"

#include "../common/digest.h"
#include "../common/json.h"
#include "../common/snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ID_SIZE 40

static json_writer_t
begin (buffer_t *out, event_type_t type, const char *id)
{
    if (id) {
        buffer_format (out, "id: %s\n", id);
    }
    buffer_format (out, "event: %s\ndata: ", event_type_name (type));
    json_writer_t json = json_writer (out);
    json_open_object (&json);
    json_member_text (&json, "type", event_type_name (type));
    json_member_text (&json, "source", event_type_source (type));
    json_member_time (&json, "time", clock_now ().wall);
    json_key (&json, "seq");
    json_put_null (&json);
    json_key (&json, "data");
    return json;
}

static void
end (json_writer_t *json)
{
    json_close_object (json);
    json_close_object (json);
    buffer_text (json->out, "\n\n");
}

static void
write_id (const event_log_t *log, char id [ID_SIZE], uint64_t seq)
{
    snprintf (id, ID_SIZE, "%s-%" PRIu64, event_log_epoch (log), seq);
}

void
notice_connected (buffer_t *out, const event_log_t *log, const char *client_id,
                  int64_t heartbeat_seconds, unsigned retry_ms)
{
    char last [ID_SIZE];
    json_writer_t json = begin (out, EVENT_CONNECTED, NULL);

    write_id (log, last, event_log_last (log));
    json_open_object (&json);
    json_member_text (&json, "client_id", client_id);
    json_member_time (&json, "server_time", clock_now ().wall);
    json_member_text (&json, "epoch", event_log_epoch (log));
    json_member_text (&json, "last_event_id", last);
    json_member_integer (&json, "heartbeat_seconds", heartbeat_seconds);
    json_member_integer (&json, "retry_ms", retry_ms);
    json_member_text (&json, "user", NULL);
    end (&json);
}

void
notice_reset (buffer_t *out, const event_log_t *log, const char *reason, const char *requested)
{
    char oldest [ID_SIZE];
    json_writer_t json = begin (out, EVENT_SYSTEM_RESET, NULL);

    write_id (log, oldest, event_log_first (log));
    json_open_object (&json);
    json_member_text (&json, "reason", reason);
    json_member_text (&json, "requested_id", requested);
    json_member_text (&json, "oldest_id", oldest);
    end (&json);
}

static void
write_mark (buffer_t *out, event_type_t type, const char *id, int64_t workers, int64_t jobs,
            const char *digest)
{
    json_writer_t json = begin (out, type, id);

    json_open_object (&json);
    json_member_integer (&json, "workers", workers);
    json_member_integer (&json, "jobs", jobs);
    if (type == EVENT_SYSTEM_STATE_END) {
        json_member_text (&json, "digest", digest);
    }
    end (&json);
}

static uint64_t
digest_of_workers (replica_t *replica, const filter_t *filter)
{
    uint64_t digest = 0;

    for (size_t i = 0; i < filter->workers_count; i++) {
        const replica_worker_t *worker = replica_find (replica, filter->workers [i]);
        if (worker && filter_wants (filter, EVENT_WORKER_SNAPSHOT, worker->region, "")) {
            digest += worker->digest;
        }
    }
    return digest;
}

//  Of the workers that the filter lets through; null when it lets no snapshot through, or while a
//  state is being taken.
static const char *
digest_for (char text [DIGEST_TEXT_SIZE], replica_t *replica, const filter_t *filter)
{
    uint64_t digest = 0;

    if (!replica_digest (replica, &digest) ||
        !filter_wants (filter, EVENT_WORKER_SNAPSHOT, "", "")) {
        return NULL;
    }
    if (filter->workers_count > 0) {
        digest = digest_of_workers (replica, filter);
    } else if (filter->regions_count > 0) {
        digest = 0;
        for (size_t i = 0; i < filter->regions_count; i++) {
            digest += replica_region_digest (replica, filter->regions [i]);
        }
    }
    digest_text (text, digest);
    return text;
}

//  The replica's bytes go in as they are; only the reason is put behind them.
static void
write_worker (buffer_t *out, const replica_worker_t *worker)
{
    json_writer_t json = begin (out, EVENT_WORKER_SNAPSHOT, NULL);

    snapshot_splice_reason (json.out, worker->json, worker->size, "initial");
    buffer_text (out, "}\n\n");
}

//  data is JSON that came as it is.
static void
write_told (buffer_t *out, event_type_t type, const char *data)
{
    json_writer_t json = begin (out, type, NULL);

    buffer_text (json.out, data);
    buffer_text (out, "}\n\n");
}

static int64_t
write_jobs (buffer_t *out, replica_t *replica)
{
    int64_t count = 0;

    for (const char *job = replica_next_job (replica); job; job = replica_next_job (replica)) {
        write_told (out, EVENT_JOB_SUBMITTED, job);
        count++;
    }
    return count;
}

void
notice_state (buffer_t *out, const event_log_t *log, replica_t *replica, const filter_t *filter)
{
    char id [ID_SIZE], digest [DIGEST_TEXT_SIZE];
    int64_t sent = 0, jobs = 0;

    write_mark (out, EVENT_SYSTEM_STATE_BEGIN, NULL, (int64_t) replica_size (replica),
                (int64_t) replica_jobs (replica), NULL);
    for (const replica_worker_t *worker = replica_next (replica, ""); worker;
         worker = replica_next (replica, worker->worker_id)) {
        if (filter_wants (filter, EVENT_WORKER_SNAPSHOT, worker->region, worker->worker_id)) {
            write_worker (out, worker);
            sent++;
        }
    }
    if (filter_wants (filter, EVENT_JOB_SUBMITTED, "", "")) {
        jobs = write_jobs (out, replica);
    }
    if (filter_wants (filter, EVENT_SYSTEM_STATS, "", "")) {
        write_told (out, EVENT_SYSTEM_STATS, replica_stats (replica));
    }
    write_id (log, id, event_log_last (log));
    write_mark (out, EVENT_SYSTEM_STATE_END, id, sent, jobs, digest_for (digest, replica, filter));
}

void
notice_heartbeat (buffer_t *out, const event_log_t *log, replica_t *replica, const filter_t *filter,
                  uint64_t cursor, bool with_id)
{
    char id [ID_SIZE], digest [DIGEST_TEXT_SIZE];
    bool whole = cursor == event_log_last (log);

    write_id (log, id, cursor);
    json_writer_t json = begin (out, EVENT_HEARTBEAT, with_id ? id : NULL);
    json_open_object (&json);
    json_member_time (&json, "server_time", clock_now ().wall);
    json_member_text (&json, "last_event_id", id);
    json_member_integer (&json, "events_missed", 0);
    json_member_integer (&json, "conflated", 0);
    json_member_integer (&json, "lag_ms", 0);
    json_member_text (&json, "digest", whole ? digest_for (digest, replica, filter) : NULL);
    end (&json);
}

void
notice_shutdown (buffer_t *out, unsigned retry_ms)
{
    buffer_format (out, "retry: %u\n", retry_ms);
    json_writer_t json = begin (out, EVENT_SYSTEM_SSE_SHUTDOWN, NULL);
    json_open_object (&json);
    json_member_text (&json, "message", "the gateway is shutting down; come back");
    json_member_integer (&json, "retry_ms", retry_ms);
    end (&json);
}
