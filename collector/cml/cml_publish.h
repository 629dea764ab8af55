// cml_publish.h - what a phase found, onto the bus.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_PUBLISH_H
#define COLLECTOR_CML_PUBLISH_H

#include "../core/collector.h"
#include "cml_observe.h"

typedef struct cml_place {  //  of whom it is said; borrowed
    collector_t *core;
    const char *subject;
    const char *endpoint;      //  "" when there is none
    int64_t interval_seconds;  //  to the next of its kind
} cml_place_t;

void cml_publish_system (const cml_place_t *place, cml_found_t *found, cml_told_t *health,
                         cml_told_t *licensing);

//  Nothing while a lab was not read yet.
void cml_publish_labs (const cml_place_t *place, cml_found_t *found, cml_labs_t *labs);

//  A lab (node_id null) or one of its nodes has another state than when it was last read.
void cml_publish_lab_state (const cml_place_t *place, const char *lab_id, const char *node_id,
                            const char *state);

//  Nothing when the server has no such log.
void cml_publish_activity (const cml_place_t *place, const cml_found_t *found,
                           const char *account_id);

#endif
