// worker_cml.c - what a worker's CML says of itself, its labs, and whether it answers.
//
// service_status follows readiness and reachability. What a round says is one of
//
//     available    it answers and is ready
//     starting     it answers and is not ready; also when the worker begins to run
//     error        it answers and lets us not in
//     unavailable  it does not answer; also when the worker does not run
//
// in the order from best to worst. Better is believed at once; worse only when service_failures
// rounds in a row say so, for one may be a hiccup. Whether it is connected follows likewise.
//
// SPDX-License-Identifier: MIT

#include "license.h"
#include "worker_state.h"

#include <stdlib.h>
#include <string.h>

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
    self->service_worse = 0;
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
    return seen->version || seen->system_stats.node || seen->system_health.node || !seen->error_code
               ? FLAG_YES
               : FLAG_NO;
}

static worker_service_t
service_seen (const system_observed_t *seen)
{
    if (reached (seen) != FLAG_YES) {
        return SERVICE_UNAVAILABLE;
    }
    if (seen->error_code && strcmp (seen->error_code, "login") == 0) {
        return SERVICE_ERROR;
    }
    return seen->ready == FLAG_NO ? SERVICE_STARTING : SERVICE_AVAILABLE;
}

static void
follow_answer (worker_t *self, worker_change_t *change, const system_observed_t *seen)
{
    static const int RANK [] = {[SERVICE_UNAVAILABLE] = 0,
                                [SERVICE_ERROR] = 1,
                                [SERVICE_STARTING] = 2,
                                [SERVICE_AVAILABLE] = 3};
    worker_service_t service = service_seen (seen);

    if (RANK [service] < RANK [self->service] &&
        ++self->service_worse < self->rules->service_failures) {
        return;
    }
    self->service_worse = 0;
    self->connected = service != SERVICE_UNAVAILABLE;
    service_set (self, change, service);
}

static void
take_values (worker_t *self, worker_change_t *change, const system_observed_t *seen)
{
    SET_SAID_TEXT (https_endpoint, seen->endpoint);
    SET_SAID_TEXT (cml_version, seen->version);
    SET_SAID_FLAG (cml_ready, seen->ready);
    SET_SAID_INTEGER (cml_uptime_seconds, seen->uptime_seconds);
    SET_SAID_JSON (cml_system_health, seen->system_health.node);
    if (seen->system_stats.node) {
        SET_JSON (cml_system_info, seen->system_stats.node);
        self->cml_load = utilization_of_stats (seen->system_stats.node);
    }
    if (seen->licensing.node) {
        char token [LICENSE_TOKEN_SIZE];
        SET_TEXT (license_status, license_status (seen->licensing.node));
        SET_TEXT (license_token, license_mask_token (seen->licensing.node, token));
        SET_JSON (cml_license_info, seen->licensing.node);
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
is_running (const json_node_t *lab)
{
    static const char *const STATES [] = {"STARTED", "BOOTED", "QUEUED"};
    const char *state = json_node_get_text (lab, "state");

    for (size_t i = 0; state && i < sizeof STATES / sizeof *STATES; i++) {
        if (strcmp (state, STATES [i]) == 0) {
            return true;
        }
    }
    return false;
}

static int64_t
count_running (const json_node_t *labs)
{
    int64_t running = 0;

    FOR_EACH_NODE (lab, labs)
    {
        running += is_running (lab);
    }
    return running;
}

static void
set_labs_count (worker_t *self, worker_change_t *change, int64_t count)
{
    SET_INTEGER (cml_labs_count, count);
    if (field_set_has (&change->fields, SNAPSHOT_cml_labs_count)) {
        field_set_add (&change->fields, SNAPSHOT_active_labs_count);
    }
}

static void
take_labs (worker_t *self, worker_change_t *change, const json_node_t *labs)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_put_node (&json, labs);
    if (buffer_failed (&text) || (self->labs && strcmp (self->labs, text.data) == 0)) {
        buffer_clear (&text);
        return;
    }
    free (self->labs);
    self->labs = text.data;
    self->labs_total = (int64_t) json_node_count (labs);
    change->labs = true;
    set_labs_count (self, change, count_running (labs));
}

worker_change_t
worker_update_labs (worker_t *self, const labs_observed_t *seen, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_CML), *change = &begun;

    if (!worker_may_run (self)) {
        begun.verdict = WORKER_NOT_RUNNING;
        return begun;
    }
    if (at <= self->labs_at || !seen->labs.node) {
        begun.verdict = at <= self->labs_at ? WORKER_NOT_NEWER : WORKER_NOT_SAID;
        return begun;
    }
    self->labs_at = at;
    take_labs (self, change, seen->labs.node);
    return change_end (self, change, at);
}

//  FNV-1a, over the texts with their ends.
static uint64_t
hash_texts (const char *const texts [], size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < count; i++) {
        const char *text = texts [i] ? texts [i] : "";
        do {
            hash = (hash ^ (unsigned char) *text) * 0x100000001b3u;
        } while (*text++);
    }
    return hash;
}

static element_seen_t *
place_of_element (worker_t *self, uint64_t element)
{
    if (!self->elements && !(self->elements = calloc (WORKER_ELEMENTS, sizeof *self->elements))) {
        return NULL;
    }
    for (size_t i = 0; i < WORKER_ELEMENTS; i++) {
        if (self->elements [i].element == element) {
            return &self->elements [i];
        }
    }
    element_seen_t *place = &self->elements [self->elements_next++ % WORKER_ELEMENTS];
    *place = (element_seen_t){.element = element, .at = TIME_UNKNOWN};
    return place;
}

worker_change_t
worker_update_lab_state (worker_t *self, const lab_state_changed_t *seen, time_us_t at)
{
    worker_change_t begun = change_begin (self, SOURCE_CML);

    if (!worker_may_run (self)) {
        begun.verdict = WORKER_NOT_RUNNING;
        return begun;
    }
    const char *const name [] = {seen->lab_id, seen->element_type, seen->element_id};
    element_seen_t *place = place_of_element (self, hash_texts (name, 3));
    if (place && at <= place->at) {
        begun.verdict = WORKER_NOT_NEWER;
        return begun;
    }
    if (place) {
        place->at = at;
    }
    begun.verdict = WORKER_APPLIED;
    return begun;
}

worker_change_t
worker_update_telemetry (worker_t *self, const worker_telemetry_observed_t *seen, time_us_t at)
{
    utilization_observed_t load = {.cpu_percent = seen->cpu_utilization,
                                   .memory_percent = seen->memory_utilization,
                                   .disk_percent = UNKNOWN,
                                   .interval_seconds = seen->interval_seconds,
                                   .error_code = seen->error_code,
                                   .error_message = seen->error_message};
    worker_change_t begun = worker_update_cloudwatch (self, &load, at), *change = &begun;

    if (begun.verdict == WORKER_APPLIED && self->labs_at == TIME_UNKNOWN &&
        seen->active_labs_count >= 0) {
        set_labs_count (self, change, seen->active_labs_count);
        return change_end (self, change, at);
    }
    return begun;
}
