// door.h - who is let in on the bus, and what each may do there.
//
// With keys (common/bus_keys.h) each who connects is asked for by libzmq (ZAP, rfc.zeromq.org/spec/27):
// its public key must be that of a file in the folder curve_allow. The file's metadata says who it is
// (`name`) and what it may be (`role`); files that come, go or change count from the next connection
// on. What it may do afterwards is decided by its role, message by message:
//
//   collector  publishes observations, asks for leases, runs jobs
//   runner     runs jobs, and reports of them
//   gateway    hears the feed, asks for state, passes commands on
//   operator   asks and commands as a gateway does, and hears nothing
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_DOOR_H
#define AGGREGATOR_DOOR_H

#include "../common/loop.h"
#include "../common/metrics.h"
#include "../common/reason.h"

#include <stdbool.h>

#define DOOR_INGEST  "ingest"
#define DOOR_CONTROL "control"
#define DOOR_FEED    "feed"

typedef struct door door_t;

//  The folder is one. 0, or -ENOTDIR and why.
int door_check (const char *allow, reason_t *why);

//  One a process, and before its sockets are bound. Null and why: no such folder.
door_t *door_open (loop_t *loop, const char *allow, metrics_t *metrics, reason_t *why);
void door_destroy (door_t **self_p);

//  user is `role:name` as the door let it in. May it ask this on control?
bool door_allows (const char *user, const char *operation);

#endif
