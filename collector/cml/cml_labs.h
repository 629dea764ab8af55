// cml_labs.h - the labs of one CML server, as far as they are known; pure.
//
// GET /labs names them, GET /labs/{id} says what each is, state included: there is no one
// call for both, so a server with many labs costs many calls. All are read each round up
// to a bound; beyond it those go first that were never read, then those that have waited
// longest, where a round that a lab with a running state waits counts CML_LABS_WEIGHT
// times. So no lab waits for ever, and none is told before each of them was read once.
//
// What is told of a lab is the row of `worker.labs.updated` (design.md section 5); the
// same labs give the same array, whatever order the server lists them in.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_LABS_H
#define COLLECTOR_CML_LABS_H

#include "../../common/reason.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#define CML_LABS_MAX       5000  //  of one server; more is refused, not cut
#define CML_LABS_WEIGHT    4
#define CML_LAB_ID_SIZE    65
#define CML_LAB_TEXT_BYTES 256  //  of a title or an owner, cut at a whole character

typedef struct cml_labs cml_labs_t;

cml_labs_t *cml_labs_new (void);
void cml_labs_destroy (cml_labs_t **self_p);

//  A new round's answer of GET /labs: an array of ids. Labs that it does not name are
//  forgotten. -EINVAL when it is not such an array, -E2BIG, -ENOMEM; and why.
int cml_labs_list (cml_labs_t *self, struct json_object *ids, reason_t *why);

//  The labs to read now, at most `most` of them, into ids (room for as many; borrowed until
//  the next cml_labs_list). Returns how many; *deferred is how many wait for a later round.
size_t cml_labs_choose (cml_labs_t *self, const char **ids, size_t most, size_t *deferred);

//  The answer of GET /labs/{id}; every member is optional. 0, -EINVAL (no object), -ENOMEM.
int cml_labs_take (cml_labs_t *self, const char *id, struct json_object *answer);

//  The state of a lab as it was last read, borrowed; null: not read yet, or not told.
const char *cml_labs_state (const cml_labs_t *self, const char *id);

//  A lab of this state (null: of none) runs, or is about to.
bool cml_labs_runs (const char *state);

//  The answer of GET /labs/{id}/lab_element_state: calls fn for each node whose state is not the
//  one of the last such answer; the first answer of a lab is no change. 0, or -EINVAL.
typedef void cml_node_fn (void *argument, const char *lab_id, const char *node_id,
                          const char *state);
int cml_labs_take_nodes (cml_labs_t *self, const char *id, struct json_object *answer,
                         cml_node_fn *fn, void *argument);

//  What was pushed of a lab, or of one of its nodes. True when that is news. What is pushed
//  during a round holds against its answers, which may be older.
bool cml_labs_set_state (cml_labs_t *self, const char *id, const char *state);
bool cml_labs_set_node (cml_labs_t *self, const char *id, const char *node_id, const char *state);

//  It vanished between the two calls, or was said to.
void cml_labs_drop (cml_labs_t *self, const char *id);

size_t cml_labs_count (const cml_labs_t *self);

//  The array that is told, a new reference; null while a lab is still unread, or without
//  memory.
struct json_object *cml_labs_array (cml_labs_t *self);

#endif
