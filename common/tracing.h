// tracing.h - the trace that a program which begins traces is in at the moment.
//
// A collector's round begins a trace; its requests are children of the round, what is published
// when an answer has been read is a child of that request. Callbacks lose the way, so whoever
// waits with something (a request for its answer, a call for its next attempt) keeps the scope it
// was made in and steps back into it: tracing_enter, and again with what that returned.
//
// Every function takes a null tracing: nothing is traced then, and nothing costs anything.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_TRACING_H
#define COMMON_TRACING_H

#include "otlp.h"

typedef struct tracing tracing_t;

typedef struct tracing_scope {
    trace_context_t round;    //  not set: no trace is being followed
    trace_context_t request;  //  whose answer is being read; not set: none
} tracing_scope_t;

//  ratio: of the traces begun, those that are sampled. Null when otlp is, or memory is out.
tracing_t *tracing_new (otlp_t *otlp, double ratio);
void tracing_destroy (tracing_t **self_p);

//  A new trace, which is not entered.
tracing_scope_t tracing_begin (const tracing_t *self);

//  The scope, and another one; returns the one before.
tracing_scope_t tracing_scope (const tracing_t *self);
tracing_scope_t tracing_enter (tracing_t *self, const tracing_scope_t *scope);

//  What a new span's parent is: the request, else the round.
const trace_context_t *tracing_parent (const tracing_scope_t *scope);

otlp_t *tracing_otlp (const tracing_t *self);

#endif
