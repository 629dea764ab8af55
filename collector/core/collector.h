// collector.h - what a source must say of itself, and what the core does for it.
//
// A collector program is core/ (and aws/) plus one folder whose file defines
// collector_source. The core owns the when and the for whom: it leases work from the
// aggregator, keeps a due time for each unit of it, starts rounds, carries what they find
// to the bus, counts, and drains. A source knows how to ask its API about one unit and
// what the answer means, and nothing of leases, sockets or the other units.
//
// A unit is what one round reads: a region (of one account, where there are several), or a
// worker; the source says which. Each unit
// has its own interval and its own phase, so rounds do not beat in unison, and a slow one
// delays nobody: at most one round of a unit is under way, at most `concurrency` of all;
// a round that falls due while the unit's last one still runs is counted
// (cmlwatch_collector_rounds_overdue_total), not piled up.
//
// Nothing a source does may block, and nothing an API answers may end the program: a
// failed read is published (an observation's error_code, or collector_report), and the
// round ends like any other.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_COLLECTOR_H
#define COLLECTOR_CORE_COLLECTOR_H

#include "../../common/bus_keys.h"
#include "../../common/http_client.h"
#include "../../common/loop.h"
#include "../../common/metrics.h"
#include "../../common/observation.h"
#include "../../common/otlp.h"
#include "../../common/program.h"
#include "../../common/reason.h"
#include "retry.h"
#include "usage.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct collector collector_t;
typedef struct collector_round collector_round_t;
typedef struct collector_job collector_job_t;

//  --- settings that every collector has

//  The first member of each source's settings is `collector_settings_t collector`; its
//  table begins with PROGRAM_KEYS (collector_settings_t), COLLECTOR_KEYS (...) and, when it
//  reads regions, COLLECTOR_REGION_KEYS.
typedef struct collector_settings {
    program_settings_t program;
    char ingest [CONFIG_TEXT_SIZE];
    char control [CONFIG_TEXT_SIZE];
    bus_keys_settings_t keys;
    char admin [CONFIG_TEXT_SIZE];
    char collector_id [CONFIG_TEXT_SIZE];  //  never empty: $COLLECTOR_ID, else the host's name
    int64_t interval_ms;
    int64_t concurrency;
    int64_t renew_ms;
    int64_t queue_max;
    int64_t jobs_concurrency;
    bool once, print, dry_run;  //  modes.h
    otlp_settings_t otlp;
    char otlp_traces_ratio [CONFIG_TEXT_SIZE];
    char regions [CONFIG_TEXT_SIZE];   //  comma list; empty where the table has no such key
    char accounts [CONFIG_TEXT_SIZE];  //  a file's path; empty where the table has no such key
    int64_t calls_per_second;          //  0 where the table has no such key
} collector_settings_t;

// clang-format off
#define COLLECTOR_KEYS(admin_default, interval_default, interval_least, concurrency_default)                                                                                               \
    {"ingest",       CONFIG_TEXT,    offsetof (collector_settings_t, ingest),       "tcp://127.0.0.1:5571", 0, 0, NULL,              "aggregator's socket for observations; a PUB connects to it"},                  \
    {"control",      CONFIG_TEXT,    offsetof (collector_settings_t, control),      "tcp://127.0.0.1:5572", 0, 0, NULL,              "aggregator's socket for questions; the lease is asked here"},                  \
    BUS_KEY (collector_settings_t, keys), \
    BUS_SERVER_KEY (collector_settings_t, keys), \
    {"admin",        CONFIG_TEXT,    offsetof (collector_settings_t, admin),        admin_default,          0, 0, NULL,              "address of /healthz, /readyz and /metrics; empty: none"},                      \
    {"collector_id", CONFIG_TEXT,    offsetof (collector_settings_t, collector_id), "",                     0, 0, NULL,              "this process among its kind; default $COLLECTOR_ID, else the host's name"},    \
    {"interval_ms",  CONFIG_INTEGER, offsetof (collector_settings_t, interval_ms),  interval_default,       interval_least, 86400000, NULL, "time from one round of a unit to its next"},                            \
    {"concurrency",  CONFIG_INTEGER, offsetof (collector_settings_t, concurrency),  concurrency_default,    1, 1024, NULL,           "rounds under way at once; what falls due beyond waits its turn"},              \
    {"renew_ms",     CONFIG_INTEGER, offsetof (collector_settings_t, renew_ms),     "2000",                 100, 60000, NULL,        "how often the lease is renewed, until the aggregator names its own time"},     \
    {"queue_max",    CONFIG_INTEGER, offsetof (collector_settings_t, queue_max),    "10000",                100, 1000000, NULL,      "messages kept for an aggregator that is away; what comes beyond is counted and dropped"}, \
    {"jobs_concurrency", CONFIG_INTEGER, offsetof (collector_settings_t, jobs_concurrency), "32",         1, 1000, NULL,           "jobs of the aggregator under way at once, beside the rounds; means nothing where there are none to do"}, \
    {"once",         CONFIG_FLAG,    offsetof (collector_settings_t, once),         "no",                   0, 0, NULL,              "one round of everything, then the end: code 0 when all went well, else 1; for cron and debugging"}, \
    {"print",        CONFIG_FLAG,    offsetof (collector_settings_t, print),        "no",                   0, 0, NULL,              "events as JSON lines on stdout instead of the bus; takes no work from other collectors, needs no aggregator"}, \
    {"dry_run",      CONFIG_FLAG,    offsetof (collector_settings_t, dry_run),      "no",                   0, 0, NULL,              "print as JSON lines what one round would call, and call nothing"}, \
    OTLP_KEYS (collector_settings_t, otlp), \
    {"otlp_traces_ratio", CONFIG_TEXT, offsetof (collector_settings_t, otlp_traces_ratio), "0", 0, 0, NULL, "rounds that become a trace, from 0 (none) to 1 (all); aggregator and gateways follow"}

#define COLLECTOR_REGION_KEYS                                                                                                                                                              \
    {"regions",      CONFIG_TEXT,    offsetof (collector_settings_t, regions),      "us-east-1",            0, 0, NULL,              "regions to read, apart by ','; default $AWS_REGION, else $AWS_DEFAULT_REGION, else the profile's"}, \
    {"accounts",     CONFIG_TEXT,    offsetof (collector_settings_t, accounts),     "",                     0, 0, NULL,              "file with a [section] for each account to read: role_arn, regions, external_id, session_name; empty: the keys' own"}, \
    {"calls_per_second", CONFIG_INTEGER, offsetof (collector_settings_t, calls_per_second), "10",       1, 1000, NULL,           "requests to one AWS service in one region; half as many after each throttling, then slowly more again"}
// clang-format on

//  --- what a source says of itself

typedef enum collector_reads { COLLECTOR_READS_REGIONS, COLLECTOR_READS_WORKERS } collector_reads_t;

typedef struct collector_worker {  //  of a lease; texts are never null, "" is unknown
    const char *worker_id;
    const char *region;
    const char *instance_id;
    const char *account_id;  //  12 digits
    const char *name;
    const char *status;
    const char *public_ip;
    const char *private_ip;
    flag_t detailed_monitoring;
    struct json_object *tags;  //  texts by key; null: none are known, or another kind than cml
    const char *subject;       //  "<region>/<instance_id>": what is published about it names it so
} collector_worker_t;

//  Something a source can be asked to do for one worker, besides its rounds. start begins it, and
//  it is ended, exactly once, with collector_job_complete or _fail, which may happen within the
//  call. stop: it is wanted no more, or another has it; what it does is given up, nothing is
//  said of it any longer, and the job is gone. It may be null when there is nothing to give up.
typedef struct collector_capability {
    const char *name;  //  "worker.pause"; of a job in steps "metrics.refresh:ec2"
    void (*start) (void *state, collector_job_t *job);
    void (*stop) (void *state, collector_job_t *job);
} collector_capability_t;

typedef struct collector_source {
    const char *kind;     //  "cml": of its events' source, of its lease
    const char *program;  //  "cmlwatch-collector-cml"
    const char *section;  //  "collector-cml"
    const char *summary;  //  one line for --help
    collector_reads_t reads;
    const config_key_t *keys;
    size_t settings_size;
    //  The region to read when neither the environment nor the settings name one: null or "" for
    //  the table's own. Its text lives for ever. Optional.
    const char *(*default_region) (void);
    //  As program_t has them; optional.
    int (*check) (const void *settings, reason_t *why);
    void (*explain) (const void *settings, FILE *out);

    //  The source's own state, which all its other functions get back. Null and why. The
    //  settings stay in place and unchanged while it lives. destroy cancels what is under way
    //  and ends no round; the units were cleared before it, and their memory is still there.
    void *(*init) (collector_t *core, const void *settings, reason_t *why);
    void (*destroy) (void *state);

    //  Starts a round; everything goes on in callbacks. Each round must be ended, exactly
    //  once, with collector_round_end, which may happen within this call.
    void (*start) (void *state, collector_round_t *round);

    //  Starts a round that asks nothing: what it would ask is told to collector_print_call. Null:
    //  this source has no dry run.
    void (*plan) (void *state, collector_round_t *round);
    //  It reads regions, but in them the leased workers only, so it needs an aggregator's list.
    bool needs_workers;

    //  Zeroed memory kept for each unit from its first lease until it has left the lease and
    //  no round of it is under way; unit_clear frees what the source hung into it. Optional.
    size_t unit_size;
    void (*unit_clear) (void *state, void *unit);

    //  The aggregator began anew and knows nothing that was told before: a source that
    //  leaves out what is "as last told" must tell it again. Called for each unit. Optional.
    void (*unit_forget) (void *state, void *unit);

    //  The leased workers are others than before (collector_workers has them). Optional.
    void (*leased) (void *state);

    //  A reader of regions may read each in several accounts: the names of those that read this
    //  one, in order; each is a unit of its own. Null or none: one, without a name. Optional.
    const char *const *(*accounts) (void *state, const char *region, size_t *count);
    //  The regions to ask for, a comma list; null: those of the settings. Optional.
    const char *(*regions) (void *state);

    //  A digest of the files that every collector of this kind is to have alike, 0 for none: the
    //  aggregator is told, and says when two have not. Optional.
    uint64_t (*lists) (void *state);

    //  How long from one round of this unit to its next; 0 or null: interval_ms.
    int64_t (*unit_interval_ms) (void *state, const char *region);

    //  What it can be asked to do; ends with {0}. Null: it takes no jobs.
    const collector_capability_t *capabilities;
} collector_source_t;

extern const collector_source_t collector_source;

//  --- the round

//  "us-east-1", or the worker's region. Texts of a round live until it is ended.
const char *collector_round_region (const collector_round_t *self);
//  The account's name; "" where there is but one. For the caller's own units alone.
const char *collector_round_account (const collector_round_t *self);
//  Null when the source reads regions. As leased when the round began.
const collector_worker_t *collector_round_worker (const collector_round_t *self);
//  The unit's memory (unit_size); null when that is 0.
void *collector_round_unit (const collector_round_t *self);
collector_t *collector_round_core (const collector_round_t *self);
//  For the member interval_seconds of what is published: the interval, rounded up.
int64_t collector_round_interval_seconds (const collector_round_t *self);
//  Ends it and nulls the caller's pointer; ok is for the metric
//  (cmlwatch_collector_rounds_total{outcome="ok"|"failed"}) and for who asked for it.
void collector_round_end (collector_round_t **self_p, bool ok);
//  A job waits for this round (collector_job_by_round): everything is to be read, also what would
//  not be due.
bool collector_round_is_asked_for (const collector_round_t *self);
//  Before the end of one that failed: why, for that job.
void collector_round_explain (collector_round_t *self, const char *code, const char *message);

//  --- the job

//  What it is about, as assigned: worker_id, region, instance_id, account_id and subject.
const collector_worker_t *collector_job_worker (const collector_job_t *self);
//  Steady; INT64_MAX: whenever.
time_us_t collector_job_ends_by (const collector_job_t *self);
//  The source's own, for its stop.
void collector_job_set_work (collector_job_t *self, void *work);
void *collector_job_work (const collector_job_t *self);
//  Keeps the unit (of this account, where regions are read) and its memory until the job has
//  ended. False: it is not in our lease; then it fails with `not_owned`. Once for a job.
bool collector_job_hold (collector_job_t *self, const char *account);
void *collector_job_unit (const collector_job_t *self);  //  of a job that holds it
//  All that a source of workers has to do when the job is to read now: the next round of its
//  worker, which is due at once, ends it.
void collector_job_by_round (collector_job_t *self);

//  percent is of this job, or of the step of it that we do. message may be null.
void collector_job_progress (collector_job_t *self, double percent, const char *message);
//  Both end it and null the caller's pointer. result is taken over; null: none. code is one word:
//  forbidden, wrong_state, throttled, unreachable, … (README.md).
void collector_job_complete (collector_job_t **self_p, struct json_object *result);
void collector_job_fail (collector_job_t **self_p, const char *code, const char *message);

//  --- what the core does for it

loop_t *collector_loop (const collector_t *self);
http_client_t *collector_http (const collector_t *self);
metrics_t *collector_metrics (const collector_t *self);
retry_t *collector_retry (collector_t *self);  //  the program's budget of retries
usage_t *collector_usage (collector_t *self);  //  where each request that has ended is counted
//  Null: nothing is traced. A round is started in its trace, and an answer read in it; a source
//  that goes on from a timer of its own steps back into the scope it was called in.
tracing_t *collector_tracing (const collector_t *self);
moment_t collector_now (const collector_t *self);
uint32_t collector_random (void *self);  //  for jitter; not for secrets. Fits retry_random_fn

//  A dry run: nothing may be asked.
bool collector_is_dry_run (const collector_t *self);
typedef struct collector_call {  //  texts may be null: not said
    const char *api, *account, *region, *url, *keys, *parameters;
} collector_call_t;
//  A line of JSON on stdout: what would be asked.
void collector_print_call (collector_t *self, const collector_call_t *call);

//  The workers of the lease, of one region (null: of all); the returned array lives until
//  the next call or the next turn of the loop. Null only when memory is out (count is 0).
const collector_worker_t *const *collector_workers (collector_t *self, const char *region,
                                                    size_t *count);

//  Makes the unit due now, as when its list of workers has grown. A subject, or a region, whose
//  units of all accounts it means.
void collector_make_due (collector_t *self, const char *unit);

//  Publishes what was observed; observation->envelope.time (when the answer came) is the
//  source's to set, TIME_UNKNOWN takes the turn's. subject: a worker's, or a region. Never
//  blocks; what the bus cannot take is counted there.
void collector_publish (collector_t *self, observation_t *observation, const char *subject);

//  A fault of an API as a whole: logged, counted
//  (cmlwatch_collector_errors_total{api,code}), and published as collector.error; log and bus at
//  a limited rate, once a minute for each (region, api, code). region may be null.
void collector_report (collector_t *self, const char *region, const char *api, const char *code,
                       const char *message);
//  The same in one of several accounts, whose name is part of what is said and of the rate.
void collector_report_account (collector_t *self, const char *account, const char *region,
                               const char *api, const char *code, const char *message);

#endif
