// runner_answers.c - what runners ask and report over control; see job_answers.h.
//
// SPDX-License-Identifier: MIT

#include "../common/cleanup.h"
#include "job_answers.h"

#include <errno.h>
#include <string.h>

#define WAIT_MOST_MS 5000
#define NAMED_MAX    2000  //  jobs, twice RUNNER_CONCURRENCY_MAX: as many may have ended unheard
#define REPORTS_MAX  1000  //  in one question
#define TEXT_MAX     512
#define STEP_MAX     64
#define MESSAGE_MAX  256

static int
read_runner_id (struct json_object *ask, const char **id, reason_t *why)
{
    *id = json_get_text (ask, "runner_id");
    if (!*id || !**id || strlen (*id) > JOB_RUNNER_MAX || strchr (*id, '|')) {
        return reason_set (why, -EINVAL, "runner_id: 1 to %d bytes without '|'", JOB_RUNNER_MAX);
    }
    return 0;
}

static int
read_array (struct json_object *ask, const char *key, struct json_object **array, reason_t *why)
{
    *array = json_get_array (ask, key);
    return *array || !json_get (ask, key) ? 0 : reason_set (why, -EINVAL, "%s: not an array", key);
}

static int
read_question (struct json_object *ask, runner_question_t *question, reason_t *why)
{
    runner_offer_t *offer = &question->offer;
    int rc;

    offer->concurrency = 1;
    (void) json_get_integer (ask, "concurrency", &offer->concurrency);
    (void) json_get_integer (ask, "wait_ms", &question->wait_ms);
    (void) json_get_bool (ask, "leaving", &question->is_leaving);
    if ((rc = read_runner_id (ask, &question->runner_id, why)) < 0 ||
        (rc = read_array (ask, "job_types", &offer->types, why)) < 0 ||
        (rc = read_array (ask, "workers", &offer->workers, why)) < 0 ||
        (rc = read_array (ask, "regions", &offer->regions, why)) < 0 ||
        (rc = read_array (ask, "running", &question->named, why)) < 0 ||
        (rc = runners_check (offer, why)) < 0) {
        return rc;
    }
    if (question->wait_ms < 0 || question->wait_ms > WAIT_MOST_MS) {
        return reason_set (why, -EINVAL, "wait_ms: 0 to %d", WAIT_MOST_MS);
    }
    return question->named && json_object_array_length (question->named) > NAMED_MAX
               ? reason_set (why, -EINVAL, "running: at most %d", NAMED_MAX)
               : 0;
}

void
job_answers_runner (broker_t *broker, bus_request_t *request)
{
    runner_question_t question = {0};
    reason_t why = {0};

    if (read_question (bus_request_json (request), &question, &why) < 0) {
        bus_request_refuse (request, "malformed", why.text);
    } else if (broker_ask (broker, &question, request) < 0) {
        bus_request_refuse (request, "runners_max", "there are too many runners");
    }
}

//  --- report

static const struct {
    const char *name;
    event_type_t type;
} EVENTS [] = {{"progress", EVENT_JOB_PROGRESS_REPORTED},
               {"completed", EVENT_JOB_COMPLETED_REPORTED},
               {"failed", EVENT_JOB_FAILED_REPORTED}};

static event_type_t
read_event (const char *name)
{
    for (size_t i = 0; name && i < sizeof EVENTS / sizeof *EVENTS; i++) {
        if (strcmp (EVENTS [i].name, name) == 0) {
            return EVENTS [i].type;
        }
    }
    return EVENT_UNKNOWN;
}

static bool
is_short (const char *text, size_t most)
{
    return !text || strlen (text) <= most;
}

//  The result is written into buffer, which must outlive it.
static int
read_report (struct json_object *row, job_report_t *report, buffer_t *buffer, reason_t *why)
{
    struct json_object *result = json_get_object (row, "result");
    json_writer_t json = json_writer (buffer);

    *report = (job_report_t){.type = read_event (json_get_text (row, "event")),
                             .job_id = json_get_text (row, "job_id"),
                             .step = json_get_text (row, "step"),
                             .message = json_get_text (row, "message"),
                             .error_code = json_get_text (row, "error_code"),
                             .error_message = json_get_text (row, "error_message"),
                             .progress = UNKNOWN};
    (void) json_get_number (row, "progress", &report->progress);
    if (report->type == EVENT_UNKNOWN || !report->job_id ||
        !json_get_integer (row, "attempt", &report->attempt)) {
        return reason_set (
            why, -EINVAL, "a report wants job_id, attempt and event (progress, completed, failed)");
    }
    if (!is_short (report->step, STEP_MAX) || !is_short (report->message, MESSAGE_MAX) ||
        !is_short (report->error_code, STEP_MAX) || !is_short (report->error_message, TEXT_MAX)) {
        return reason_set (why, -EINVAL,
                           "step and error_code: at most %d bytes, message %d, error_message %d",
                           STEP_MAX, MESSAGE_MAX, TEXT_MAX);
    }
    if (result) {
        json_put_tree (&json, result);
        report->result = buffer->data;
    }
    return 0;
}

//  All or none: nothing is done before all are known to be good.
static int
check_reports (struct json_object *reports, reason_t *why)
{
    size_t count = reports ? json_object_array_length (reports) : 0;
    int rc = reports && count <= REPORTS_MAX
                 ? 0
                 : reason_set (why, -EINVAL, "reports: an array of at most %d", REPORTS_MAX);

    for (size_t i = 0; i < count && rc == 0; i++) {
        _cleanup_ (buffer_clear) buffer_t result = {0};
        job_report_t report;
        rc = read_report (json_object_array_get_idx (reports, i), &report, &result, why);
    }
    return rc;
}

static void
apply_reports (broker_t *broker, const char *runner_id, struct json_object *reports,
               json_writer_t *json)
{
    for (size_t i = 0; i < json_object_array_length (reports); i++) {
        _cleanup_ (buffer_clear) buffer_t result = {0};
        job_report_t report;
        reason_t why;
        (void) read_report (json_object_array_get_idx (reports, i), &report, &result, &why);
        if (!broker_report (broker, runner_id, &report)) {
            json_put_text (json, report.job_id);
        }
    }
}

void
job_answers_report (broker_t *broker, bus_request_t *request)
{
    struct json_object *ask = bus_request_json (request),
                       *reports = json_get_array (ask, "reports");
    const char *runner_id;
    reason_t why = {0};
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    if (read_runner_id (ask, &runner_id, &why) < 0 || check_reports (reports, &why) < 0) {
        bus_request_refuse (request, "malformed", why.text);
        return;
    }
    if (feed_is_held (broker_feed (broker), &why)) {
        bus_request_refuse (request, "store", why.text);
        return;
    }
    bus_request_t *deferred = bus_request_defer (request);
    if (!deferred) {
        bus_request_refuse (request, "busy", "too many questions wait for their answers");
        return;
    }
    json_open_object (&json);
    json_member_integer (&json, "status", 200);
    json_key (&json, "stop");
    json_open_array (&json);
    apply_reports (broker, runner_id, reports, &json);
    json_close_array (&json);
    json_close_object (&json);
    job_outbox_put (broker_outbox (broker), deferred, &text);
}
