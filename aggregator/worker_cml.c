// worker_cml.c - what a worker's CML says of itself, its labs, and whether it answers.
//
// service_status follows readiness and reachability. One read that fails may be a hiccup; the
// second in a row makes the service unavailable and the CML disconnected:
//
//     unavailable ◄─ not running, or CML_FAILURES failures ── starting, available
//     starting    ◄─ the worker begins to run; or it answers and is not ready
//     available   ◄─ it answers and is ready
//
// SPDX-License-Identifier: MIT

#include "license.h"
#include "worker_state.h"

#include <stdlib.h>
#include <string.h>

#define CML_FAILURES 2

void
service_set (worker_t *self, worker_change_t *change, worker_service_t service)
{
    if (self->service != service) {
        self->service = service;
        field_set_add (&change->fields, SNAPSHOT_service_status);
    }
}

void
service_follow_status (worker_t *self, worker_change_t *change)
{
    self->cml_failures = 0;
    if (self->status == WORKER_RUNNING) {
        service_set (self, change, SERVICE_STARTING);
    } else if (self->status != WORKER_UNKNOWN) {
        service_set (self, change, SERVICE_UNAVAILABLE);
        self->connected = false;
    }
}

//  What the values say where the collector did not: something of it was read.
static flag_t
reached (const system_observed_t *seen)
{
    if (seen->reachable != FLAG_UNKNOWN) {
        return seen->reachable;
    }
    return seen->version || seen->system_stats || seen->system_health || !seen->error_code
               ? FLAG_YES
               : FLAG_NO;
}

static void
follow_answer (worker_t *self, worker_change_t *change, const system_observed_t *seen)
{
    if (reached (seen) == FLAG_YES) {
        self->cml_failures = 0;
        self->connected = true;
        service_set (self, change, seen->ready == FLAG_NO ? SERVICE_STARTING : SERVICE_AVAILABLE);
    } else if (++self->cml_failures >= CML_FAILURES) {
        self->connected = false;
        service_set (self, change, SERVICE_UNAVAILABLE);
    }
}

static void
take_values (worker_t *self, worker_change_t *change, const system_observed_t *seen)
{
    SET_SAID_TEXT (https_endpoint, seen->endpoint);
    SET_SAID_TEXT (cml_version, seen->version);
    SET_SAID_FLAG (cml_ready, seen->ready);
    SET_SAID_INTEGER (cml_uptime_seconds, seen->uptime_seconds);
    SET_SAID_JSON (cml_system_health, seen->system_health);
    if (seen->system_stats) {
        SET_JSON (cml_system_info, seen->system_stats);
        self->cml_load = utilization_of_stats (seen->system_stats);
    }
    if (seen->licensing) {
        SET_TEXT (license_status, license_status (seen->licensing));
        SET_JSON (cml_license_info, seen->licensing);
    }
}

worker_change_t
worker_update_cml (worker_t *self, const system_observed_t *seen, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_CML), *change = &begun;

    if (!worker_may_run (self)) {
        begun.verdict = WORKER_NOT_RUNNING;
        return begun;
    }
    bool was_absent = self->sources [SOURCE_CML].freshness == FRESH_ABSENT;
    if (!freshness_take_turn (self, change, SOURCE_CML, at, seen->error_code,
                              seen->error_message)) {
        return begun;
    }
    if (was_absent) {  //  what it said before the worker was stopped
        self->cml_load = (utilization_t){UNKNOWN, UNKNOWN, UNKNOWN};
    }
    //  What was reached tells what it could, also when another of its answers failed.
    take_values (self, change, seen);
    follow_answer (self, change, seen);
    load_calculate (self, change);
    return change_end (self, change, at);
}

//  A lab that runs or is about to.
static bool
is_running (struct json_object *lab)
{
    static const char *const STATES [] = {"STARTED", "BOOTED", "QUEUED"};
    const char *state = json_get_text (lab, "state");

    for (size_t i = 0; state && i < sizeof STATES / sizeof *STATES; i++) {
        if (strcmp (state, STATES [i]) == 0) {
            return true;
        }
    }
    return false;
}

static int64_t
count_running (struct json_object *labs)
{
    int64_t running = 0;

    for (size_t i = 0; i < json_object_array_length (labs); i++) {
        running += is_running (json_object_array_get_idx (labs, i));
    }
    return running;
}

static void
take_labs (worker_t *self, worker_change_t *change, struct json_object *labs)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_put_tree (&json, labs);
    if (buffer_failed (&text) || (self->labs && strcmp (self->labs, text.data) == 0)) {
        buffer_clear (&text);
        return;
    }
    free (self->labs);
    self->labs = text.data;
    change->labs = true;
    SET_INTEGER (cml_labs_count, count_running (labs));
    if (field_set_has (&change->fields, SNAPSHOT_cml_labs_count)) {
        field_set_add (&change->fields, SNAPSHOT_active_labs_count);
    }
}

worker_change_t
worker_update_labs (worker_t *self, const labs_observed_t *seen, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_CML), *change = &begun;

    if (!worker_may_run (self)) {
        begun.verdict = WORKER_NOT_RUNNING;
        return begun;
    }
    if (at <= self->labs_at || !seen->labs) {
        begun.verdict = at <= self->labs_at ? WORKER_NOT_NEWER : WORKER_NOT_SAID;
        return begun;
    }
    self->labs_at = at;
    take_labs (self, change, seen->labs);
    return change_end (self, change, at);
}
