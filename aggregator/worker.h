// worker.h - one CML worker as the sources have described it.
//
// Each update touches its own source's fields only, and only when it is newer than what that
// source said before: order is by observation, never by arrival, and a second copy changes
// nothing. A failed read (error_code) touches the source's freshness alone: the last values
// stay. Nothing here reads a clock, a socket or a file; times come in.
//
// An update returns what it did as worker_change_t: the fields that differ, and the states as
// they were before. The caller tells of that and of nothing more.
//
// W1 a source's fields change only by that source's update
// W2 an observation that is not newer than its source's last one changes nothing
// W3 what nobody has read is unknown, never 0
// W4 the snapshot depends on the state alone: same state, same bytes
// W5 calculated values come from sources that have spoken since the worker runs; none: unknown
// W6 a worker that does not run has no CML that answers and no source that is stale
// W7 every stop is told as one pause and every start after it as one resume: as ours when we
//    asked for it, else as external
//
// Where the facts come from does not always follow the groups' names: the monitoring mode stands
// among CloudWatch's fields and is told by EC2; the endpoint stands among the network's and is
// told by CML. The states status, service_status and freshness belong to no source.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_WORKER_H
#define AGGREGATOR_WORKER_H

#include "../common/observation.h"
#include "../common/snapshot.h"
#include "idle.h"
#include "load_order.h"
#include "prices.h"
#include "utilization.h"

#include <stdbool.h>

typedef struct worker worker_t;

typedef enum worker_status {
    WORKER_PENDING,
    WORKER_STARTING,
    WORKER_RUNNING,
    WORKER_STOPPING,
    WORKER_STOPPED,
    WORKER_SHUTTING_DOWN,
    WORKER_TERMINATED,
    WORKER_FAILED,
    WORKER_UNKNOWN,
    WORKER_STATUS_COUNT
} worker_status_t;

typedef enum worker_service {
    SERVICE_UNAVAILABLE,
    SERVICE_STARTING,
    SERVICE_AVAILABLE,
    SERVICE_ERROR
} worker_service_t;

typedef enum worker_source {
    SOURCE_EC2,
    SOURCE_CLOUDWATCH,
    SOURCE_CML,
    SOURCE_COUNT,
    SOURCE_OTHER = SOURCE_COUNT  //  of utilisation only: no fields of its own
} worker_source_t;

typedef enum freshness { FRESH_ABSENT, FRESH_FRESH, FRESH_STALE, FRESH_ERROR } freshness_t;

//  What became of an observation.
typedef enum worker_verdict {
    WORKER_NOT_NEWER,    //  W2
    WORKER_NOT_RUNNING,  //  a late word about a worker that has stopped since
    WORKER_NOT_SAID,     //  it says nothing that could be kept
    WORKER_APPLIED
} worker_verdict_t;

typedef struct worker_rules {
    idle_rules_t idle;
    load_order_t load_order;
    int64_t service_failures;  //  rounds in a row until service_status gets worse
    const prices_t *prices;    //  borrowed; null: none
} worker_rules_t;

typedef struct worker_change {
    worker_verdict_t verdict;
    time_us_t at;  //  of the observation, when it was applied
    worker_source_t by;
    const char *by_kind;         //  of SOURCE_OTHER; borrowed
    field_set_t fields;          //  what differs, of all groups
    bool labs;                   //  the list of labs differs
    bool account;                //  so does the account: a lease tells it
    bool paused;                 //  it was paused; the snapshot says why and by whom
    const char *resumed;         //  it was resumed: `automatic`, `manual` or `external`; else null
    const char *resumed_by;      //  borrowed; null: nobody knows
    bool pause_due;              //  it is idle and is to be paused now (idle.h)
    bool old_connected;          //  the CML answered
    worker_status_t old_status;  //  as before; equal to the new one when it did not change
    worker_service_t old_service;
    freshness_t old_freshness [SOURCE_COUNT];
} worker_change_t;

const char *worker_status_name (worker_status_t status);
//  WORKER_STATUS_COUNT when no status has this name.
worker_status_t worker_status_parse (const char *name);
const char *worker_service_name (worker_service_t service);
const char *freshness_name (freshness_t freshness);
const char *worker_source_name (worker_source_t source);

//  A worker of which only the identity is known; the texts are copied. Null: out of memory.
worker_t *worker_new (const char *region, const char *instance_id, time_us_t created_at);
void worker_destroy (worker_t **self_p);

//  The rules it lives by, borrowed; until then the defaults of the design.
void worker_set_rules (worker_t *self, const worker_rules_t *rules);

const char *worker_id (const worker_t *self);
const char *worker_region (const worker_t *self);
const char *worker_instance_id (const worker_t *self);
const char *worker_account_id (const worker_t *self);  //  null: EC2 has not told it since our start
worker_status_t worker_status (const worker_t *self);
worker_service_t worker_service (const worker_t *self);
bool worker_is_connected (const worker_t *self);
//  EC2 has told an address at which its CML could answer.
bool worker_has_address (const worker_t *self);
freshness_t worker_freshness (const worker_t *self, worker_source_t source);
//  When the source last said something usable, wall; TIME_UNKNOWN: never.
time_us_t worker_last_seen (const worker_t *self, worker_source_t source);
//  The error of a source's last read, "" when it had none.
const char *worker_source_error (const worker_t *self, worker_source_t source);

//  The canonical snapshot; its texts are borrowed until the next update.
snapshot_t worker_snapshot (const worker_t *self);
//  The labs as one line of JSON, an array; "[]" when none were read. How many, whether they run
//  or not, and when they were read (TIME_UNKNOWN: never).
const char *worker_labs (const worker_t *self);
int64_t worker_labs_total (const worker_t *self);
time_us_t worker_labs_at (const worker_t *self);
//  The newest activity as one line of JSON: an array of {category, timestamp}, newest first.
const char *worker_activity_events (const worker_t *self);
//  The load this source told; SOURCE_OTHER: the calculated one, of all of them.
utilization_t worker_load (const worker_t *self, worker_source_t source);
//  USD for an hour of its type, whether it runs or not; UNKNOWN: it has no price.
double worker_price (const worker_t *self);
//  What its idleness is judged by.
idle_facts_t worker_idle_facts (const worker_t *self);
//  Utilisation as other kinds of collectors told it, an array of {kind, cpu_utilization,
//  memory_utilization, storage_utilization, observed_at, counts}.
void worker_write_others (const worker_t *self, json_writer_t *json);

//  EC2: identity, image, network, status checks, status, and the monitoring mode.
worker_change_t worker_update_ec2 (worker_t *self, const instance_observed_t *seen, time_us_t at);
//  The same of one that another source lists, as a CML that is no instance at all: EC2 stays
//  absent. Nothing when EC2 has told of it.
worker_change_t worker_update_listed (worker_t *self, const instance_observed_t *seen,
                                      time_us_t at);
//  EC2 has not told of it, and it is not over.
bool worker_is_listed (const worker_t *self);
//  The status alone, as when an action of ours was accepted before EC2 shows it.
worker_change_t worker_update_status (worker_t *self, worker_status_t status, time_us_t at);
//  The instance is no longer listed: terminated, at that time.
worker_change_t worker_terminate (worker_t *self, time_us_t at);

worker_change_t worker_update_cloudwatch (worker_t *self, const utilization_observed_t *seen,
                                          time_us_t at);
//  Utilisation of another kind of collector: kept apart, counts where CML and CloudWatch have
//  nothing. At most WORKER_KINDS_MAX kinds a worker; more are WORKER_NOT_SAID.
#define WORKER_KINDS_MAX 4
worker_change_t worker_update_other (worker_t *self, const char *kind,
                                     const utilization_observed_t *seen, time_us_t at);
worker_change_t worker_update_cml (worker_t *self, const system_observed_t *seen, time_us_t at);
worker_change_t worker_update_labs (worker_t *self, const labs_observed_t *seen, time_us_t at);
//  The deprecated worker.telemetry.observed: CPU and memory are taken as CloudWatch's, the
//  number of labs where CML itself has never told it.
worker_change_t worker_update_telemetry (worker_t *self, const worker_telemetry_observed_t *seen,
                                         time_us_t at);
//  A lab or node changed its state: told when it is newer than the last of that element. Keeps
//  nothing but the times of the last WORKER_ELEMENTS elements, so that a copy is not told twice.
#define WORKER_ELEMENTS 16
worker_change_t worker_update_lab_state (worker_t *self, const lab_state_changed_t *seen,
                                         time_us_t at);

worker_change_t worker_update_activity (worker_t *self, const activity_observed_t *seen,
                                        time_us_t at);
worker_change_t worker_set_idle_detection (worker_t *self, bool enabled, time_us_t at);
//  That it is being paused or resumed by us, or was by others (W7). reason of a pause is
//  `idle_timeout` (counts as automatic), `manual` or `external`; of a resume, a static text,
//  `automatic`, `manual` or `external`. by is a name, null: nobody knows.
worker_change_t worker_pause (worker_t *self, const char *reason, const char *by, time_us_t at);
worker_change_t worker_resume (worker_t *self, const char *reason, const char *by, time_us_t at);

//  A job that stops or starts it is under way: the stop or start that is seen next is its, with
//  this reason and by whom, and not `external`. Texts are copied; a null reason: no such job (any
//  more). It is not kept over a restart: whose job it is says so again.
typedef enum worker_order { WORKER_ORDER_PAUSE, WORKER_ORDER_RESUME } worker_order_t;
void worker_expect (worker_t *self, worker_order_t order, const char *reason, const char *by);

//  The clock was set back to now: nothing was seen after that, or W2 would turn away all that is
//  seen until the clock is there again. Tells of nothing: no field of the snapshot differs.
void worker_forget_future (worker_t *self, time_us_t now);

//  All there is to know of a worker as one line of JSON: {"format", "snapshot", "inside"}, and a
//  worker out of it, whose snapshot has the same bytes and which goes on as that one would have.
//  A source that was fresh has MISSED_ROUNDS intervals from now to speak. Null and why: not such
//  a line, or out of memory.
//  written: its snapshot's JSON without the last brace, when somebody has written it since it changed;
//  bytes null: nobody has.
typedef struct worker_text {
    const char *bytes;
    size_t size;
} worker_text_t;
void worker_save (const worker_t *self, worker_text_t written, buffer_t *out);
worker_t *worker_restore (const char *json, size_t size, time_us_t steady, reason_t *why);

//  Freshness has deadlines in steady time (observations carry wall time only). spoke is called
//  after an update was applied and gives the source MISSED_ROUNDS intervals from now; stale_at
//  is the first deadline of any source, INT64_MAX when there is none; become_stale takes the
//  first source whose deadline has passed, and is called until it has nothing more to do
//  (WORKER_NOT_SAID).
void worker_spoke (worker_t *self, const worker_change_t *change, int64_t interval_seconds,
                   time_us_t steady);
time_us_t worker_stale_at (const worker_t *self);
worker_change_t worker_become_stale (worker_t *self, moment_t now);

#endif
