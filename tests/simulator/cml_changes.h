// cml_changes.h - what is different of a CML's labs since somebody was told, in the words of
// wss://…/ws/ui.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_CML_CHANGES_H
#define SIMULATOR_CML_CHANGES_H

#include "../../common/buffer.h"
#include "labs.h"

#define CML_NODES_MAX 16  //  of one lab; labs.c makes fewer

typedef struct cml_told_lab {
    uint64_t key;
    lab_state_t state;
    time_us_t modified_wall;
    const char *nodes [CML_NODES_MAX];  //  states: constants
} cml_told_lab_t;

typedef struct cml_told_labs {
    cml_told_lab_t labs [LABS_MAX];
    size_t count;
} cml_told_labs_t;

typedef void cml_change_fn (void *argument, const buffer_t *message);

//  Calls fn with a message for each difference, and remembers. A null fn remembers only.
void cml_changes_tell (cml_told_labs_t *told, const cml_t *cml, time_us_t elapsed,
                       cml_change_fn *fn, void *argument);

#endif
