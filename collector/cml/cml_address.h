// cml_address.h - where a worker's CML answers, by the setting `address`; pure.
//
// The setting is a template of a host, with or without "https://" and ":port", in which stand
//
//     {public_ip} {private_ip} {name} {instance_id} {region} {tag:<key>}
//
// for what is known of the worker; `public`, `private` and `tag:<key>` are short for the
// first two and the last. What comes of it must be a host and nothing more: a name or a tag
// is written by whoever may rename an instance, and must not lead into another URL.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_ADDRESS_H
#define COLLECTOR_CML_ADDRESS_H

#include "../core/collector.h"

#define CML_HOST_SIZE 130

typedef struct cml_address {
    char host [CML_HOST_SIZE];  //  a name, or an address of either family without brackets
    int64_t port;               //  the one that was given, else that of the template
} cml_address_t;

//  0; -EINVAL and why: the setting cannot be one.
int cml_address_check (const char *setting, reason_t *why);

//  0; -ENOENT and why (which of the parts this worker lacks, or that it makes no host).
int cml_address_of (cml_address_t *self, const char *setting, int64_t port,
                    const collector_worker_t *worker, reason_t *why);

#endif
