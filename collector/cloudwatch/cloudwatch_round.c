// SPDX-License-Identifier: MIT

#include "cloudwatch_round.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../common/url.h"
#include "cloudwatch_batch.h"
#include "cloudwatch_region.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_MAGIC      0xc10d2071u
#define LOOK_BY_NAME_MAX 10  //  workers; for more the whole region is listed

struct cw_rounds {
    collector_t *core;
    aws_api_t *api;
    cw_budget_t *budget;
    int64_t interval_ms;  //  of the settings; 0: as CloudWatch has points
    zlistx_t *rounds;     //  under way; freed here when they cannot end
};

typedef struct cw_round {
    unsigned magic;
    cw_rounds_t *rounds;
    collector_round_t *round;  //  or, of a job, null
    collector_job_t *job;
    const char *region_name, *account;  //  borrowed, as long as it is under way
    cw_region_t *region;
    aws_call_t *call;
    cw_plan_t plan;
    size_t from, to;   //  queries of the request under way
    size_t published;  //  rows
    bool failed;
    aws_fault_t fault;                         //  the first
    char code [AWS_CODE_SIZE], message [512];  //  of it, or of the first row that has one
    cw_discovery_t discovery;
    zlistx_t *look_for;  //  cw_worker_t, borrowed
    bool whole_region;
    cw_metric_t looking_for;
} cw_round_t;

static void ask_data (cw_round_t *self);
static void look_on (cw_round_t *self);

//  --- the round's end

static void
round_destroy (cw_round_t **self_p)
{
    cw_round_t *self = take_ptr (*self_p);

    if (self) {
        if (self->call) {
            aws_call_cancel (&self->call);
        }
        if (self->job) {
            self->region->jobs--;
        }
        cw_plan_clear (&self->plan);
        zlistx_destroy (&self->look_for);
        free (self);
    }
}

static void
leave_list (cw_round_t *self)
{
    zlistx_t *rounds = self->rounds->rounds;
    zlistx_delete (rounds, zlistx_find (rounds, self));
}

static void
end_job (cw_round_t *self, bool ok)
{
    collector_job_t *job = self->job;
    char code [AWS_CODE_SIZE], message [512];

    snprintf (code, sizeof code, "%s",
              self->fault != AWS_OK ? aws_fault_job_code (self->fault, self->code)
              : *self->code         ? self->code
                                    : "failed");
    snprintf (message, sizeof message, "%s", *self->message ? self->message : "the log says why");
    round_destroy (&self);
    if (ok) {
        collector_job_complete (&job, NULL);
    } else {
        collector_job_fail (&job, code, message);
    }
}

static void
end_round (cw_round_t *self, bool ok)
{
    leave_list (self);
    if (self->job) {
        end_job (self, ok);
        return;
    }
    collector_round_end (&self->round, ok);
    round_destroy (&self);
}

static void
note_fault (cw_round_t *self, aws_fault_t fault, const char *code, const char *message)
{
    if (!*self->code) {
        self->fault = fault;
        snprintf (self->code, sizeof self->code, "%s", code);
        snprintf (self->message, sizeof self->message, "%s", message);
    }
}

//  --- publishing

static void
publish_row (cw_round_t *self, const cw_row_t *row, time_us_t received)
{
    observation_t observation;

    observation_init (&observation, EVENT_UTILIZATION_OBSERVED);
    observation.envelope.time = received;
    cw_row_observe (row, &observation.utilization_observed);
    collector_publish (self->rounds->core, &observation, row->subject);
}

//  The rows whose last question was in a request up to self->to.
static void
publish_complete_rows (cw_round_t *self, time_us_t received)
{
    for (; self->published < self->plan.rows_count; self->published++) {
        cw_row_t *row = &self->plan.rows [self->published];
        if (row->last_query >= self->to) {
            break;
        }
        publish_row (self, row, received);
        if (row->error_code [0]) {
            self->failed = true;
            note_fault (self, AWS_OK, row->error_code, row->error_message);
        }
        for (int i = 0; !row->error_code [0] && i < CW_METRIC_COUNT; i++) {
            cw_worker_note (row->worker, (cw_metric_t) i, row->points [i].at != TIME_UNKNOWN);
        }
    }
}

//  --- GetMetricData

static void
on_data (void *argument, const aws_answer_t *answer)
{
    cw_round_t *self = argument;
    assert (self->magic == ROUND_MAGIC);

    self->call = NULL;
    if (answer->fault != AWS_OK) {
        note_fault (self, answer->fault, answer->code, answer->message);
        cw_plan_fail (&self->plan, self->from, self->to, answer->code, answer->message);
    }
    publish_complete_rows (self, answer->received);
    self->from = self->to;
    ask_data (self);
}

//  The next request, or the end. A request that cannot even be made fails like any other.
static void
ask_data (cw_round_t *self)
{
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    moment_t now = collector_now (self->rounds->core);

    if (self->from == self->plan.queries_count) {
        end_round (self, !self->failed);
        return;
    }
    aws_query_t query = {
        .service = &AWS_CLOUDWATCH,
        .region = self->region_name,
        .account = self->account,
        .target = &self->plan,
    };
    if (cw_budget_cost (self->rounds->budget).api == CW_API_STATISTICS) {
        self->to = self->from + 1;
        cw_plan_write_statistics (&self->plan, self->from, now.wall, &fields);
        query.action = "GetMetricStatistics";
        query.rules = CW_STATISTICS_RULES;
    } else {
        self->to = cw_plan_request_end (&self->plan, self->from);
        cw_plan_write_request (&self->plan, self->from, self->to, now.wall, &fields);
        query.action = "GetMetricData";
        query.rules = CW_DATA_RULES;
        query.token_path = "GetMetricDataResult/NextToken";
    }
    query.fields = fields.data;
    query.bill = cw_budget_bill (self->rounds->budget);
    query.billed = (double) (self->to - self->from);
    self->call =
        buffer_failed (&fields) ? NULL : aws_api_ask (self->rounds->api, &query, on_data, self);
    if (!self->call) {
        log_error ("round given up: out of memory");
        end_round (self, false);
    }
}

static void
begin_data (cw_round_t *self)
{
    if (cw_plan_seal (&self->plan) < 0) {
        end_round (self, false);
        return;
    }
    ask_data (self);
}

//  --- ListMetrics

static void
on_metrics (void *argument, const aws_answer_t *answer)
{
    cw_round_t *self = argument;
    assert (self->magic == ROUND_MAGIC);

    self->call = NULL;
    if (answer->fault != AWS_OK) {
        begin_data (self);  //  it was reported; CPU needs no agent
        return;
    }
    if (++self->looking_for == CW_METRIC_COUNT) {
        self->looking_for = CW_MEMORY;
        if (self->whole_region) {
            zlistx_purge (self->look_for);
        } else {
            zlistx_detach (self->look_for, NULL);
        }
    }
    look_on (self);
}

static void
look_on (cw_round_t *self)
{
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    const cw_worker_t *worker = zlistx_first (self->look_for);

    if (!worker) {
        begin_data (self);
        return;
    }
    url_add_field (&fields, "Namespace", cw_metric_namespace (self->looking_for));
    url_add_field (&fields, "MetricName", cw_metric_name (self->looking_for));
    url_add_field (&fields, "RecentlyActive", "PT3H");
    url_add_field (&fields, "Dimensions.member.1.Name", "InstanceId");
    if (!self->whole_region) {
        url_add_field (&fields, "Dimensions.member.1.Value", worker->instance_id);
    }
    aws_query_t query = {
        .service = &AWS_CLOUDWATCH,
        .region = self->region_name,
        .account = self->account,
        .action = "ListMetrics",
        .fields = fields.data,
        .rules = CW_DISCOVERY_RULES,
        .target = &self->discovery,
        .token_path = "ListMetricsResult/NextToken",
    };
    self->call =
        buffer_failed (&fields) ? NULL : aws_api_ask (self->rounds->api, &query, on_metrics, self);
    if (!self->call) {
        begin_data (self);
    }
}

//  --- the round's beginning

static int64_t
wanted_interval_ms (const cw_rounds_t *self, bool detailed)
{
    int64_t own = self->interval_ms;

    return own > 0 ? own : detailed ? CW_DETAILED_MS : CW_BASIC_MS;
}

int64_t
cw_rounds_interval_ms (const cw_rounds_t *self, bool detailed)
{
    return (int64_t) ((double) wanted_interval_ms (self, detailed) *
                      cw_budget_cost (self->budget).stretch);
}

//  Due with a tenth of the interval's grace: rounds come by their own clock, and one that is
//  a moment early must not make a worker wait for another whole round.
static bool
is_due (const cw_worker_t *worker, int64_t interval_ms, time_us_t now)
{
    return worker->asked == TIME_UNKNOWN ||
           now - worker->asked >= interval_ms * MS_US - interval_ms * MS_US / 10;
}

static int
plan_worker (cw_round_t *self, const collector_worker_t *leased)
{
    bool detailed = leased->detailed_monitoring == FLAG_YES;
    int64_t interval_ms = cw_rounds_interval_ms (self->rounds, detailed);
    time_us_t now = collector_now (self->rounds->core).steady;
    cw_worker_t *worker = cw_region_worker (self->region, leased->instance_id);

    if (!worker) {
        return -ENOMEM;
    }
    if (!self->job && !is_due (worker, interval_ms, now)) {
        return 0;
    }
    worker->asked = now;
    if (cw_worker_needs_discovery (worker, now)) {
        worker->discovered = now;
        zlistx_add_end (self->look_for, worker);
    }
    return cw_plan_add (&self->plan, leased->subject, worker,
                        detailed ? CW_PERIOD_DETAILED : CW_PERIOD_BASIC,
                        (interval_ms + 999) / 1000);
}

//  What the region's workers cost, as much as is known of their metrics.
static void
reckon (cw_round_t *self, const collector_worker_t *const *leased, size_t count)
{
    cw_rounds_t *all = self->rounds;
    cw_load_t load = {0};

    for (size_t i = 0; i < count; i++) {
        const cw_worker_t *worker = cw_region_worker (self->region, leased [i]->instance_id);
        cw_load_add (&load, worker ? cw_worker_series (worker) : 0,
                     wanted_interval_ms (all, leased [i]->detailed_monitoring == FLAG_YES));
    }
    cw_budget_take (all->budget, self->region_name, self->account, &load);
}

//  Of a round of the core's, or of a job that holds the region.
static cw_round_t *
round_new (cw_rounds_t *rounds, cw_region_t *region)
{
    _cleanup_ (round_destroy) cw_round_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    self->magic = ROUND_MAGIC;
    self->rounds = rounds;
    self->region = region;
    cw_region_open (self->region);
    self->discovery.workers = self->region->workers;
    self->looking_for = CW_MEMORY;
    self->look_for = zlistx_new ();
    zlistx_add_end (rounds->rounds, self);
    return take_ptr (self);
}

//  What was planned is asked; nothing planned is nothing to do.
static void
go (cw_round_t *self, int rc)
{
    if (rc < 0 || self->plan.rows_count == 0) {
        end_round (self, rc == 0);
        return;
    }
    self->whole_region = zlistx_size (self->look_for) > LOOK_BY_NAME_MAX;
    look_on (self);
}

DEFINE_CLEANUP (workers_destroy, const collector_worker_t **, free)

void
cw_rounds_start (cw_rounds_t *rounds, collector_round_t *round)
{
    size_t count;
    _cleanup_ (workers_destroy) const collector_worker_t **leased =
        aws_accounts_workers (aws_api_accounts (rounds->api), round, &count);
    cw_round_t *self = leased ? round_new (rounds, collector_round_unit (round)) : NULL;
    if (!self) {
        log_error ("round not started: out of memory");
        collector_round_end (&round, false);
        return;
    }
    self->round = round;
    self->region_name = collector_round_region (round);
    self->account = collector_round_account (round);
    cw_region_forget_absent (self->region, leased, count);
    reckon (self, leased, count);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = plan_worker (self, leased [i]);
    }
    go (self, rc);
}

//  --- jobs

//  As leased, which says how it is monitored; as assigned, when the lease does not have it yet.
static const collector_worker_t *
as_leased (const cw_rounds_t *self, const collector_worker_t *worker)
{
    size_t count;
    const collector_worker_t *const *workers =
        collector_workers (self->core, worker->region, &count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp (workers [i]->subject, worker->subject) == 0) {
            return workers [i];
        }
    }
    return worker;
}

void
cw_rounds_start_job (cw_rounds_t *rounds, collector_job_t *job)
{
    const collector_worker_t *worker = as_leased (rounds, collector_job_worker (job));
    const char *account = aws_accounts_of_worker (aws_api_accounts (rounds->api), worker);

    if (!account || !collector_job_hold (job, account)) {
        collector_job_fail (&job, "not_owned", "the region is read by another collector");
        return;
    }
    cw_round_t *self = round_new (rounds, collector_job_unit (job));
    if (!self) {
        collector_job_fail (&job, "memory", "out of memory");
        return;
    }
    self->job = job;
    self->region->jobs++;
    self->region_name = collector_job_worker (job)->region;
    self->account = account;
    collector_job_set_work (job, self);
    go (self, plan_worker (self, worker));
}

void
cw_rounds_stop_job (cw_rounds_t *rounds, collector_job_t *job)
{
    cw_round_t *self = collector_job_work (job);
    (void) rounds;

    leave_list (self);
    round_destroy (&self);
}

//  --- life

cw_rounds_t *
cw_rounds_new (collector_t *core, aws_api_t *api, cw_budget_t *budget, int64_t interval_ms)
{
    cw_rounds_t *self = calloc (1, sizeof *self);

    if (self) {
        *self = (cw_rounds_t){core, api, budget, interval_ms, zlistx_new ()};
    }
    return self;
}

void
cw_rounds_destroy (cw_rounds_t **self_p)
{
    assert (self_p);
    cw_rounds_t *self = *self_p;

    if (self) {
        for (cw_round_t *round = zlistx_first (self->rounds); round;
             round = zlistx_next (self->rounds)) {
            round_destroy (&round);
        }
        zlistx_destroy (&self->rounds);
        free (self);
        *self_p = NULL;
    }
}
