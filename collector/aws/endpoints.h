// endpoints.h - the services we speak to, and where a region's endpoint is.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_ENDPOINTS_H
#define COLLECTOR_AWS_ENDPOINTS_H

#include "../../common/reason.h"
#include "origin.h"

#include <stdbool.h>

#define AWS_URL_SIZE    300
#define AWS_REGION_SIZE 65

typedef struct aws_service {
    const char *name;      //  for people: "EC2"
    const char *host;      //  first label of the endpoint, and the name it is signed for
    const char *version;   //  of its Query API
    const char *variable;  //  that overrides the endpoint, before AWS_ENDPOINT_URL
} aws_service_t;

extern const aws_service_t AWS_EC2;
extern const aws_service_t AWS_CLOUDWATCH;
extern const aws_service_t AWS_STS;

//  The URL of the service in the region. 0, or -EINVAL and why.
int aws_endpoint (const aws_service_t *service, const char *region, aws_getenv_fn *read_variable,
                  char url [AWS_URL_SIZE], reason_t *why);

//  Lower-case letters, digits and '-': it becomes part of a host name and of a signature.
bool aws_region_is_valid (const char *region);

//  Every region of a comma list; 0, or -EINVAL and why names the wrong one.
int aws_regions_check (const char *regions, reason_t *why);
//  The region of the profile in force, "" when there is none; collector_source's default_region.
const char *aws_default_region (void);
//  The first of a comma list; returns region.
const char *aws_first_region (const char *regions, char region [AWS_REGION_SIZE]);

#endif
