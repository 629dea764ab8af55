// ec2_listing.h - the instances of a region as DescribeInstances and DescribeInstanceStatus
// tell them, gathered page by page; pure.
//
// A row is made of the wire's names (ipAddress is the public one) and each text is cut to
// what an observation may hold. Two calls fill one listing: the rows first, then their
// status checks by instance id.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_EC2_LISTING_H
#define COLLECTOR_EC2_LISTING_H

#include "../../common/observation.h"
#include "../aws/xml.h"

#include <czmq.h>
#include <stddef.h>

#define EC2_INSTANCES_MAX 100000  //  of a region; more is refused, not cut

typedef struct ec2_instance {  //  texts are owned; null: not in the answer
    char *instance_id;
    char *account_id;  //  ownerId of its reservation
    char *name;
    char *instance_type;
    char *state;
    char *state_reason;  //  stateReason/message
    char *reason;        //  the older reason
    char *image_id;
    char *launch_time;
    char *availability_zone;
    char *public_ip;
    char *private_ip;
    char *monitoring;
    char *system_status;
    char *instance_status;
    struct json_object *tags;  //  owned
    time_us_t observed;        //  wall; when its page came
} ec2_instance_t;

typedef struct ec2_listing {
    ec2_instance_t *rows;
    size_t count, capacity;
    size_t stamped;      //  rows that have their time
    ec2_instance_t row;  //  being read; of a status answer likewise
    char *owner_id;      //  of the reservation being read
    char *tag_key, *tag_value;
    zhashx_t *index;  //  instance id -> row; made by ec2_listing_index
} ec2_listing_t;

void ec2_listing_clear (ec2_listing_t *self);

//  Rules of DescribeInstances and DescribeInstanceStatus; the target is a listing.
extern const xml_rule_t EC2_INSTANCES_RULES [];
extern const xml_rule_t EC2_STATUS_RULES [];

//  As aws_page_fn: the rows of the page were received then.
void ec2_listing_stamp (void *target, time_us_t received_wall);

//  Before the statuses are read: rows stay where they are from now on. 0 or -ENOMEM.
int ec2_listing_index (ec2_listing_t *self);

//  Fills an observation that was initialised; texts are borrowed from the row.
void ec2_instance_observe (const ec2_instance_t *self, instance_observed_t *out);

#endif
