// job_answers.c - see job_answers.h; what runners ask is runner_answers.c's.
//
// SPDX-License-Identifier: MIT

#include "job_answers.h"

#include "../common/cleanup.h"
#include "fleet.h"
#include "jobs_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIMIT_DEFAULT 100
#define LIMIT_MOST    1000

typedef struct reply {
    int status;
    const char *detail;           //  null: none
    const char *job_id;           //  likewise: of the job that is in the way
    int64_t retry_after_seconds;  //  0: none
    const job_t *record;          //  null: no payload
} reply_t;

//  A question that is answered when the turn is committed; null when it was refused.
static bus_request_t *
begin (broker_t *broker, bus_request_t *request)
{
    reason_t why = {0};

    if (feed_is_held (broker_feed (broker), &why)) {
        bus_request_refuse (request, "store", why.text);
        return NULL;
    }
    bus_request_t *deferred = bus_request_defer (request);
    if (!deferred) {
        bus_request_refuse (request, "busy", "too many questions wait for their answers");
    }
    return deferred;
}

static void
add_as_it_is (bus_request_t *request, const job_t *job)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_open_object (&json);
    job_write (&json, job);
    json_close_object (&json);
    bus_request_add (request, text.data, text.size);
}

//  What the set has not whole, the store has.
static void
add_record (broker_t *broker, bus_request_t *request, const job_t *job)
{
    job_t whole;

    if (!jobs_is_of_state (job) && broker_stored_job (broker, job->id, &whole)) {
        add_as_it_is (request, &whole);
        job_clear (&whole);
    } else {
        add_as_it_is (request, job);
    }
}

static void
end (broker_t *broker, bus_request_t *request, const reply_t *reply)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_open_object (&json);
    json_member_integer (&json, "status", reply->status);
    if (reply->detail) {
        json_member_text (&json, "detail", reply->detail);
    }
    if (reply->job_id) {
        json_member_text (&json, "job_id", reply->job_id);
    }
    if (reply->retry_after_seconds) {
        json_member_integer (&json, "retry_after_seconds", reply->retry_after_seconds);
    }
    json_close_object (&json);
    if (reply->record) {
        add_record (broker, request, reply->record);
    }
    job_outbox_put (broker_outbox (broker), request, &text);
}

//  --- submit

static int
read_short (struct json_object *ask, const char *key, const char **text, reason_t *why)
{
    *text = json_get_text (ask, key);
    if (*text && (!**text || strlen (*text) > JOB_TEXT_MAX)) {
        return reason_set (why, -EINVAL, "%s: 1 to %d bytes", key, JOB_TEXT_MAX);
    }
    return *text || !json_get (ask, key) ? 0 : reason_set (why, -EINVAL, "%s: not a text", key);
}

static int
read_integer (struct json_object *ask, const char *key, int64_t least, int64_t most, int64_t *value,
              reason_t *why)
{
    *value = INTEGER_UNKNOWN;
    if (json_get (ask, key) &&
        (!json_get_integer (ask, key, value) || *value < least || *value > most)) {
        return reason_set (why, -EINVAL, "%s: a whole number from %lld to %lld", key,
                           (long long) least, (long long) most);
    }
    return 0;
}

static int
read_payload (struct json_object *ask, buffer_t *text, reason_t *why)
{
    struct json_object *payload = json_get_object (ask, "payload");
    json_writer_t json = json_writer (text);

    if (!payload) {
        return json_get (ask, "payload") ? reason_set (why, -EINVAL, "payload: not an object") : 0;
    }
    json_put_tree (&json, payload);
    return text->size <= JOB_PAYLOAD_MAX
               ? 0
               : reason_set (why, -EINVAL, "payload: %zu bytes, at most %zu", text->size,
                             JOB_PAYLOAD_MAX);
}

//  -EINVAL or -ENOENT, and why.
static int
read_order (broker_t *broker, struct json_object *ask, job_order_t *order, buffer_t *payload,
            reason_t *why)
{
    const char *worker = json_get_text (ask, "worker");
    int rc;

    order->type = json_get_text (ask, "job_type");
    if (!order->type || !job_type_is_valid (order->type)) {
        return reason_set (why, -EINVAL, "job_type: 1 to %d of a-z 0-9 . _ -", JOB_TYPE_SIZE - 1);
    }
    if ((rc = read_short (ask, "workflow_id", &order->workflow_id, why)) < 0 ||
        (rc = read_short (ask, "client_key", &order->client_key, why)) < 0 ||
        (rc = read_short (ask, "by", &order->by, why)) < 0 ||
        (rc = read_integer (ask, "priority", JOB_PRIORITY_LEAST, JOB_PRIORITY_MOST,
                            &order->priority, why)) < 0 ||
        (rc = read_integer (ask, "timeout_seconds", 1, JOB_TIMEOUT_MOST, &order->timeout_seconds,
                            why)) < 0 ||
        (rc = read_payload (ask, payload, why)) < 0) {
        return rc;
    }
    if (!order->by) {
        return reason_set (why, -EINVAL, "by: who asks for it");
    }
    order->payload = payload->data;
    order->worker = worker ? fleet_find (broker_fleet (broker), worker) : NULL;
    if (worker && !order->worker) {
        return reason_set (why, -ENOENT, "no worker has the id or EC2 instance id '%.80s'", worker);
    }
    return order->worker || !job_type_find (order->type)
               ? 0
               : reason_set (why, -EINVAL, "worker: a %s is of a worker", order->type);
}

static reply_t
reply_to (broker_t *broker, const job_order_t *order)
{
    const job_t *job = NULL;
    job_verdict_t verdict = broker_submit (broker, order, &job);

    switch (verdict) {
    case JOB_IS_NEW: return (reply_t){.status = 202, .record = job};
    case JOB_IS_KNOWN: return (reply_t){.status = 200, .record = job};
    case JOB_IS_OPEN:
        return (reply_t){
            .status = 409, .detail = "such a job is on its way for this worker", .job_id = job->id};
    case JOB_NOT_RUNNING: return (reply_t){.status = 409, .detail = "the worker is not running"};
    case JOB_TOO_SOON:
        return (reply_t){.status = 429,
                         .detail = "it was refreshed just now",
                         .retry_after_seconds =
                             jobs_wait_seconds (broker_jobs (broker), order, broker_now (broker))};
    case JOB_TOO_LARGE:
        return (reply_t){.status = 503,
                         .detail = "the payloads of open jobs are too large (jobs_bytes_max)"};
    default: break;
    }
    return (reply_t){.status = 503, .detail = "too many jobs are open (jobs_max)"};
}

void
job_answers_submit (broker_t *broker, bus_request_t *request)
{
    bus_request_t *deferred = begin (broker, request);
    _cleanup_ (buffer_clear) buffer_t payload = {0};
    job_order_t order = {0};
    reason_t why = {0};

    if (!deferred) {
        return;
    }
    int rc = read_order (broker, bus_request_json (deferred), &order, &payload, &why);
    reply_t reply = rc < 0 ? (reply_t){.status = rc == -ENOENT ? 404 : 400, .detail = why.text}
                           : reply_to (broker, &order);
    end (broker, deferred, &reply);
}

//  --- job, cancel

static const job_t *
find (broker_t *broker, const bus_request_t *request)
{
    const char *id = json_get_text (bus_request_json (request), "id");

    return id ? jobs_find (broker_jobs (broker), id) : NULL;
}

void
job_answers_job (broker_t *broker, bus_request_t *request)
{
    bus_request_t *deferred = begin (broker, request);
    const job_t *job = deferred ? find (broker, deferred) : NULL;

    if (job) {
        end (broker, deferred, &(reply_t){.status = 200, .record = job});
    } else if (deferred) {
        end (broker, deferred, &(reply_t){.status = 404, .detail = "no job has this id"});
    }
}

void
job_answers_cancel (broker_t *broker, bus_request_t *request)
{
    bus_request_t *deferred = begin (broker, request);
    const char *by = NULL, *reason = NULL;
    reason_t why = {0};

    if (!deferred) {
        return;
    }
    struct json_object *ask = bus_request_json (deferred);
    const job_t *job = find (broker, deferred);
    if (read_short (ask, "by", &by, &why) < 0 || read_short (ask, "reason", &reason, &why) < 0) {
        end (broker, deferred, &(reply_t){.status = 400, .detail = why.text});
    } else if (!job) {
        end (broker, deferred, &(reply_t){.status = 404, .detail = "no job has this id"});
    } else if (job_status_is_over (job->status)) {
        end (broker, deferred,
             &(reply_t){.status = 409, .detail = "it is over", .job_id = job->id});
    } else {
        broker_cancel (broker, job, by, reason);
        end (broker, deferred, &(reply_t){.status = 202, .record = job});
    }
}

//  --- jobs

typedef struct choice {
    unsigned statuses;  //  bits; 0: all
    const char *type, *workflow_id, *worker_id;
} choice_t;

static int
read_statuses (const char *text, unsigned *statuses, reason_t *why)
{
    char name [16];

    for (size_t size; text && *text; text += size + (text [size] == ',')) {
        size = strcspn (text, ",");
        snprintf (name, sizeof name, "%.*s", (int) size, text);
        job_status_t status = job_status_parse (name);
        if (status == JOB_STATUS_COUNT) {
            return reason_set (why, -EINVAL,
                               "status: '%.20s' is none of pending, assigned, in_progress, "
                               "completed, failed, cancelled",
                               name);
        }
        *statuses |= 1u << status;
    }
    return 0;
}

static bool
is_chosen (const choice_t *choice, const job_t *job)
{
    return (!choice->statuses || (choice->statuses & (1u << job->status))) &&
           (!choice->type || strcmp (choice->type, job->type) == 0) &&
           (!choice->worker_id || strcmp (choice->worker_id, job->worker_id) == 0) &&
           (!choice->workflow_id ||
            (job->workflow_id && strcmp (choice->workflow_id, job->workflow_id) == 0));
}

static const job_t *
next_chosen (const choice_t *choice, const job_t *job)
{
    while (job && !is_chosen (choice, job)) {
        job = jobs_older (job);
    }
    return job;
}

//  `<id>@<created_at>` of the last job of the page before. It may be forgotten by now: then the list
//  goes on with those that are not younger, which may tell of one of its millisecond again, and leaves
//  none out.
static int
read_cursor (const broker_t *broker, const char *cursor, const job_t **from, reason_t *why)
{
    const char *at = strchr (cursor, '@');
    size_t size = at ? (size_t) (at - cursor) : 0;
    char id [sizeof ((job_t *) NULL)->id];
    time_us_t created;

    if (size == 0 || size >= sizeof id || clock_parse (at + 1, &created) < 0) {
        return reason_set (why, -EINVAL, "cursor: '%.80s' is no next_cursor of a page before",
                           cursor);
    }
    snprintf (id, sizeof id, "%.*s", (int) size, cursor);
    const job_t *last = jobs_find (broker_jobs (broker), id);
    if (last) {
        *from = jobs_older (last);
        return 0;
    }
    while (*from && (*from)->created_at >= created + MS_US) {
        *from = jobs_older (*from);
    }
    return 0;
}

static int
read_choice (broker_t *broker, struct json_object *ask, choice_t *choice, const job_t **from,
             reason_t *why)
{
    const char *worker = json_get_text (ask, "worker"), *cursor = json_get_text (ask, "cursor");
    const worker_t *known = worker ? fleet_find (broker_fleet (broker), worker) : NULL;

    choice->type = json_get_text (ask, "job_type");
    choice->workflow_id = json_get_text (ask, "workflow_id");
    //  A worker that has left the state may have jobs yet.
    choice->worker_id = known ? worker_id (known) : worker;
    *from = jobs_newest (broker_jobs (broker));
    if (cursor && read_cursor (broker, cursor, from, why) < 0) {
        return -EINVAL;
    }
    return read_statuses (json_get_text (ask, "status"), &choice->statuses, why);
}

void
job_answers_jobs (broker_t *broker, bus_request_t *request)
{
    bus_request_t *deferred = begin (broker, request);
    const job_t *job = NULL, *last = NULL;
    choice_t choice = {0};
    int64_t limit = LIMIT_DEFAULT;
    reason_t why = {0};
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    if (!deferred) {
        return;
    }
    struct json_object *ask = bus_request_json (deferred);
    if (read_choice (broker, ask, &choice, &job, &why) < 0 ||
        read_integer (ask, "limit", 1, LIMIT_MOST, &limit, &why) < 0) {
        end (broker, deferred, &(reply_t){.status = 400, .detail = why.text});
        return;
    }
    limit = limit == INTEGER_UNKNOWN ? LIMIT_DEFAULT : limit;
    job = next_chosen (&choice, job);
    for (; job && limit > 0; limit--) {
        add_record (broker, deferred, job);
        last = job;
        job = next_chosen (&choice, jobs_older (job));
    }
    json_open_object (&json);
    json_member_integer (&json, "status", 200);
    if (job && last) {
        char cursor [sizeof last->id + CLOCK_TEXT_SIZE], created [CLOCK_TEXT_SIZE];
        snprintf (cursor, sizeof cursor, "%s@%s", last->id,
                  clock_format (created, last->created_at));
        json_member_text (&json, "next_cursor", cursor);
    } else {
        json_member_text (&json, "next_cursor", NULL);
    }
    json_close_object (&json);
    job_outbox_put (broker_outbox (broker), deferred, &text);
}
