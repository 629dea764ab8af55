// SPDX-License-Identifier: MIT

#include "cml_round.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../common/url.h"
#include "cml_publish.h"
#include "cml_worker.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_MAGIC 0xc31120d0u
#define ASKED_MAGIC 0xc311a5ceu
#define KIB         ((size_t) 1024)
#define MIB         (1024 * KIB)
#define PATH_SIZE   128

typedef enum phase {
    PHASE_INFORMATION,
    PHASE_SYSTEM,
    PHASE_LABS,
    PHASE_ACTIVITY,
    PHASE_COUNT
} phase_t;

typedef struct asked asked_t;
typedef void take_fn (asked_t *asked, struct json_object *json);

typedef struct step {
    phase_t phase;
    bool optional;  //  older versions lack it, or our account may not read it
    bool pushed;    //  not asked of a server that pushes: it says so by itself
    cml_ask_t ask;
    take_fn *take;
    size_t kept;  //  of take_found: the offset of the member of cml_found_t
} step_t;

struct asked {  //  one request under way; the argument of its answer
    unsigned magic;
    cml_round_t *round;
    const step_t *step;
    char lab_id [CML_LAB_ID_SIZE];  //  of a lab's step
};

// clang-format off
static take_fn take_found, take_labs, take_lab, take_nodes, take_account;
#define KEPT(name) take_found, offsetof (cml_found_t, name)

static const step_t STEPS [] = {
    {PHASE_INFORMATION, false, false, {"system_information", "/system_information", 64 * KIB,  json_type_object, true},  KEPT (information)},
    {PHASE_SYSTEM,      false, true,  {"system_stats",       "/system_stats",       MIB,       json_type_object, false}, KEPT (stats)},
    {PHASE_SYSTEM,      true,  false, {"system_health",      "/system_health",      MIB,       json_type_object, false}, KEPT (health)},
    {PHASE_SYSTEM,      true,  false, {"licensing",          "/licensing",          MIB,       json_type_object, false}, KEPT (licensing)},
    {PHASE_LABS,        false, false, {"labs",               "/labs?show_all=true", MIB,       json_type_array,  false}, take_labs, 0},
    {PHASE_ACTIVITY,    true,  false, {"telemetry",          "/telemetry/events",   16 * MIB,  json_type_array,  false}, KEPT (events)},
};

//  Asked by another step, with a path of their own.
static const step_t LAB =
    {PHASE_LABS,        false, false, {"lab",                NULL,                  256 * KIB, json_type_object, false}, take_lab, 0};
static const step_t NODES =
    {PHASE_LABS,        true,  true,  {"lab_element_state",  NULL,                  MIB,       json_type_object, false}, take_nodes, 0};
static const step_t ACCOUNT =
    {PHASE_ACTIVITY,    true,  false, {"account",            NULL,                  4 * KIB,   json_type_string, false}, take_account, 0};
// clang-format on

#define STEP_COUNT (sizeof STEPS / sizeof *STEPS)

struct cml_round {
    unsigned magic;
    const cml_settings_t *settings;
    collector_t *core;
    collector_round_t *round;
    cml_worker_t *worker;
    cml_server_t server;
    bool pushed;     //  the load and the nodes come by themselves
    bool asked_for;  //  everything is asked, also what is pushed or not due
    phase_t phase;
    size_t waiting;  //  answers of this phase that are still to come
    cml_found_t found;
    cml_fault_t fault;  //  the round's first
    reason_t why;
    asked_t steps [STEP_COUNT];
    asked_t account;
    asked_t *labs;   //  one for each lab that is read in this round
    asked_t *nodes;  //  of each of these, by the same index
};

static void one_answer_less (cml_round_t *self);

//  --- asking

static void
on_reply (void *argument, const cml_reply_t *reply)
{
    asked_t *asked = argument;
    assert (asked->magic == ASKED_MAGIC && asked->round->magic == ROUND_MAGIC);
    cml_round_t *self = asked->round;
    bool absent = reply->fault == CML_MISSING || reply->fault == CML_DENIED;

    if (reply->fault == CML_OK) {
        asked->step->take (asked, reply->json);
    } else if (asked->step == &LAB && reply->fault == CML_MISSING) {
        cml_labs_drop (self->worker->labs, asked->lab_id);
    } else if (!(asked->step->optional && absent)) {
        cml_found_note (&self->found, reply->fault, reply->message);
    }
    one_answer_less (self);
}

static void
ask (cml_round_t *self, asked_t *asked, const step_t *step, const char *path)
{
    cml_ask_t question = step->ask;

    asked->magic = ASKED_MAGIC;
    asked->round = self;
    asked->step = step;
    question.path = path;
    self->waiting++;
    if (cml_session_ask (self->worker->session, &question, on_reply, asked) < 0) {
        self->waiting--;
        cml_found_note (&self->found, CML_HTTP, "out of memory");
    }
}

//  --- what the steps do with their answers

//  What is only kept, for the end of the phase.
static void
take_found (asked_t *asked, struct json_object *json)
{
    struct json_object **place =
        (struct json_object **) (void *) ((char *) &asked->round->found + asked->step->kept);

    json_destroy (place);
    *place = json_object_get (json);
}

static void
take_account (asked_t *asked, struct json_object *json)
{
    cml_session_set_account (asked->round->worker->session, json_object_get_string (json));
}

//  The next of its kind comes with the next round, and so long after.
static cml_place_t
place_after (const cml_round_t *self, int64_t more_ms)
{
    return (cml_place_t){self->core, collector_round_worker (self->round)->subject,
                         self->server.endpoint,
                         collector_round_interval_seconds (self->round) + more_ms / 1000};
}

static cml_place_t
place_of (const cml_round_t *self)
{
    return place_after (self, 0);
}

static bool
comes_by_itself (const cml_round_t *self)
{
    return self->pushed && !self->asked_for;
}

//  Of a lab that runs or has just ceased to: the nodes of the others rest.
static void
ask_nodes (cml_round_t *self, const asked_t *lab)
{
    asked_t *nodes = &self->nodes [lab - self->labs];
    char path [PATH_SIZE];

    snprintf (path, sizeof path, "/labs/%s/lab_element_state", lab->lab_id);
    snprintf (nodes->lab_id, sizeof nodes->lab_id, "%s", lab->lab_id);
    ask (self, nodes, &NODES, path);
}

static void
take_lab (asked_t *asked, struct json_object *json)
{
    cml_round_t *self = asked->round;
    cml_labs_t *labs = self->worker->labs;
    cml_place_t place = place_of (self);
    const char *told = cml_labs_state (labs, asked->lab_id);
    _cleanup_ (string_destroy) char *before = told ? strdup (told) : NULL;

    if (cml_labs_take (labs, asked->lab_id, json) < 0) {
        cml_found_note (&self->found, CML_JSON, "out of memory");
        return;
    }
    const char *state = cml_labs_state (labs, asked->lab_id);
    if (before && state && strcmp (before, state) != 0) {
        cml_publish_lab_state (&place, asked->lab_id, NULL, state);
    }
    if (self->settings->node_states && !comes_by_itself (self) &&
        (cml_labs_runs (state) || cml_labs_runs (before))) {
        ask_nodes (self, asked);
    }
}

static void
on_node (void *argument, const char *lab_id, const char *node_id, const char *state)
{
    cml_place_t place = place_of (argument);

    cml_publish_lab_state (&place, lab_id, node_id, state);
}

static void
take_nodes (asked_t *asked, struct json_object *json)
{
    cml_round_t *self = asked->round;

    if (cml_labs_take_nodes (self->worker->labs, asked->lab_id, json, on_node, self) < 0) {
        cml_found_note (&self->found, CML_JSON, "lab_element_state: no object 'nodes'");
    }
}

static void
count_deferred (cml_round_t *self, size_t deferred)
{
    if (deferred > 0) {
        metric_count (metrics_add (collector_metrics (self->core), METRIC_COUNTER,
                                   "cmlwatch_cml_labs_deferred_total",
                                   "labs left to a later round by labs_per_round"),
                      (double) deferred);
    }
}

DEFINE_CLEANUP (ids_free, const char **, free)

static void
ask_labs (cml_round_t *self)
{
    size_t most = (size_t) self->settings->labs_per_round, deferred = 0;
    _cleanup_ (ids_free) const char **ids = calloc (most, sizeof *ids);

    self->labs = calloc (most, sizeof *self->labs);
    self->nodes = calloc (most, sizeof *self->nodes);
    if (!ids || !self->labs || !self->nodes) {
        cml_found_note (&self->found, CML_HTTP, "out of memory");
        return;
    }
    size_t count = cml_labs_choose (self->worker->labs, ids, most, &deferred);
    count_deferred (self, deferred);
    for (size_t i = 0; i < count; i++) {
        char path [PATH_SIZE];
        snprintf (path, sizeof path, "/labs/%s", ids [i]);
        snprintf (self->labs [i].lab_id, sizeof self->labs [i].lab_id, "%s", ids [i]);
        ask (self, &self->labs [i], &LAB, path);
    }
}

static void
take_labs (asked_t *asked, struct json_object *json)
{
    cml_round_t *self = asked->round;
    reason_t why = {0}, full = {0};

    if (cml_labs_list (self->worker->labs, json, &why) < 0) {
        reason_set (&full, CML_REASON, "%s/api/v0/labs: %.200s", self->server.endpoint, why.text);
        cml_found_note (&self->found, CML_JSON, full.text);
        return;
    }
    ask_labs (self);
}

//  --- the way through the phases

static bool
begin_activity (cml_round_t *self)
{
    cml_worker_t *worker = self->worker;
    time_us_t now = collector_now (self->core).steady;

    if (worker->activity_was_read && now < worker->activity_due && !self->asked_for) {
        return false;
    }
    worker->activity_was_read = true;
    worker->activity_due = now + self->settings->activity_interval_ms * MS_US;
    if (!*cml_session_account (worker->session)) {
        _cleanup_ (buffer_clear) buffer_t path = {0};
        buffer_text (&path, "/users/");
        url_encode (&path, self->server.account->username);
        buffer_text (&path, "/id");
        if (!buffer_failed (&path)) {
            ask (self, &self->account, &ACCOUNT, path.data);
        }
    }
    return true;
}

static void
publish_system (cml_round_t *self)
{
    cml_place_t place = place_of (self);
    cml_publish_system (&place, &self->found, &self->worker->health, &self->worker->licensing);
}

//  True when the phase that has ended is the last that makes sense.
static bool
end_information (cml_round_t *self)
{
    bool is_last = self->found.fault != CML_OK || self->found.is_starting;

    if (is_last) {
        publish_system (self);
    }
    return is_last;
}

static bool
end_system (cml_round_t *self)
{
    publish_system (self);
    return self->found.is_starting;
}

static bool
end_labs (cml_round_t *self)
{
    cml_place_t place = place_of (self);
    cml_publish_labs (&place, &self->found, self->worker->labs);
    return false;
}

static bool
end_activity (cml_round_t *self)
{
    int64_t more_ms = self->settings->activity_interval_ms;
    cml_place_t place =
        place_after (self, more_ms + (self->pushed ? self->settings->push_poll_ms : 0));
    cml_publish_activity (&place, &self->found, cml_session_account (self->worker->session));
    return true;
}

static const struct {
    bool (*begin) (cml_round_t *self);  //  false: it and what follows is left out this time
    bool (*end) (cml_round_t *self);
} PHASES [PHASE_COUNT] = {
    [PHASE_INFORMATION] = {NULL, end_information},
    [PHASE_SYSTEM] = {NULL, end_system},
    [PHASE_LABS] = {NULL, end_labs},
    [PHASE_ACTIVITY] = {begin_activity, end_activity},
};

void
cml_round_destroy (cml_round_t **self_p)
{
    cml_round_t *self = take_ptr (*self_p);

    if (self) {
        cml_found_clear (&self->found);
        free (self->labs);
        free (self->nodes);
        free (self);
    }
}

//  Says when a worker's reading has begun or ceased to fail, not each time it does.
static void
log_change (cml_round_t *self)
{
    const collector_worker_t *worker = collector_round_worker (self->round);

    if (self->fault == self->worker->fault) {
        return;
    }
    self->worker->fault = self->fault;
    if (self->fault == CML_OK) {
        log_info ("CML is read wholly again", LOG_TEXT ("worker", worker->subject),
                  LOG_TEXT ("name", worker->name));
    } else {
        log_warn ("CML is not read, or not wholly", LOG_TEXT ("worker", worker->subject),
                  LOG_TEXT ("name", worker->name), LOG_TEXT ("code", cml_fault_code (self->fault)),
                  LOG_TEXT ("reason", self->why.text));
    }
}

//  The core's round last: it may be the end of the worker's memory too.
static void
end_round (cml_round_t *self)
{
    collector_round_t *round = self->round;
    bool ok = self->fault == CML_OK;

    cml_place_t place = place_of (self);

    log_change (self);
    if (!cml_fault_ends_round (self->fault) && !self->found.is_starting) {
        cml_worker_attend (self->worker, &place);
    }
    if (!ok) {
        collector_round_explain (round, cml_fault_code (self->fault), self->why.text);
    }
    self->worker->round = NULL;
    cml_round_destroy (&self);
    collector_round_end (&round, ok);
}

//  waiting counts ourselves too, so that no answer ends the phase before all is asked.
static void
begin_phase (cml_round_t *self)
{
    self->found.fault = CML_OK;
    self->waiting = 1;
    if (PHASES [self->phase].begin && !PHASES [self->phase].begin (self)) {
        end_round (self);
        return;
    }
    for (size_t i = 0; i < STEP_COUNT; i++) {
        if (STEPS [i].phase == self->phase && !(STEPS [i].pushed && comes_by_itself (self))) {
            ask (self, &self->steps [i], &STEPS [i], STEPS [i].ask.path);
        }
    }
    one_answer_less (self);
}

static void
one_answer_less (cml_round_t *self)
{
    if (--self->waiting > 0) {
        return;
    }
    cml_found_excuse (&self->found);
    bool is_last = PHASES [self->phase].end (self);
    if (self->fault == CML_OK && self->found.fault != CML_OK) {
        self->fault = self->found.fault;
        self->why = self->found.why;
    }
    if (is_last || cml_fault_ends_round (self->found.fault)) {
        end_round (self);
        return;
    }
    self->phase++;
    begin_phase (self);
}

//  --- the beginning and the end

static cml_round_t *
round_new (const cml_tools_t *tools, collector_round_t *round)
{
    cml_worker_t *worker = collector_round_unit (round);
    _cleanup_ (cml_round_destroy) cml_round_t *self = calloc (1, sizeof *self);

    if (!self || cml_worker_set_up (worker, tools, round) < 0) {
        return NULL;
    }
    self->magic = ROUND_MAGIC;
    self->settings = tools->settings;
    self->core = collector_round_core (round);
    self->round = round;
    self->worker = worker;
    self->pushed = worker->push && cml_push_speaks (worker->push);
    self->asked_for = collector_round_is_asked_for (round);
    worker->was_polled = true;
    worker->poll_due = collector_now (self->core).steady + tools->settings->push_poll_ms * MS_US;
    return take_ptr (self);
}

void
cml_round_start (const cml_tools_t *tools, collector_round_t *round)
{
    const collector_worker_t *worker = collector_round_worker (round);
    reason_t why = {0};

    bool is_due = cml_worker_is_due (collector_round_unit (round), round);
    if (!is_due && !collector_round_is_asked_for (round)) {
        collector_round_end (&round, true);
        return;
    }
    cml_round_t *self = round_new (tools, round);
    if (!self) {
        log_error ("round not started: out of memory", LOG_TEXT ("worker", worker->subject));
        collector_round_end (&round, false);
        return;
    }
    self->worker->round = self;
    cml_fault_t fault = cml_server_of (&self->server, tools, worker, &why);
    if (fault == CML_OK) {
        cml_session_begin (self->worker->session, &self->server, worker->region, worker->subject);
        begin_phase (self);
        return;
    }
    cml_found_note (&self->found, fault, why.text);
    self->waiting = 1;
    one_answer_less (self);
}
