// SPDX-License-Identifier: MIT

#include "ec2_jobs.h"

#include "../../common/cleanup.h"
#include "../../common/url.h"
#include "ec2_publish.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORK_MAGIC     0xec2a0b50u
#define LOOK_GROWS_TO  5                 //  times the first wait
#define LOOK_SPREAD_MS 400               //  between the looks of two jobs, on the average
#define LOOKS_FAILED   5                 //  in a row; then it cannot be followed
#define OVERTIME_US    (10 * SECOND_US)  //  the aggregator ends a job first, unless it is away
#define ACCEPTED       25                //  percent
#define UNDER_WAY      50

typedef struct order {
    const char *action;  //  of EC2, and of IAM with "ec2:" before it
    size_t member;       //  of ec2_instance_t: where it shows
    const char *wanted;
    const char *passing;  //  on the way there; if it is left for `before` again, it has failed
    const char *before;
} order_t;

static const order_t ORDERS [EC2_TASK_COUNT] = {
    [EC2_PAUSE] = {"StopInstances", offsetof (ec2_instance_t, state), "stopped", "stopping",
                   "running"},
    [EC2_RESUME] = {"StartInstances", offsetof (ec2_instance_t, state), "running", "pending",
                    "stopped"},
    [EC2_MONITOR] = {"MonitorInstances", offsetof (ec2_instance_t, monitoring), "enabled",
                     "pending", "disabled"},
};

typedef struct work {
    unsigned magic;
    ec2_jobs_t *jobs;
    struct work *next, *previous;
    collector_job_t *job;
    const order_t *order;  //  null: a refresh
    const char *account;   //  the name of; borrowed of the accounts
    aws_call_t *call;      //  under way
    loop_timer_t *timer;
    ec2_listing_t listing;
    char was [32], seen [32];  //  before the order, and at the last look
    bool passed;               //  it was on the way
    int looks_failed;
    int64_t wait_ms;
} work_t;

struct ec2_jobs {
    collector_t *core;
    aws_api_t *api;
    int64_t interval_ms, look_ms;
    work_t *works;
    size_t count;
};

static void look (void *argument);

//  --- life

static void
work_destroy (work_t **self_p)
{
    work_t *self = take_ptr (*self_p);

    if (self) {
        //  scan-build: the first of them was taken out of the list in the turn before
        if (self->previous) {
            self->previous->next = self->next;
        } else {
            self->jobs->works = self->next;
        }
        if (self->next) {
            self->next->previous = self->previous;
        }
        self->jobs->count--;
        if (self->call) {
            aws_call_cancel (&self->call);
        }
        loop_timer_destroy (&self->timer);
        ec2_listing_clear (&self->listing);
        free (self);
    }
}

ec2_jobs_t *
ec2_jobs_new (collector_t *core, aws_api_t *api, int64_t interval_ms, int64_t look_ms)
{
    ec2_jobs_t *self = calloc (1, sizeof *self);

    if (self) {
        *self =
            (ec2_jobs_t){.core = core, .api = api, .interval_ms = interval_ms, .look_ms = look_ms};
    }
    return self;
}

void
ec2_jobs_destroy (ec2_jobs_t **self_p)
{
    ec2_jobs_t *self = take_ptr (*self_p);

    while (self && self->works) {
        work_t *work = self->works;
        work_destroy (&work);
    }
    free (self);
}

//  --- the end

static void
complete (work_t *self, struct json_object *result)
{
    collector_job_t *job = self->job;

    work_destroy (&self);
    collector_job_complete (&job, result);
}

static void
fail (work_t *self, const char *code, const char *message)
{
    collector_job_t *job = self->job;

    work_destroy (&self);
    collector_job_fail (&job, code, message);
}

//  AWS did not do it.
static void
fail_by_answer (work_t *self, const char *action, const aws_answer_t *answer)
{
    char message [512];
    const char *code = aws_fault_job_code (answer->fault, answer->code);

    if (answer->fault == AWS_DENIED) {
        snprintf (message, sizeof message, "these keys may not do ec2:%s; %s", action,
                  answer->message);
    } else {
        snprintf (message, sizeof message, "%s", answer->message);
    }
    fail (self, code, message);
}

//  --- calls

static void
ask (work_t *self, const char *action, const char *more, const xml_rule_t *rules, void *target,
     aws_answer_fn *fn)
{
    const collector_worker_t *worker = collector_job_worker (self->job);
    _cleanup_ (buffer_clear) buffer_t fields = {0};

    url_add_field (&fields, "InstanceId.1", worker->instance_id);
    buffer_text (&fields, more);
    aws_query_t query = {
        .service = &AWS_EC2,
        .region = worker->region,
        .account = self->account,
        .action = action,
        .fields = fields.data,
        .rules = rules,
        .target = target,
        .on_page = target == &self->listing ? ec2_listing_stamp : NULL,
    };
    self->call = buffer_failed (&fields) ? NULL : aws_api_ask (self->jobs->api, &query, fn, self);
    if (!self->call) {
        fail (self, "memory", "out of memory");
    }
}

static void
ask_instance (work_t *self, aws_answer_fn *fn)
{
    ec2_listing_clear (&self->listing);
    ask (self, "DescribeInstances", "", EC2_INSTANCES_RULES, &self->listing, fn);
}

static void
publish (work_t *self, const char *code, const char *message)
{
    for (size_t i = 0; i < self->listing.count; i++) {
        ec2_publish_instance (self->jobs->core, &self->listing.rows [i],
                              collector_job_worker (self->job)->region,
                              (self->jobs->interval_ms + 999) / 1000, NULL, code, message);
    }
}

//  --- refresh

static void
add_text (struct json_object *to, const char *key, const char *text)
{
    json_object_object_add (to, key, text ? json_object_new_string (text) : NULL);
}

static void
on_status (void *argument, const aws_answer_t *answer)
{
    work_t *self = argument;
    assert (self->magic == WORK_MAGIC);
    const ec2_instance_t *row = self->listing.rows;

    self->call = NULL;
    publish (self, answer->fault == AWS_OK ? "" : answer->code, answer->message);
    if (answer->fault != AWS_OK) {
        fail_by_answer (self, "DescribeInstanceStatus", answer);
        return;
    }
    struct json_object *result = json_object_new_object ();
    add_text (result, "state", row->state);
    add_text (result, "system_status", row->system_status);
    complete (self, result);
}

static void
on_instance (void *argument, const aws_answer_t *answer)
{
    work_t *self = argument;
    assert (self->magic == WORK_MAGIC);

    self->call = NULL;
    if (answer->fault != AWS_OK) {
        fail_by_answer (self, "DescribeInstances", answer);
    } else if (self->listing.count == 0 || ec2_listing_index (&self->listing) < 0) {
        fail (self, "not_found", "EC2 does not list the instance");
    } else {
        collector_job_progress (self->job, UNDER_WAY, "the instance was read");
        ask (self, "DescribeInstanceStatus", "&IncludeAllInstances=true", EC2_STATUS_RULES,
             &self->listing, on_status);
    }
}

//  --- orders: followed until what they want is seen

static void
complete_order (work_t *self)
{
    struct json_object *result = json_object_new_object ();
    bool state = self->order->member == offsetof (ec2_instance_t, state);

    add_text (result, state ? "state" : "monitoring", self->order->wanted);
    json_object_object_add (result, "changed",
                            json_object_new_boolean (strcmp (self->was, self->order->wanted) != 0));
    complete (self, result);
}

static void
look_again (work_t *self)
{
    const ec2_jobs_t *jobs = self->jobs;
    time_us_t now = collector_now (jobs->core).steady, by = collector_job_ends_by (self->job);
    int64_t shared_ms = (int64_t) jobs->count * LOOK_SPREAD_MS;
    char message [160];

    if (by != INT64_MAX && now > by + OVERTIME_US) {
        snprintf (message, sizeof message, "%s was accepted, but it is still %.30s",
                  self->order->action, self->seen);
        fail (self, "timeout", message);
        return;
    }
    int64_t wait_ms = self->wait_ms > shared_ms ? self->wait_ms : shared_ms;
    loop_timer_after (self->timer, wait_ms * MS_US);
    self->wait_ms += self->wait_ms / 2;
    if (self->wait_ms > LOOK_GROWS_TO * jobs->look_ms) {
        self->wait_ms = LOOK_GROWS_TO * jobs->look_ms;
    }
}

static bool
is_over (const char *state)
{
    return strcmp (state, "terminated") == 0 || strcmp (state, "shutting-down") == 0;
}

//  The instance was seen: is it as it should be, on its way, or will it never be.
static void
judge (work_t *self, const ec2_instance_t *row)
{
    const order_t *order = self->order;
    const char *seen = *(char *const *) (const void *) ((const char *) row + order->member);
    bool is_new = seen && strcmp (self->seen, seen) != 0;
    char message [640];

    snprintf (self->seen, sizeof self->seen, "%s", seen ? seen : "unknown");
    if (strcmp (self->seen, order->wanted) == 0) {
        complete_order (self);
        return;
    }
    bool failed = self->passed && strcmp (self->seen, order->before) == 0;
    if (failed || (row->state && is_over (row->state))) {
        snprintf (message, sizeof message, "%s was accepted, but the instance is %.30s%s%.500s",
                  order->action, failed ? self->seen : row->state, row->state_reason ? ": " : "",
                  row->state_reason ? row->state_reason : "");
        fail (self, "wrong_state", message);
        return;
    }
    self->passed |= strcmp (self->seen, order->passing) == 0;
    if (is_new) {
        snprintf (message, sizeof message, "the instance is %.30s", self->seen);
        collector_job_progress (self->job, self->passed ? UNDER_WAY : ACCEPTED, message);
    }
    look_again (self);
}

static void
on_look (void *argument, const aws_answer_t *answer)
{
    work_t *self = argument;
    assert (self->magic == WORK_MAGIC);

    self->call = NULL;
    if (answer->fault == AWS_OK && self->listing.count > 0) {
        self->looks_failed = 0;
        publish (self, "", "");
        judge (self, self->listing.rows);
    } else if (++self->looks_failed < LOOKS_FAILED && answer->fault != AWS_DENIED) {
        look_again (self);  //  the order was taken; a round will see it if we do not
    } else if (answer->fault != AWS_OK) {
        fail_by_answer (self, "DescribeInstances", answer);
    } else {
        fail (self, "not_found", "EC2 does not list the instance any more");
    }
}

static void
look (void *argument)
{
    work_t *self = argument;
    assert (self->magic == WORK_MAGIC);

    ask_instance (self, on_look);
}

static int
take_before (void *argument, const xml_rule_t *rule, const char *text)
{
    work_t *self = argument;
    (void) rule;

    snprintf (self->was, sizeof self->was, "%s", text);
    return 0;
}

//  MonitorInstances does not tell what was before; that it is enabled now is as good.
static const xml_rule_t ORDER_RULES [] = {
    {.path = "instancesSet/item/previousState/name", .at_end = take_before},
    {.path = "instancesSet/item/monitoring/state", .at_end = take_before},
    {0},
};

static void
on_order (void *argument, const aws_answer_t *answer)
{
    work_t *self = argument;
    assert (self->magic == WORK_MAGIC);
    char message [80];

    self->call = NULL;
    if (answer->fault != AWS_OK) {
        fail_by_answer (self, self->order->action, answer);
        return;
    }
    snprintf (message, sizeof message, "%s was accepted", self->order->action);
    collector_job_progress (self->job, ACCEPTED, message);
    look (self);
}

//  --- the beginning

static work_t *
work_new (ec2_jobs_t *self, collector_job_t *job, ec2_task_t task, const char *account)
{
    work_t *work = calloc (1, sizeof *work);

    if (!work) {
        return NULL;
    }
    *work = (work_t){.magic = WORK_MAGIC,
                     .jobs = self,
                     .job = job,
                     .order = task == EC2_REFRESH ? NULL : &ORDERS [task],
                     .account = account,
                     .wait_ms = self->look_ms,
                     .next = self->works};
    if (work->next) {
        work->next->previous = work;
    }
    self->works = work;
    self->count++;
    work->timer = loop_timer_new (collector_loop (self->core), look, work);
    if (!work->timer) {
        work_destroy (&work);
    }
    return work;
}

void
ec2_jobs_start (ec2_jobs_t *self, collector_job_t *job, ec2_task_t task)
{
    const char *account =
        aws_accounts_of_worker (aws_api_accounts (self->api), collector_job_worker (job));

    if (!account || !collector_job_hold (job, account)) {
        collector_job_fail (&job, "not_owned", "the region is read by another collector");
        return;
    }
    work_t *work = work_new (self, job, task, account);
    if (!work) {
        collector_job_fail (&job, "memory", "out of memory");
        return;
    }
    collector_job_set_work (job, work);
    if (work->order) {
        ask (work, work->order->action, "", ORDER_RULES, work, on_order);
    } else {
        ask_instance (work, on_instance);
    }
}

void
ec2_jobs_stop (ec2_jobs_t *self, collector_job_t *job)
{
    work_t *work = collector_job_work (job);
    (void) self;

    work_destroy (&work);
}
