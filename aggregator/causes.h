// causes.h - which observation of a turn caused what is told: how a trace goes through here.
//
// An observation may carry a traceparent. While it is applied it is the current cause, and the
// events told meanwhile carry a context of its trace in their feed header; a snapshot that is due
// at the turn's end has the cause that last touched its worker. When the trace is sampled and an
// exporter is there, two spans are recorded for it:
//
//   apply   from its arrival until the turn's commit is done (a store that is full makes it long)
//   feed    from the commit until all of the turn is in the feed's socket; only if it told anything.
//           It is the one that events name: what a gateway does is a child of it
//
// Without an exporter the events carry the observation's own context on. A turn's causes are
// forgotten when it is published; beyond CAUSES_MAX of a turn, what is told has none.
//
// Every function takes a null self, as tests have it: nothing has a cause then.
//
// SPDX-License-Identifier: MIT

#ifndef AGGREGATOR_CAUSES_H
#define AGGREGATOR_CAUSES_H

#include "../common/observation.h"
#include "../common/otlp.h"

#define CAUSES_MAX 4096

typedef struct causes causes_t;
typedef uint32_t cause_t;  //  0: none; good until the turn is published

//  otlp is borrowed; null: nothing is recorded. Null when memory is out.
causes_t *causes_new (otlp_t *otlp);
void causes_destroy (causes_t **self_p);

//  The observation is about to be applied; and was: error is null, or why it was refused.
void causes_begin (causes_t *self, const observation_t *observation);
void causes_end (causes_t *self, const char *error);

//  The current one; and another, for what is told later than its cause was applied.
cause_t causes_current (const causes_t *self);
void causes_enter (causes_t *self, cause_t cause);

//  For the event that is being told: the context to name, zero when there is none.
trace_context_t causes_tell (causes_t *self);

//  All that has been begun is committed; and published.
void causes_committed (causes_t *self);
void causes_published (causes_t *self);

#endif
