// cml_teller.h - from what one CML server pushes to what is told of it.
//
// It is told by the functions that tell what REST answers (cml_publish.h): states of labs and
// nodes at once, up to push_events_max a second; load and the array of labs at most once in
// report_interval_ms, then the newest. Interfaces and links change with their nodes and are
// not told, as polling does not either.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_TELLER_H
#define COLLECTOR_CML_TELLER_H

#include "cml_labs.h"
#include "cml_publish.h"
#include "cml_server.h"

typedef struct cml_teller cml_teller_t;

//  What cannot be pushed is to be read, with the next round or (now) at once. Must not destroy.
typedef void cml_poll_fn (void *argument, bool now);

//  All borrowed, and alive longer. Null when memory is out.
cml_teller_t *cml_teller_new (collector_t *core, const cml_settings_t *settings, cml_labs_t *labs,
                              cml_poll_fn *poll, void *argument);
void cml_teller_destroy (cml_teller_t **self_p);

//  Of whom it is told from now on; copied.
void cml_teller_place (cml_teller_t *self, const cml_place_t *place);

//  One message. False: it cannot be read, and is counted.
bool cml_teller_take (cml_teller_t *self, const void *bytes, size_t size);

//  When the load came last (steady), on this connection; TIME_UNKNOWN: it did not.
time_us_t cml_teller_stats_at (const cml_teller_t *self);

//  The connection is over. What is owed is still told.
void cml_teller_rest (cml_teller_t *self);

#endif
