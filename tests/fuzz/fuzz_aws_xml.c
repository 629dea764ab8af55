//  An answer of EC2 or CloudWatch, read by the rules of each question that it may answer.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/aws/fault.h"
#include "../../collector/cloudwatch/cloudwatch_batch.h"
#include "../../collector/ec2/ec2_images.h"
#include "../../collector/ec2/ec2_listing.h"
#include "../../common/cleanup.h"

#include <math.h>

static void
read_as (const uint8_t *data, size_t size, const char *root, const xml_rule_t *rules, void *target)
{
    reason_t why = {""};

    if (xml_read ((const char *) data, size, root, rules, target, &why) < 0) {
        CHECK (why.text [0]);
    }
}

static void
read_instances (const uint8_t *data, size_t size)
{
    ec2_listing_t listing = {0};

    read_as (data, size, "DescribeInstancesResponse", EC2_INSTANCES_RULES, &listing);
    ec2_listing_stamp (&listing, 1);
    CHECK (listing.count <= EC2_INSTANCES_MAX && ec2_listing_index (&listing) == 0);
    read_as (data, size, "DescribeInstanceStatusResponse", EC2_STATUS_RULES, &listing);
    for (size_t i = 0; i < listing.count; i++) {
        observation_t observation, again;
        _cleanup_ (buffer_clear) buffer_t out = {0}, message = {0};
        reason_t why = {""};
        observation_init (&observation, EVENT_INSTANCE_OBSERVED);
        ec2_instance_observe (&listing.rows [i], &observation.instance_observed);
        observation_write_data (&out, &observation);
        envelope_write (&message, EVENT_INSTANCE_OBSERVED, "/collector/ec2/fuzz", "0badcafe", 1,
                        "us-east-1/i-0", 1, NULL, out.data, out.size);
        int rc = observation_decode (&again, message.data, message.size, 1 << 24, &why);
        if (rc < 0) {
            fprintf (stderr, "said: %s\nrefused: %s\n", message.data, why.text);
            abort ();
        }
        observation_clear (&again);
    }
    ec2_listing_clear (&listing);
}

static void
read_images (const uint8_t *data, size_t size)
{
    ec2_images_t *images = ec2_images_new ();
    _cleanup_ (buffer_clear) buffer_t fields = {0};

    CHECK (images);
    ec2_images_want (images, "ami-1");
    CHECK (ec2_images_write_question (images, &fields, 1) == 1);
    read_as (data, size, "DescribeImagesResponse", EC2_IMAGES_RULES, images);
    ec2_images_destroy (&images);
}

static void
read_metrics (const uint8_t *data, size_t size)
{
    cw_worker_t *worker = cw_worker_new ("i-1");
    cw_plan_t plan = {0};

    CHECK (worker && cw_plan_add (&plan, "us-east-1/i-1", worker, 60, 60) == 0);
    CHECK (cw_plan_seal (&plan) == 0);
    read_as (data, size, "GetMetricDataResponse", CW_DATA_RULES, &plan);
    for (int metric = 0; metric < CW_METRIC_COUNT; metric++) {
        const cw_point_t *point = &plan.rows [0].points [metric];
        CHECK (point->at == TIME_UNKNOWN || isfinite (point->value));
    }
    cw_plan_clear (&plan);

    cw_discovery_t discovery = {.workers = zhashx_new ()};
    CHECK (discovery.workers && zhashx_insert (discovery.workers, "i-1", worker) == 0);
    read_as (data, size, "ListMetricsResponse", CW_DISCOVERY_RULES, &discovery);
    zhashx_destroy (&discovery.workers);
    cw_worker_destroy (&worker);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    char code [AWS_CODE_SIZE], message [400];

    read_instances (data, size);
    read_images (data, size);
    read_metrics (data, size);
    if (aws_error_read ((const char *) data, size, code, message)) {
        CHECK (strlen (code) < sizeof code && strlen (message) < sizeof message);
        (void) aws_fault_of (code, 400);
    }
    return 0;
}
