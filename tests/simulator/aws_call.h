// aws_call.h - one call of the simulated AWS, as an API's handler sees it.
//
// The server has read, verified and dispatched it; the handler writes what stands inside
// the answer's envelope, or refuses with AWS's own code. Which envelope, and which shape of
// error, is the dialect of the service: EC2 has one, CloudWatch and STS share another.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_AWS_CALL_H
#define SIMULATOR_AWS_CALL_H

#include "calls.h"
#include "form.h"
#include "keys.h"
#include "noise.h"
#include "web.h"
#include "world.h"
#include "xml.h"

typedef enum aws_dialect { AWS_EC2, AWS_QUERY } aws_dialect_t;

typedef struct aws_service {
    const char *signing_name, *version, *name_space;
    aws_dialect_t dialect;
} aws_service_t;

typedef struct aws_refusal {
    int status;
    char code [64];
    reason_t why;
} aws_refusal_t;

typedef struct aws_call {
    world_t *world;
    keys_t *keys;
    calls_t *calls;
    const form_t *form;
    const char *region;    //  of the signature's scope
    const aws_key_t *key;  //  who calls; null for an unsigned action
    char request_id [NOISE_UUID_SIZE];
    buffer_t *out;
    aws_refusal_t refusal;
} aws_call_t;

//  0 when out holds the answer's inside, else what aws_refuse gave.
typedef int aws_handler_fn (aws_call_t *call);

//  Returns -EINVAL. The message is a printf format.
int aws_refuse (aws_call_t *call, int status, const char *code, const char *format, ...)
    __attribute__ ((format (printf, 4, 5)));

//  True when the caller's account has the instance, in the region asked.
bool aws_sees (const aws_call_t *call, const instance_t *instance);

//  The handlers, each in the file of its API.
aws_handler_fn ec2_describe_instances, ec2_describe_instance_status, ec2_describe_images,
    ec2_start_instances, ec2_stop_instances, ec2_monitor_instances, ec2_unmonitor_instances;
aws_handler_fn cloudwatch_get_metric_data, cloudwatch_get_metric_statistics,
    cloudwatch_list_metrics;
aws_handler_fn sts_get_caller_identity, sts_assume_role, sts_assume_role_with_web_identity;

#endif
