// audit.h - who gave which command, when, from where, and how it ended: one record for each.
//
// A record is a line of the log, whatever else happens; with audit_log it is also a line of JSON at
// the end of that file, which is made with mode 0600, and opened anew at SIGHUP, so that it can be
// renamed away. Lines of a turn are written at its end, whole ones. What cannot be written (a full
// disk) waits, up to audit_queue_max_bytes, and is tried again each second; beyond that records are
// left out of the file and counted. The gateway serves on meanwhile: a fleet that nobody may pause
// because a disk is full would be the greater harm. /readyz says it and stays green.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_AUDIT_H
#define GATEWAY_AUDIT_H

#include "../common/loop.h"
#include "../common/metrics.h"
#include "../common/reason.h"

#include <stdbool.h>

typedef struct audit audit_t;

typedef struct audit_record {
    const char *action;       //  of the table in routes.c
    const char *user, *role;  //  "" and "none": nobody who is known
    const char *client;       //  its address
    const char *method, *path;
    const char *subject;  //  the job or alert that it is about; or ""
    unsigned status;      //  of HTTP; 0: who asked left before the answer
} audit_record_t;

//  path "": no file, the log alone. Null and why: it cannot be opened.
audit_t *audit_new (loop_t *loop, const char *path, int64_t queue_max_bytes, metrics_t *metrics,
                    reason_t *why);
void audit_destroy (audit_t **self_p);

void audit_note (audit_t *self, const audit_record_t *record);

//  False, and why: the file lacks records, or may soon.
bool audit_is_well (const audit_t *self, reason_t *why);

#endif
