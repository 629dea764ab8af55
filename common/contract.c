// contract.c - see contract.h.
//
// SPDX-License-Identifier: MIT

#include "contract.h"

#include "event.h"
#include "schema.h"
#include "schema_table.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define LICENSE_NAME "MIT"

typedef struct operation {
    const char *path, *method, *id, *summary;
    const char *query;     //  a line of schema_table.h: members are parameters, in capitals headers
    const char *body;      //  likewise, of the request's object; null: none
    const char *status;    //  of success; apart by blanks
    const char *schema;    //  of its body; null: content alone
    const char *content;   //  null: application/json
    const char *problems;  //  statuses of problem+json, apart by blanks
} operation_t;

#define FILTER_QUERY                                                                 \
    "topics?:text event_types?:text worker_ids?:text regions?:text job_types?:text " \
    "min_priority?:integer max_priority?:integer"
#define STREAM_QUERY                                                                 \
    FILTER_QUERY " max_hz?:number batch_ms?:integer state?:text heartbeat?:integer " \
                 "last_event_id?:text client?:text"

#define COMMAND_BODY     "reason?:text priority?:integer"
#define COMMAND_PROBLEMS "400 404 409 413 415 429 503"
#define KEY              "Idempotency-Key?:text"

//  Rows of one path stand together.
// clang-format off
static const operation_t OPERATIONS [] = {
    {"/api/events/stream", "get", "streamEvents", "The fleet's events as Server-Sent Events; see asyncapi.json for what they say", STREAM_QUERY, NULL, "200", NULL, "text/event-stream", "400"},
    {"/api/events", "get", "listEvents", "Past events after an id, oldest first, by pages of about 4 MiB at most: while more is true, ask again after next; 410 when what followed it is not held any more", "after?:event_id " FILTER_QUERY " limit?:integer", NULL, "200", "rest.events", NULL, "400 410"},
    {"/api/clients", "get", "listClients", "Open streams: what each wants, how far it is behind, what it missed", "", NULL, "200", "rest.clients", NULL, "400"},
    {"/api/clients/{id}", "patch", "changeClient", "Another filter for an open stream, named by the id that its connected event told; a merge patch of the stream's parameters. Snapshots of the workers that it lets through and the old one did not follow on the stream", "", "topics?:any event_types?:any worker_ids?:any regions?:any job_types?:any min_priority?:integer|null max_priority?:integer|null max_hz?:number|null batch_ms?:integer|null", "200", "rest.client.change", NULL, "400 404 409 413 415 503"},
    {"/api/workers", "get", "listWorkers", "Canonical snapshots, in the order of their ids", "region?:text status?:status limit?:integer cursor?:uuid", NULL, "200", "rest.workers", NULL, "400"},
    {"/api/workers/{id}", "get", "getWorker", "One worker by source; id is a worker id or an EC2 instance id", "", NULL, "200", "rest.worker", NULL, "400 404"},
    {"/api/workers/{id}/labs", "get", "getLabs", "Its labs", "", NULL, "200", "rest.worker.labs", NULL, "400 404 503"},
    {"/api/workers/{id}/activity", "get", "getActivity", "When and how it was last used", "", NULL, "200", "rest.worker.activity", NULL, "400 404 503"},
    {"/api/workers/{id}/history", "get", "getHistory", "Samples of one metric, oldest first: one a minute, older ones one each ten minutes", "metric:metric since?:time limit?:integer", NULL, "200", "rest.worker.history", NULL, "400 404 503"},
    {"/api/workers/{id}/idle-detection", "put", "setIdleDetection", "Turns its idle detection on or off", "", "enabled:flag", "202", "rest.worker.idle_detection", NULL, "400 404 413 415 503"},
    {"/api/workers/{id}/refresh", "post", "refreshWorker", "A job that reads all of it anew; 200 and the job that has this Idempotency-Key, 409 when one is on its way (job_id) or the worker is not running, 429 shortly after the last", KEY, COMMAND_BODY, "202 200", "rest.job", NULL, COMMAND_PROBLEMS},
    {"/api/workers/{id}/labs/refresh", "post", "refreshLabs", "A job that reads its labs anew", KEY, COMMAND_BODY, "202 200", "rest.job", NULL, COMMAND_PROBLEMS},
    {"/api/workers/{id}/pause", "post", "pauseWorker", "A job that stops its instance", KEY, COMMAND_BODY, "202 200", "rest.job", NULL, COMMAND_PROBLEMS},
    {"/api/workers/{id}/resume", "post", "resumeWorker", "A job that starts its instance", KEY, COMMAND_BODY, "202 200", "rest.job", NULL, COMMAND_PROBLEMS},
    {"/api/workers/{id}/detailed-monitoring", "post", "enableDetailedMonitoring", "A job that has CloudWatch measure it each minute", KEY, COMMAND_BODY, "202 200", "rest.job", NULL, COMMAND_PROBLEMS},
    {"/api/jobs", "get", "listJobs", "Jobs, the newest first; status is a list apart by commas", "status?:text job_type?:text worker_id?:text workflow_id?:text limit?:integer cursor?:text", NULL, "200", "rest.jobs", NULL, "400 503"},
    {"/api/jobs", "post", "submitJob", "A job of any type, for whoever runs such; 200 and the job that has this key already", KEY, "job_type:text worker_id?:text priority?:integer workflow_id?:text payload?:object client_key?:text timeout_seconds?:integer", "202 200", "rest.job", NULL, COMMAND_PROBLEMS},
    {"/api/jobs/{id}", "get", "getJob", "One job as it stands", "", NULL, "200", "rest.job", NULL, "400 404 503"},
    {"/api/jobs/{id}", "delete", "cancelJob", "Ends it; 409 when it has ended already", "", NULL, "202", "rest.job", NULL, "400 404 409 503"},
    {"/api/alerts", "get", "listAlerts", "Alerts: raised, acknowledged, and cleared as far as they are kept", "", NULL, "200", "rest.alerts", NULL, "400 503"},
    {"/api/alerts/{id}/acknowledge", "post", "acknowledgeAlert", "Somebody has seen it and says so; 409 when somebody had before, or it is cleared", "", NULL, "202", "rest.alert", NULL, "400 404 409 503"},
    {"/api/state", "get", "getState", "Everything at once, and the id of the last event it covers", "", NULL, "200", "rest.state", NULL, ""},
    {"/api/session", "get", "getSession", "Who asks, as what, and until when", "", NULL, "200", "rest.session", NULL, ""},
    {"/api/session", "post", "beginSession", "Gives a browser a cookie for its token; 409 where nobody has to log in", "", "token:text", "201", "rest.session", NULL, "400 401 409 413 429 503"},
    {"/api/session", "delete", "endSession", "Ends the session of the cookie, and its streams", "", NULL, "204", NULL, NULL, ""},
    {"/healthz", "get", "getHealth", "The process is alive", "", NULL, "200", "rest.healthz", NULL, ""},
    {"/readyz", "get", "getReadiness", "The feed is joined and fresh; 503 while it is not", "", NULL, "200", "rest.readyz", NULL, ""},
    {"/metrics", "get", "getMetrics", "What the gateway counts of itself, for Prometheus", "", NULL, "200", NULL, "text/plain; version=0.0.4; charset=utf-8", "401 429"},
};
// clang-format on
#define OPERATIONS_COUNT (sizeof OPERATIONS / sizeof *OPERATIONS)

static void
put_info (json_writer_t *out, const char *title, const char *description)
{
    json_key (out, "info");
    json_open_object (out);
    json_member_text (out, "title", title);
    json_member_text (out, "version", "1.0");
    json_member_text (out, "description", description);
    json_key (out, "license");
    json_open_object (out);
    json_member_text (out, "name", LICENSE_NAME);
    json_member_text (out, "identifier", LICENSE_NAME);
    json_close_object (out);
    json_close_object (out);
}

static void
put_ref (json_writer_t *out, const char *key, const char *prefix, const char *name,
         const char *suffix)
{
    char ref [160];

    snprintf (ref, sizeof ref, "%s%s%s", prefix, name, suffix);
    json_key (out, key);
    json_open_object (out);
    json_member_text (out, "$ref", ref);
    json_close_object (out);
}

static void
put_parameter (json_writer_t *out, const char *in, const schema_member_t *member)
{
    json_open_object (out);
    json_key (out, "name");
    json_put_text_n (out, member->name.text, member->name.size);
    json_member_text (out, "in", in);
    json_member_bool (out, "required", !member->optional);
    json_key (out, "schema");
    schema_write_type (out, member->type);
    json_close_object (out);
}

static void
put_parameters (json_writer_t *out, const operation_t *operation)
{
    const char *path = strstr (operation->path, "{id}") ? "id:text" : "";
    const char *query = operation->query;
    schema_member_t member;

    json_key (out, "parameters");
    json_open_array (out);
    while (schema_next_member (&path, &member)) {
        put_parameter (out, "path", &member);
    }
    while (schema_next_member (&query, &member)) {
        put_parameter (out, isupper ((unsigned char) *member.name.text) ? "header" : "query",
                       &member);
    }
    json_close_array (out);
}

static void
put_content (json_writer_t *out, const char *type, const char *schema)
{
    json_key (out, "content");
    json_open_object (out);
    json_key (out, type);
    json_open_object (out);
    if (schema) {
        put_ref (out, "schema", "", schema, ".json");
    } else {
        json_key (out, "schema");
        schema_write_type (out, (schema_piece_t){"text", 4});
    }
    json_close_object (out);
    json_close_object (out);
}

static const char LOCATION [] = "{\"Location\":{\"description\":\"where it is\","
                                "\"schema\":{\"type\":\"string\"}}}";
static const char RETRY_AFTER [] =
    "{\"Retry-After\":{\"description\":\"seconds, where it is known\","
    "\"schema\":{\"type\":\"integer\"}}}";

//  headers is an object's text, or null.
static void
put_response (json_writer_t *out, const char *status, const char *description, const char *type,
              const char *schema, const char *headers)
{
    json_key (out, status);
    json_open_object (out);
    json_member_text (out, "description", description);
    if (headers) {
        json_member_raw (out, "headers", headers, strlen (headers));
    }
    if (strcmp (status, "204") != 0) {
        put_content (out, type, schema);
    }
    json_close_object (out);
}

//  Whoever asks this has to be somebody, where one has to log in.
static bool
is_for_somebody (const operation_t *operation)
{
    return strncmp (operation->path, "/api/", 5) == 0 &&
           (strcmp (operation->path, "/api/session") != 0 ||
            strcmp (operation->method, "post") != 0);
}

static const char *
headers_of_problem (const char *status)
{
    return strcmp (status, "429") == 0 || strcmp (status, "503") == 0 ? RETRY_AFTER : NULL;
}

static bool
names_status (const char *statuses, const char *status)
{
    return strstr (statuses, status) != NULL;  //  of three digits, apart by blanks
}

static void
put_responses (json_writer_t *out, const operation_t *operation)
{
    static const struct {
        const char *status, *meaning;
    } LOGIN [] = {{"401", "Nobody, or with a credential that is not right; log in"},
                  {"403", "Somebody who may not do this"},
                  {"429", "More than requests_per_second of one client"},
                  {"503", "Nobody can be known at the moment; try again"}};
    const char *problems = operation->problems, *successes = operation->status;
    bool is_made = strstr (operation->query, KEY) != NULL;
    schema_member_t answer;
    char status [8];

    json_key (out, "responses");
    json_open_object (out);
    while (schema_next_member (&successes, &answer)) {
        snprintf (status, sizeof status, "%.*s", (int) answer.name.size, answer.name.text);
        put_response (out, status, operation->summary,
                      operation->content ? operation->content : "application/json",
                      operation->schema, is_made ? LOCATION : NULL);
    }
    if (strcmp (operation->path, "/readyz") == 0) {
        put_response (out, "503", "Not ready, and why", "application/json", operation->schema,
                      NULL);
    }
    while (schema_next_member (&problems, &answer)) {
        snprintf (status, sizeof status, "%.*s", (int) answer.name.size, answer.name.text);
        put_response (out, status, "What is wrong, and what would be right",
                      "application/problem+json", "rest.problem", headers_of_problem (status));
    }
    for (size_t i = 0; is_for_somebody (operation) && i < sizeof LOGIN / sizeof *LOGIN; i++) {
        if (!names_status (operation->problems, LOGIN [i].status)) {
            put_response (out, LOGIN [i].status, LOGIN [i].meaning, "application/problem+json",
                          "rest.problem", headers_of_problem (LOGIN [i].status));
        }
    }
    json_close_object (out);
}

//  How one says who one is; none of it where nobody has to log in.
static void
put_security (json_writer_t *out)
{
    json_key (out, "components");
    json_open_object (out);
    json_key (out, "securitySchemes");
    json_open_object (out);
    json_key (out, "bearer");
    json_open_object (out);
    json_member_text (out, "type", "http");
    json_member_text (out, "scheme", "bearer");
    json_close_object (out);
    json_key (out, "session");
    json_open_object (out);
    json_member_text (out, "type", "apiKey");
    json_member_text (out, "in", "cookie");
    json_member_text (out, "name", "cmlwatch_session");
    json_close_object (out);
    json_close_object (out);
    json_close_object (out);
}

static bool
has_required (const char *line)
{
    schema_member_t member;
    bool any = false;

    while (schema_next_member (&line, &member)) {
        any |= !member.optional;
    }
    return any;
}

static void
put_body (json_writer_t *out, const char *line)
{
    schema_member_t member;

    json_key (out, "requestBody");
    json_open_object (out);
    json_member_bool (out, "required", has_required (line));
    json_key (out, "content");
    json_open_object (out);
    json_key (out, "application/json");
    json_open_object (out);
    json_key (out, "schema");
    json_open_object (out);
    json_member_text (out, "type", "object");
    json_key (out, "required");
    json_open_array (out);
    for (const char *at = line; schema_next_member (&at, &member);) {
        if (!member.optional) {
            json_put_text_n (out, member.name.text, member.name.size);
        }
    }
    json_close_array (out);
    json_key (out, "properties");
    json_open_object (out);
    while (schema_next_member (&line, &member)) {
        char name [40];
        snprintf (name, sizeof name, "%.*s", (int) member.name.size, member.name.text);
        json_key (out, name);
        schema_write_type (out, member.type);
    }
    json_close_object (out);
    json_close_object (out);
    json_close_object (out);
    json_close_object (out);
    json_close_object (out);
}

static void
write_openapi (json_writer_t *out)
{
    json_open_object (out);
    json_member_text (out, "openapi", "3.1.0");
    put_info (out, "cmlwatch", "What a fleet of CML workers on EC2 is doing, from one gateway");
    json_key (out, "paths");
    json_open_object (out);
    for (size_t i = 0; i < OPERATIONS_COUNT; i++) {
        const operation_t *operation = &OPERATIONS [i];
        bool begins = i == 0 || strcmp (OPERATIONS [i - 1].path, operation->path) != 0;
        bool ends =
            i + 1 == OPERATIONS_COUNT || strcmp (OPERATIONS [i + 1].path, operation->path) != 0;
        if (begins) {
            json_key (out, operation->path);
            json_open_object (out);
        }
        json_key (out, operation->method);
        json_open_object (out);
        json_member_text (out, "operationId", operation->id);
        json_member_text (out, "summary", operation->summary);
        put_parameters (out, operation);
        if (operation->body) {
            put_body (out, operation->body);
        }
        put_responses (out, operation);
        json_close_object (out);
        if (ends) {
            json_close_object (out);
        }
    }
    json_close_object (out);
    put_security (out);
    json_close_object (out);
}

static bool
is_ingest (int type)
{
    return event_type_place ((event_type_t) type) == EVENT_PLACE_INGEST;
}

static void
put_channel_messages (json_writer_t *out, bool ingest)
{
    json_key (out, "messages");
    json_open_object (out);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        if (is_ingest (type) == ingest) {
            const char *name = event_type_document ((event_type_t) type);
            put_ref (out, name, "#/components/messages/", name, "");
        }
    }
    json_close_object (out);
}

static void
put_monitor_messages (json_writer_t *out)
{
    json_key (out, "messages");
    json_open_object (out);
    for (const schema_row_t *row = SCHEMA_MONITOR; row->name; row++) {
        put_ref (out, row->name, "#/components/messages/", row->name, "");
    }
    json_close_object (out);
}

static const char TOPIC_PARAMETERS [] =
    "{\"type\":{\"description\":\"the CloudEvents type\"},"
    "\"region\":{\"description\":\"before the slash of the subject\"},"
    "\"key\":{\"description\":\"behind it: the EC2 instance id\"}}";

static void
put_channels (json_writer_t *out)
{
    json_key (out, "channels");
    json_open_object (out);
    json_key (out, "stream");
    json_open_object (out);
    json_member_text (out, "address", "/api/events/stream");
    json_member_text (out, "description",
                      "Server-Sent Events: `event` is the type, `data` the message, `id` "
                      "<epoch>-<seq>, with which a client resumes (Last-Event-ID)");
    put_channel_messages (out, false);
    json_close_object (out);
    json_key (out, "ingest");
    json_open_object (out);
    json_member_text (out, "address", "{type}|{region}|{key}");
    json_member_text (out, "description",
                      "ZeroMQ PUB to the aggregator, two frames: this topic, and one CloudEvents "
                      "1.0 object in structured mode");
    json_member_raw (out, "parameters", TOPIC_PARAMETERS, sizeof TOPIC_PARAMETERS - 1);
    put_channel_messages (out, true);
    json_close_object (out);
    json_key (out, "monitor");
    json_open_object (out);
    json_member_text (out, "address", "/api/monitor");
    json_member_text (
        out, "description",
        "WebSocket, one JSON object a text message, for clients of the older hub; the "
        "stream's events in flat form come beside these (gateway/README.md)");
    put_monitor_messages (out);
    json_close_object (out);
    json_close_object (out);
}

static void
put_operation (json_writer_t *out, const char *id, const char *action, const char *channel,
               const char *summary)
{
    json_key (out, id);
    json_open_object (out);
    json_member_text (out, "action", action);
    json_member_text (out, "summary", summary);
    put_ref (out, "channel", "#/channels/", channel, "");
    json_close_object (out);
}

static void
put_message (json_writer_t *out, const char *document, const char *name)
{
    json_key (out, document);
    json_open_object (out);
    json_member_text (out, "name", name);
    json_member_text (out, "contentType", "application/json");
    json_key (out, "payload");
    json_open_object (out);
    json_member_text (out, "schemaFormat", "application/schema+json;version=draft-2020-12");
    put_ref (out, "schema", "", document, ".json");
    json_close_object (out);
    json_close_object (out);
}

static void
write_asyncapi (json_writer_t *out)
{
    json_open_object (out);
    json_member_text (out, "asyncapi", "3.0.0");
    put_info (out, "cmlwatch",
              "Observations that collectors publish, and events that clients are sent");
    put_channels (out);
    json_key (out, "operations");
    json_open_object (out);
    put_operation (out, "sendEvents", "send", "stream", "A gateway sends events to its clients");
    put_operation (out, "receiveObservations", "receive", "ingest",
                   "The aggregator takes what collectors observe");
    put_operation (out, "answerMonitors", "send", "monitor",
                   "A gateway answers a monitor, and sends it what it subscribed to");
    json_close_object (out);
    json_key (out, "components");
    json_open_object (out);
    json_key (out, "messages");
    json_open_object (out);
    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        put_message (out, event_type_document ((event_type_t) type),
                     event_type_name ((event_type_t) type));
    }
    for (const schema_row_t *row = SCHEMA_MONITOR; row->name; row++) {
        put_message (out, row->name, row->name);
    }
    json_close_object (out);
    json_close_object (out);
    json_close_object (out);
}

static const struct {
    const char *name;
    void (*write) (json_writer_t *out);
} DOCUMENTS [CONTRACT_COUNT] = {{"openapi", write_openapi}, {"asyncapi", write_asyncapi}};

const char *
contract_name (size_t index)
{
    assert (index < CONTRACT_COUNT);
    return DOCUMENTS [index].name;
}

void
contract_write (json_writer_t *out, size_t index)
{
    assert (index < CONTRACT_COUNT);
    DOCUMENTS [index].write (out);
}
