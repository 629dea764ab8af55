// ec2_source.c - the collector of EC2: which instances there are, and how they are.
//
// A round reads one region: DescribeInstances to its last page, then, side by side,
// DescribeInstanceStatus and the names of images not known yet, and then it publishes each
// instance. What it claims follows what it read:
//  - DescribeInstances failed or was cut: nothing is published and nobody is gone;
//  - it is complete: each instance is observed, and one that an earlier complete listing of
//    this collector had and this one has not is gone;
//  - DescribeInstanceStatus failed: instances are observed without their checks, with the
//    error beside;
//  - DescribeImages failed: they have no image name yet, and nothing else happens.
//
// What it does when asked to is ec2_jobs.c.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../common/url.h"
#include "../aws/query_api.h"
#include "ec2_jobs.h"
#include "ec2_publish.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUND_MAGIC   0xec20d001u
#define CALLS_A_ROUND 2  //  at least

typedef struct ec2_settings {
    collector_settings_t collector;
    char tag_filter [CONFIG_TEXT_SIZE];
    int64_t job_look_ms;
} ec2_settings_t;

// clang-format off
static const config_key_t KEYS [] = {
    PROGRAM_KEYS (collector_settings_t),
    COLLECTOR_KEYS ("127.0.0.1:8082", "30000", 100, "16"),
    COLLECTOR_REGION_KEYS,
    {"tag_filter", CONFIG_TEXT, offsetof (ec2_settings_t, tag_filter), "", 0, 0, NULL,
     "instances that have all these tags, as `Key=Value`, apart by ','; `Key` alone: any value; empty: every instance"},
    {"job_look_ms", CONFIG_INTEGER, offsetof (ec2_settings_t, job_look_ms), "1000", 50, 60000, NULL,
     "a job that starts or stops an instance looks how far it is so soon; in the end each five times as long"},
    {0},
};
// clang-format on

typedef struct ec2 {
    collector_t *core;
    const ec2_settings_t *settings;
    aws_api_t *api;
    ec2_jobs_t *jobs;
    buffer_t filter;   //  the form fields of tag_filter
    zlistx_t *rounds;  //  under way; freed here when they cannot end
} ec2_t;

typedef struct ec2_region {  //  a unit's memory
    ec2_images_t *images;
    zhashx_t *seen;  //  instance ids of the last complete listing
} ec2_region_t;

typedef struct ec2_round {
    unsigned magic;
    ec2_t *ec2;
    collector_round_t *round;
    ec2_region_t *region;
    ec2_listing_t listing;
    int waiting;  //  answers that are still to come
    char status_code [AWS_CODE_SIZE];
    reason_t status_why;
} ec2_round_t;

//  --- tag_filter

//  `Key=Value,Other` as filters of DescribeInstances; counts them. -EINVAL: why.
static int
write_filter (buffer_t *out, const char *tag_filter, reason_t *why)
{
    _cleanup_ (string_destroy) char *copy = strdup (tag_filter);
    char *rest = NULL;
    int count = 0;

    if (!copy) {
        return reason_set (why, -ENOMEM, "tag_filter: out of memory");
    }
    for (char *word = strtok_r (copy, ",", &rest); word; word = strtok_r (NULL, ",", &rest)) {
        word += strspn (word, " ");
        char *value = strchr (word, '=');
        char name [64], key [CONFIG_TEXT_SIZE + 8];
        if (value == word || !*word) {
            return reason_set (why, -EINVAL, "tag_filter = '%s': '%s' is not `Key=Value` or `Key`",
                               tag_filter, word);
        }
        if (value) {
            *value++ = '\0';
        }
        snprintf (key, sizeof key, value ? "tag:%s" : "tag-key%.0s", word);
        snprintf (name, sizeof name, "Filter.%d.Name", ++count);
        url_add_field (out, name, key);
        snprintf (name, sizeof name, "Filter.%d.Value.1", count);
        url_add_field (out, name, value ? value : word);
    }
    return buffer_failed (out) ? reason_set (why, -ENOMEM, "tag_filter: out of memory") : 0;
}

static int
check (const void *settings, reason_t *why)
{
    const ec2_settings_t *own = settings;
    _cleanup_ (buffer_clear) buffer_t filter = {0};

    int rc = aws_accounts_check (settings, why);
    return rc < 0 ? rc : write_filter (&filter, own->tag_filter, why);
}

static void
explain (const void *settings, FILE *out)
{
    const ec2_settings_t *own = settings;
    double rounds = 30.0 * 86400 * 1000 / (double) own->collector.interval_ms;
    aws_span_t span = aws_accounts_span_of (&own->collector);

    fprintf (
        out,
        "# API calls for each region of an account and 30 days: %.0f rounds of DescribeInstances\n"
        "# (one call for each 500 instances) and DescribeInstanceStatus (one for each 1,000).\n"
        "# Regions of %zu account%s, %zu in all: at least %.0f calls.\n"
        "# EC2's Describe calls are free of charge; their rate is limited by account.\n",
        rounds, span.accounts, span.accounts == 1 ? "" : "s", span.units,
        rounds * CALLS_A_ROUND * (double) span.units);
}

//  --- publishing

static void
publish_gone (ec2_round_t *self, const char *instance_id, time_us_t observed)
{
    observation_t observation;
    const char *region = collector_round_region (self->round);
    char subject [ENVELOPE_SUBJECT_MAX];

    observation_init (&observation, EVENT_INSTANCE_GONE);
    observation.envelope.time = observed;
    observation.instance_gone.instance_id = instance_id;
    observation.instance_gone.region = region;
    observation.instance_gone.reason = "not_listed";
    snprintf (subject, sizeof subject, "%s/%s", region, instance_id);
    collector_publish (self->ec2->core, &observation, subject);
}

//  Only after a complete listing: what the last one had and this one has not is gone.
static void
tell_gone (ec2_round_t *self)
{
    zhashx_t *now = zhashx_new ();
    time_us_t observed = collector_now (self->ec2->core).wall;

    for (size_t i = 0; i < self->listing.count; i++) {
        observed = self->listing.rows [i].observed;
        zhashx_insert (now, self->listing.rows [i].instance_id, now);
    }
    zlistx_t *before = self->region->seen ? zhashx_keys (self->region->seen) : zlistx_new ();
    for (const char *id = zlistx_first (before); id; id = zlistx_next (before)) {
        if (!zhashx_lookup (now, id)) {
            publish_gone (self, id, observed);
        }
    }
    zlistx_destroy (&before);
    zhashx_destroy (&self->region->seen);
    self->region->seen = now;
}

//  --- the round

static void
round_destroy (ec2_round_t **self_p)
{
    ec2_round_t *self = take_ptr (*self_p);

    if (self) {
        ec2_listing_clear (&self->listing);
        free (self);
    }
}

static void
end_round (ec2_round_t *self, bool ok)
{
    zlistx_t *rounds = self->ec2->rounds;

    zlistx_delete (rounds, zlistx_find (rounds, self));
    collector_round_end (&self->round, ok);
    round_destroy (&self);
}

static void
one_answer_less (ec2_round_t *self)
{
    if (--self->waiting > 0) {
        return;
    }
    for (size_t i = 0; i < self->listing.count; i++) {
        ec2_publish_instance (self->ec2->core, &self->listing.rows [i],
                              collector_round_region (self->round),
                              collector_round_interval_seconds (self->round), self->region->images,
                              self->status_code, self->status_why.text);
    }
    tell_gone (self);
    end_round (self, !self->status_code [0]);
}

static void
on_statuses (void *argument, const aws_answer_t *answer)
{
    ec2_round_t *self = argument;
    assert (self->magic == ROUND_MAGIC);

    if (answer->fault != AWS_OK) {
        snprintf (self->status_code, sizeof self->status_code, "%s", answer->code);
        snprintf (self->status_why.text, sizeof self->status_why.text, "%s", answer->message);
        //  Half of the checks would look as if the other half had none.
        for (size_t i = 0; i < self->listing.count; i++) {
            string_destroy (&self->listing.rows [i].system_status);
            string_destroy (&self->listing.rows [i].instance_status);
        }
    }
    one_answer_less (self);
}

//  The fault was reported; a name that is not known harms nobody.
static void
on_images (void *argument, const aws_answer_t *answer)
{
    ec2_round_t *self = argument;
    assert (self->magic == ROUND_MAGIC);
    (void) answer;

    one_answer_less (self);
}

static bool
ask (ec2_round_t *self, const aws_query_t *query, aws_answer_fn *fn)
{
    return aws_api_ask (self->ec2->api, query, fn, self) != NULL;
}

static bool
ask_statuses (ec2_round_t *self)
{
    aws_query_t query = {
        .service = &AWS_EC2,
        .region = collector_round_region (self->round),
        .account = collector_round_account (self->round),
        .action = "DescribeInstanceStatus",
        .fields = "IncludeAllInstances=true&MaxResults=1000",
        .rules = EC2_STATUS_RULES,
        .target = &self->listing,
        .token_path = "nextToken",
    };
    return ask (self, &query, on_statuses);
}

static bool
ask_images (ec2_round_t *self)
{
    _cleanup_ (buffer_clear) buffer_t fields = {0};
    time_us_t now = collector_now (self->ec2->core).steady;

    for (size_t i = 0; i < self->listing.count; i++) {
        ec2_images_want (self->region->images, self->listing.rows [i].image_id);
    }
    if (ec2_images_write_question (self->region->images, &fields, now) == 0 ||
        buffer_failed (&fields)) {
        return false;
    }
    aws_query_t query = {
        .service = &AWS_EC2,
        .region = collector_round_region (self->round),
        .account = collector_round_account (self->round),
        .action = "DescribeImages",
        .fields = fields.data,
        .rules = EC2_IMAGES_RULES,
        .target = self->region->images,
    };
    return ask (self, &query, on_images);
}

static void
on_instances (void *argument, const aws_answer_t *answer)
{
    ec2_round_t *self = argument;
    assert (self->magic == ROUND_MAGIC);

    if (answer->fault != AWS_OK || ec2_listing_index (&self->listing) < 0) {
        end_round (self, false);
        return;
    }
    self->waiting = 1;  //  ourselves, so that none of the two ends the round before the other
    self->waiting += ask_images (self);
    if (self->listing.count > 0 || collector_is_dry_run (self->ec2->core)) {
        bool asked = ask_statuses (self);
        self->waiting += asked;
        if (!asked) {
            snprintf (self->status_code, sizeof self->status_code, "memory");
        }
    }
    one_answer_less (self);
}

static bool
ask_instances (ec2_round_t *self)
{
    _cleanup_ (buffer_clear) buffer_t fields = {0};

    buffer_text (&fields, "MaxResults=500");
    if (self->ec2->filter.size > 0) {
        buffer_format (&fields, "&%s", self->ec2->filter.data);
    }
    if (buffer_failed (&fields)) {
        return false;
    }
    aws_query_t query = {
        .service = &AWS_EC2,
        .region = collector_round_region (self->round),
        .account = collector_round_account (self->round),
        .action = "DescribeInstances",
        .fields = fields.data,
        .rules = EC2_INSTANCES_RULES,
        .target = &self->listing,
        .token_path = "nextToken",
        .on_page = ec2_listing_stamp,
    };
    return ask (self, &query, on_instances);
}

static void
start (void *state, collector_round_t *round)
{
    ec2_t *ec2 = state;
    ec2_region_t *region = collector_round_unit (round);
    ec2_round_t *self = calloc (1, sizeof *self);

    if (!region->images) {
        region->images = ec2_images_new ();
    }
    if (!self || !region->images) {
        log_error ("round not started: out of memory");
        free (self);
        collector_round_end (&round, false);
        return;
    }
    *self = (ec2_round_t){.magic = ROUND_MAGIC, .ec2 = ec2, .round = round, .region = region};
    zlistx_add_end (ec2->rounds, self);
    if (!ask_instances (self)) {
        end_round (self, false);
    }
}

//  --- life

static void
destroy (void *state)
{
    ec2_t *self = state;

    ec2_jobs_destroy (&self->jobs);
    aws_api_destroy (&self->api);
    for (ec2_round_t *round = zlistx_first (self->rounds); round;
         round = zlistx_next (self->rounds)) {
        round_destroy (&round);
    }
    zlistx_destroy (&self->rounds);
    buffer_clear (&self->filter);
    free (self);
}

static void *
init (collector_t *core, const void *settings, reason_t *why)
{
    ec2_t *self = calloc (1, sizeof *self);

    if (!self) {
        reason_set (why, -ENOMEM, "ec2: out of memory");
        return NULL;
    }
    self->core = core;
    self->settings = settings;
    self->rounds = zlistx_new ();
    self->api = aws_api_new (core, &self->settings->collector, aws_getenv, why);
    if (!self->api || write_filter (&self->filter, self->settings->tag_filter, why) < 0) {
        destroy (self);
        return NULL;
    }
    self->jobs = ec2_jobs_new (core, self->api, self->settings->collector.interval_ms,
                               self->settings->job_look_ms);
    if (!self->jobs) {
        reason_set (why, -ENOMEM, "ec2: out of memory");
        destroy (self);
        return NULL;
    }
    return self;
}

static const char *const *
accounts (void *state, const char *region, size_t *count)
{
    ec2_t *self = state;
    return aws_accounts_of_region (aws_api_accounts (self->api), region, count);
}

static uint64_t
lists (void *state)
{
    const ec2_t *self = state;
    return aws_accounts_digest (aws_api_accounts (self->api));
}

static const char *
regions (void *state)
{
    const ec2_t *self = state;
    return aws_accounts_regions (aws_api_accounts (self->api));
}

static void
unit_clear (void *state, void *unit)
{
    ec2_region_t *self = unit;
    (void) state;

    ec2_images_destroy (&self->images);
    zhashx_destroy (&self->seen);
}

//  --- jobs

static void
refresh (void *state, collector_job_t *job)
{
    ec2_jobs_start (((ec2_t *) state)->jobs, job, EC2_REFRESH);
}

static void
pause_worker (void *state, collector_job_t *job)
{
    ec2_jobs_start (((ec2_t *) state)->jobs, job, EC2_PAUSE);
}

static void
resume_worker (void *state, collector_job_t *job)
{
    ec2_jobs_start (((ec2_t *) state)->jobs, job, EC2_RESUME);
}

static void
monitor_worker (void *state, collector_job_t *job)
{
    ec2_jobs_start (((ec2_t *) state)->jobs, job, EC2_MONITOR);
}

static void
stop (void *state, collector_job_t *job)
{
    ec2_jobs_stop (((ec2_t *) state)->jobs, job);
}

static const collector_capability_t CAPABILITIES [] = {
    {"metrics.refresh:ec2", refresh, stop},
    {"worker.pause", pause_worker, stop},
    {"worker.resume", resume_worker, stop},
    {"monitoring.enable", monitor_worker, stop},
    {0},
};

const collector_source_t collector_source = {
    .kind = "ec2",
    .program = "cmlwatch-collector-ec2",
    .section = "collector-ec2",
    .summary = "reads EC2: which instances there are, their state and status checks",
    .reads = COLLECTOR_READS_REGIONS,
    .keys = KEYS,
    .default_region = aws_default_region,
    .settings_size = sizeof (ec2_settings_t),
    .check = check,
    .explain = explain,
    .init = init,
    .destroy = destroy,
    .start = start,
    .plan = start,  //  aws_api_ask asks nothing then
    .unit_size = sizeof (ec2_region_t),
    .unit_clear = unit_clear,
    .accounts = accounts,
    .regions = regions,
    .capabilities = CAPABILITIES,
    .lists = lists,
};
