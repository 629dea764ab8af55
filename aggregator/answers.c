// answers.c - see answers.h.
//
// SPDX-License-Identifier: MIT

#include "answers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SAMPLES_DEFAULT 10000
#define BY_BYTES_MAX    128

//  What a question is about.
typedef struct question {
    fleet_t *fleet;
    struct json_object *ask;
    const worker_t *worker;
} question_t;

static void
reply (bus_request_t *request, int status, const char *detail, const buffer_t *payload)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_member_integer (&json, "status", status);
    if (detail) {
        json_member_text (&json, "detail", detail);
    }
    json_close_object (&json);
    if (payload) {
        bus_request_add (request, payload->data, payload->size);
    }
    bus_request_reply (request, out.data, out.size);
    buffer_clear (&out);
}

static int
write_labs (const question_t *question, json_writer_t *json, reason_t *why)
{
    const char *labs = worker_labs (question->worker);

    (void) why;
    json_member_raw (json, "labs", labs, strlen (labs));
    json_member_integer (json, "labs_count", worker_labs_total (question->worker));
    json_member_time (json, "synced_at", worker_labs_at (question->worker));
    return 0;
}

static int
write_activity (const question_t *question, json_writer_t *json, reason_t *why)
{
    snapshot_t snapshot = worker_snapshot (question->worker);
    const char *events = worker_activity_events (question->worker);
    idle_facts_t facts = worker_idle_facts (question->worker);

    (void) why;
    json_member_time (json, "last_activity_at", snapshot.last_activity_at);
    json_member_time (json, "last_activity_check_at", snapshot.last_activity_check_at);
    json_member_time (json, "next_idle_check_at", snapshot.next_idle_check_at);
    json_member_time (json, "target_pause_at", snapshot.target_pause_at);
    json_member_time (json, "idle_since", idle_since (&facts));
    json_key (json, "is_idle_detection_enabled");
    json_put_flag (json, snapshot.is_idle_detection_enabled);
    json_member_raw (json, "events", events, strlen (events));
    return 0;
}

static int
write_others (const question_t *question, json_writer_t *json, reason_t *why)
{
    (void) why;
    json_key (json, "others");
    worker_write_others (question->worker, json);
    return 0;
}

static void
list_metrics (char *text, size_t size)
{
    size_t used = 0;

    for (int metric = 0; metric < HISTORY_METRIC_COUNT && used < size; metric++) {
        used += (size_t) snprintf (text + used, size - used, "%s%s", metric ? ", " : "",
                                   history_metric_name ((history_metric_t) metric));
    }
}

static int
write_history (const question_t *question, json_writer_t *json, reason_t *why)
{
    const char *name = json_get_text (question->ask, "metric");
    const history_t *history = fleet_history (question->fleet, question->worker);
    history_metric_t metric = history_metric_parse (name ? name : "");
    int64_t limit = SAMPLES_DEFAULT;
    time_us_t since = TIME_UNKNOWN;
    char known [200];

    list_metrics (known, sizeof known);
    if (metric == HISTORY_METRIC_COUNT) {
        return reason_set (why, -EINVAL, "metric: '%.60s' has no history; one of %s",
                           name ? name : "", known);
    }
    (void) json_get_time (question->ask, "since", &since);
    (void) json_get_integer (question->ask, "limit", &limit);
    json_member_text (json, "metric", name);
    json_member_text (json, "unit", metric == HISTORY_LABS ? "labs" : "percent");
    json_member_integer (json, "interval_seconds", 60);
    json_member_integer (json, "thinned_interval_seconds", (int64_t) HISTORY_THIN_MINUTES * 60);
    json_key (json, "samples");
    if (history) {
        history_write (history, metric, since, limit > 0 ? (size_t) limit : 0, json);
    } else {
        json_open_array (json);
        json_close_array (json);
    }
    return 0;
}

static const struct {
    const char *name;
    int (*write) (const question_t *question, json_writer_t *json, reason_t *why);
} PARTS [] = {{"labs", write_labs},
              {"activity", write_activity},
              {"others", write_others},
              {"history", write_history}};

static void
answer_part (const question_t *question, bus_request_t *request, size_t part)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    reason_t why = {0};

    json_open_object (&json);
    json_member_text (&json, "worker_id", worker_id (question->worker));
    if (PARTS [part].write (question, &json, &why) < 0) {
        reply (request, 400, why.text, NULL);
    } else {
        json_close_object (&json);
        reply (request, 200, NULL, &out);
    }
    buffer_clear (&out);
}

void
answers_worker (fleet_t *fleet, bus_request_t *request)
{
    question_t question = {.fleet = fleet, .ask = bus_request_json (request)};
    const char *id = json_get_text (question.ask, "id");
    const char *name = json_get_text (question.ask, "part");
    char detail [200];
    size_t part = 0;

    while (part < sizeof PARTS / sizeof *PARTS &&
           (!name || strcmp (PARTS [part].name, name) != 0)) {
        part++;
    }
    if (!id || part == sizeof PARTS / sizeof *PARTS) {
        bus_request_refuse (request, "malformed",
                            "worker wants id and part (labs, activity, others, history)");
        return;
    }
    question.worker = fleet_find (fleet, id);
    if (!question.worker) {
        snprintf (detail, sizeof detail, "no worker has the id or EC2 instance id '%.80s'", id);
        reply (request, 404, detail, NULL);
        return;
    }
    answer_part (&question, request, part);
}

//  While the store takes nothing, nothing is changed; and what is changed is answered when it is kept,
//  as all that is told. True: it is not, and refused. What was changed already is kept when the store
//  takes it again.
static bool
refuse_held (fleet_t *fleet, bus_request_t *request)
{
    reason_t why = {0};
    bool is_held = feed_is_held (broker_feed (fleet_broker (fleet)), &why);

    if (is_held) {
        bus_request_refuse (request, "store", why.text);
    }
    return is_held;
}

void
answers_command (fleet_t *fleet, bus_request_t *request)
{
    struct json_object *ask = bus_request_json (request);
    const char *command = json_get_text (ask, "command"), *id = json_get_text (ask, "id");
    const char *by = json_get_text (ask, "by");
    bool enabled, changed = false;
    reason_t why = {0};
    buffer_t out = {0};

    if (!command || strcmp (command, "idle_detection") != 0 || !id ||
        !json_get_bool (ask, "enabled", &enabled) || (by && strlen (by) > BY_BYTES_MAX)) {
        bus_request_refuse (request, "malformed",
                            "command wants command (idle_detection), id, enabled, and by of at "
                            "most 128 bytes if at all");
        return;
    }
    if (refuse_held (fleet, request)) {
        return;
    }
    if (fleet_set_idle_detection (fleet, id, enabled, by, &changed, &why) < 0) {
        reply (request, 404, why.text, NULL);
        return;
    }
    fleet_settle (fleet);
    if (refuse_held (fleet, request)) {
        return;
    }
    json_writer_t json = json_writer (&out);
    json_open_object (&json);
    json_member_text (&json, "worker_id", worker_id (fleet_find (fleet, id)));
    json_member_bool (&json, "is_idle_detection_enabled", enabled);
    json_member_bool (&json, "changed", changed);
    json_close_object (&json);
    reply (request, 202, NULL, &out);
    buffer_clear (&out);
}

static void
add_alert (void *request, const char *json, size_t size)
{
    bus_request_add (request, json, size);
}

void
answers_alerts (alerts_t *alerts, bus_request_t *request)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_member_integer (&json, "status", 200);
    json_key (&json, "rules");
    alerts_write_rules (alerts, &json);
    json_close_object (&json);
    alerts_each (alerts, add_alert, request);
    bus_request_reply (request, out.data, out.size);
    buffer_clear (&out);
}

void
answers_acknowledge (alerts_t *alerts, fleet_t *fleet, bus_request_t *request)
{
    const char *id = json_get_text (bus_request_json (request), "id");
    const char *by = json_get_text (bus_request_json (request), "by");
    reason_t why = {0};

    if (!id || (by && strlen (by) > BY_BYTES_MAX)) {
        bus_request_refuse (request, "malformed",
                            "acknowledge wants id, and by of at most 128 bytes if at all");
        return;
    }
    if (refuse_held (fleet, request)) {
        return;
    }
    int rc = alerts_acknowledge (alerts, id, by, &why);
    if (rc < 0) {
        reply (request, rc == -ENOENT ? 404 : 409, why.text, NULL);
        return;
    }
    fleet_settle (fleet);
    if (refuse_held (fleet, request)) {
        return;
    }
    (void) alerts_one (alerts, id, add_alert, request);
    reply (request, 202, NULL, NULL);
}
