// origin.h - where keys are to come from, decided without asking anybody; pure but for the files.
//
// A table of providers is walked in botocore's order (reference api-facts.md 4.1); the first that
// is configured decides. What it says is an origin: either keys as they stand, or how to get
// them (a role at STS, a command, an endpoint). Getting them is another's work (fetch.h).
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_ORIGIN_H
#define COLLECTOR_AWS_ORIGIN_H

#include "../../common/reason.h"

#include <stdbool.h>
#include <stdint.h>

//  Reads a variable; null when unset. getenv, or a test's.
typedef const char *aws_getenv_fn (const char *name);
const char *aws_getenv (const char *name);  //  the process's own

//  An empty variable counts as unset.
const char *aws_variable (aws_getenv_fn *read_variable, const char *name);

typedef enum aws_origin_kind {
    AWS_ORIGIN_KEYS,          //  as they stand
    AWS_ORIGIN_ROLE,          //  STS AssumeRole with the keys of base
    AWS_ORIGIN_WEB_IDENTITY,  //  STS AssumeRoleWithWebIdentity
    AWS_ORIGIN_PROCESS,       //  a command that prints them
    AWS_ORIGIN_CONTAINER,     //  the endpoint of ECS or EKS
    AWS_ORIGIN_INSTANCE,      //  instance metadata, version 2
    AWS_ORIGIN_KIND_COUNT
} aws_origin_kind_t;

typedef struct aws_origin aws_origin_t;

struct aws_origin {  //  texts are owned, null where the kind has no use for them
    aws_origin_kind_t kind;
    char *place;  //  for people: "profile 'lab' of /root/.aws/credentials"
    char *access_key_id, *secret_access_key, *session_token;
    char *role_arn, *session_name, *external_id, *token_file;
    int64_t duration_seconds;  //  of a role's keys; 0: STS's own default
    char *command;
    char *url;                                 //  CONTAINER, or the base URL of INSTANCE
    char *authorization, *authorization_file;  //  CONTAINER
    char *looked;                              //  INSTANCE: the places looked at before it
    aws_origin_t *base;                        //  ROLE
};

//  Null when memory is out. place is copied.
aws_origin_t *aws_origin_new (aws_origin_kind_t kind, const char *place);
void aws_origin_destroy (aws_origin_t **self_p);

//  The first provider that is configured: 0 and the origin, which the caller destroys. -ENOENT
//  when none is, and why names each place looked at; -EINVAL, -ENOTSUP or -ENOMEM and why for
//  one that is configured but cannot be used.
int aws_origin_find (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why);

//  What one file of providers gives: 0 and an origin, -ENOENT when it is not configured, or
//  what is wrong with it.
typedef int aws_provide_fn (aws_getenv_fn *read_variable, aws_origin_t **origin_p, reason_t *why);

aws_provide_fn aws_environment_keys, aws_environment_web_identity;  //  origin_env.c
aws_provide_fn aws_profile_role, aws_profile_keys;                  //  origin_profile.c
aws_provide_fn aws_profile_web_identity;
aws_provide_fn aws_container_keys, aws_instance_keys;  //  origin_machine.c

//  `region` of the profile in force, into a text of size; false when there is none.
bool aws_profile_region (aws_getenv_fn *read_variable, char *region, unsigned size);
//  "profile 'default' (/root/.aws/config, /root/.aws/credentials)", for people.
void aws_profile_describe (aws_getenv_fn *read_variable, char *text, unsigned size);

//  2 to 64 of [\w+=,.@-]: what STS takes as a session's name.
bool aws_session_name_is_valid (const char *name);
bool aws_role_arn_is_valid (const char *arn);

//  True when keys may be asked of this URL: https anywhere, http at this machine and at the
//  containers' own addresses alone (the rule of AWS's SDKs).
bool aws_container_url_is_safe (const char *url);

#endif
