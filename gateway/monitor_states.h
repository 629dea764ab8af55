// monitor_states.h - the full state as monitors get it: one message, shared by those alike.
//
// A stream's state is many small frames of an image (image.h); a monitor's is the one document of
// GET /api/state (api.h) within a message. Monitors that come at about the same time and may see
// the same share one when nothing has come since, or when it is large, and go on behind its number. At
// most images_max of them are held.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_MONITOR_STATES_H
#define GATEWAY_MONITOR_STATES_H

#include "fanout.h"

typedef struct monitor_states monitor_states_t;

monitor_states_t *monitor_states_new (const fanout_t *shared);
void monitor_states_destroy (monitor_states_t **self_p);

//  The state for whoever has this filter's view, borrowed; its frame's seq is what it covers.
//  Null: not now, for slow readers hold all that may be, or memory is out.
frame_t *monitor_states_get (monitor_states_t *self, const filter_t *filter);

//  Those that nobody reads and nobody will go.
void monitor_states_tidy (monitor_states_t *self);

#endif
