// SPDX-License-Identifier: MIT

#include "endpoints.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const aws_service_t AWS_EC2 = {"EC2", "ec2", "2016-11-15", "AWS_ENDPOINT_URL_EC2"};
const aws_service_t AWS_CLOUDWATCH = {"CloudWatch", "monitoring", "2010-08-01",
                                      "AWS_ENDPOINT_URL_CLOUDWATCH"};
const aws_service_t AWS_STS = {"STS", "sts", "2011-06-15", "AWS_ENDPOINT_URL_STS"};

//  The partitions whose names are not under amazonaws.com (api-facts.md 1.1).
static const struct {
    const char *prefix;  //  of the region
    const char *suffix;
} PARTITIONS [] = {
    {"cn-", "amazonaws.com.cn"},
    {"eusc-", "amazonaws.eu"},
    {"", "amazonaws.com"},
};

bool
aws_region_is_valid (const char *region)
{
    size_t size = strlen (region);
    return size > 0 && size < AWS_REGION_SIZE - 1 &&
           strspn (region, "abcdefghijklmnopqrstuvwxyz0123456789-") == size;
}

int
aws_regions_check (const char *regions, reason_t *why)
{
    size_t count = 0;

    for (const char *at = regions; *at; count++) {
        at += strspn (at, ", ");
        size_t size = strcspn (at, ", ");
        char region [AWS_REGION_SIZE] = "";
        snprintf (region, sizeof region, "%.*s", size < sizeof region ? (int) size : 0, at);
        if (!aws_region_is_valid (region)) {
            return reason_set (why, -EINVAL,
                               "regions = '%s': '%.*s' is not a region's name, such as us-east-1",
                               regions, (int) (size < 64 ? size : 64), at);
        }
        at += size;
        at += strspn (at, ", ");
    }
    return count > 0 ? 0 : reason_set (why, -EINVAL, "regions is empty; name one, as us-east-1");
}

static const char *
overridden (const aws_service_t *service, aws_getenv_fn *read_variable)
{
    const char *ignore = read_variable ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if (ignore && strcasecmp (ignore, "true") == 0) {
        return NULL;
    }
    const char *url = read_variable (service->variable);
    if (!url || !*url) {
        url = read_variable ("AWS_ENDPOINT_URL");
    }
    return url && *url ? url : NULL;
}

static const char *
suffix_of (const char *region)
{
    size_t i = 0;
    while (strncmp (region, PARTITIONS [i].prefix, strlen (PARTITIONS [i].prefix)) != 0) {
        i++;
    }
    return PARTITIONS [i].suffix;
}

int
aws_endpoint (const aws_service_t *service, const char *region, aws_getenv_fn *read_variable,
              char url [AWS_URL_SIZE], reason_t *why)
{
    if (!aws_region_is_valid (region)) {
        return reason_set (why, -EINVAL, "'%.64s' is not a region's name, such as us-east-1",
                           region);
    }
    const char *own = overridden (service, read_variable);
    if (!own) {
        snprintf (url, AWS_URL_SIZE, "https://%s.%s.%s/", service->host, region,
                  suffix_of (region));
        return 0;
    }
    size_t size = strlen (own);
    const char *slash = own [size - 1] == '/' ? "" : "/";
    if ((strncmp (own, "http://", 7) != 0 && strncmp (own, "https://", 8) != 0) ||
        size + 2 > AWS_URL_SIZE) {
        return reason_set (why, -EINVAL,
                           "%s or AWS_ENDPOINT_URL = '%.100s' is not an http:// or https:// URL",
                           service->variable, own);
    }
    snprintf (url, AWS_URL_SIZE, "%s%s", own, slash);
    return 0;
}

const char *
aws_default_region (void)
{
    static char region [AWS_REGION_SIZE];  //  a default's text must outlive the table

    if (!region [0] && !aws_profile_region (aws_getenv, region, sizeof region)) {
        region [0] = '\0';
    }
    return region;
}

const char *
aws_first_region (const char *regions, char region [AWS_REGION_SIZE])
{
    regions += strspn (regions, ", ");
    snprintf (region, AWS_REGION_SIZE, "%.*s", (int) strcspn (regions, ", "), regions);
    return region;
}
