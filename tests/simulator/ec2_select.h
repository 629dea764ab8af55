// ec2_select.h - which instances a Describe call speaks of: ids, filters, pages.
//
// The rules are EC2's: several values of a filter are or-ed, several filters and-ed, names
// and values are case-sensitive, '*' and '?' are wildcards; an id that is not there fails
// the whole call; ids and MaxResults exclude each other; a token is only good for the same
// question.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_EC2_SELECT_H
#define SIMULATOR_EC2_SELECT_H

#include "aws_call.h"

#define EC2_TAGS_MAX 8
#define EC2_IDS_MAX  1000

typedef struct ec2_tag {
    const char *key, *value;
} ec2_tag_t;

//  Tags of an instance; returns how many. Borrowed from it.
size_t ec2_tags (const instance_t *instance, ec2_tag_t tags [EC2_TAGS_MAX]);

//  Which filters are known: those of DescribeInstances or of DescribeInstanceStatus.
typedef enum ec2_scope { EC2_INSTANCES = 1, EC2_STATUS = 2 } ec2_scope_t;

typedef struct ec2_rules {
    ec2_scope_t scope;
    size_t ids_max;
    bool running_only;  //  when no ids are given or not: as IncludeAllInstances=false
} ec2_rules_t;

typedef struct ec2_selection {
    const instance_t **instances;
    size_t count;
    char next_token [64];  //  "" on the last page
} ec2_selection_t;

//  Fills a selection that the caller clears. 0 or the refusal.
int ec2_select (aws_call_t *call, const ec2_rules_t *rules, ec2_selection_t *selection);
void ec2_selection_clear (ec2_selection_t *self);

//  The instance of this id in the call's region; null after a refusal.
instance_t *ec2_find (aws_call_t *call, const char *id);

//  True when text fits a pattern with '*' and '?'; '\' takes the next character as it is.
bool ec2_fits (const char *pattern, const char *text);

#endif
