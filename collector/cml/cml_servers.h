// cml_servers.h - CML servers that are no EC2 instances, by the file that lists them.
//
// A line of `servers_file` is
//
//     <name> <host, host:port or https://host:port>
//
// where '#' begins a comment line and a name may have blanks. Such a server is a worker of
// the made-up region `servers_region`; its id there is the name in small letters, digits and
// '-', so that it is the same after any restart, and two names may not give one id.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_SERVERS_H
#define COLLECTOR_CML_SERVERS_H

#include "../core/collector.h"

#define CML_SERVERS_LINE_MAX 1024
#define CML_SERVERS_MAX      5000
#define CML_SERVER_ID_SIZE   64

typedef struct cml_listed {
    char id [CML_SERVER_ID_SIZE];
    const char *name, *address;
} cml_listed_t;

typedef struct cml_servers cml_servers_t;

//  path "": none. Null and why: `<file>:<line>: <what is wrong>`.
cml_servers_t *cml_servers_new (const char *region, const char *path, reason_t *why);
void cml_servers_destroy (cml_servers_t **self_p);

const char *cml_servers_region (const cml_servers_t *self);
//  Of the region and all names and addresses, whatever their order; 0 without a file.
uint64_t cml_servers_digest (const cml_servers_t *self);
size_t cml_servers_count (const cml_servers_t *self);
const cml_listed_t *cml_servers_at (const cml_servers_t *self, size_t place);

//  Null: it is not listed (any longer), or is of another region.
const cml_listed_t *cml_servers_find (const cml_servers_t *self, const collector_worker_t *worker);

#endif
