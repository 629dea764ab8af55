// tracing.c - see tracing.h.
//
// SPDX-License-Identifier: MIT

#include "tracing.h"

#include <assert.h>
#include <stdlib.h>

struct tracing {
    otlp_t *otlp;  //  borrowed
    double ratio;
    tracing_scope_t scope;
};

tracing_t *
tracing_new (otlp_t *otlp, double ratio)
{
    tracing_t *self = otlp ? calloc (1, sizeof *self) : NULL;

    if (self) {
        self->otlp = otlp;
        self->ratio = ratio;
    }
    return self;
}

void
tracing_destroy (tracing_t **self_p)
{
    assert (self_p);
    free (*self_p);
    *self_p = NULL;
}

tracing_scope_t
tracing_begin (const tracing_t *self)
{
    tracing_scope_t scope = {0};

    if (self) {
        scope.round = trace_context_begin (self->ratio);
    }
    return scope;
}

tracing_scope_t
tracing_scope (const tracing_t *self)
{
    return self ? self->scope : (tracing_scope_t){0};
}

tracing_scope_t
tracing_enter (tracing_t *self, const tracing_scope_t *scope)
{
    tracing_scope_t before = tracing_scope (self);

    if (self) {
        self->scope = *scope;
    }
    return before;
}

const trace_context_t *
tracing_parent (const tracing_scope_t *scope)
{
    return trace_context_is_set (&scope->request) ? &scope->request : &scope->round;
}

otlp_t *
tracing_otlp (const tracing_t *self)
{
    return self ? self->otlp : NULL;
}
