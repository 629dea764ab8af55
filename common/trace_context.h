// trace_context.h - which trace something belongs to: W3C Trace Context's traceparent.
//
//   00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//      trace id                         span id          flags, bit 0: sampled
//
// Pure but for the dice. A context names a span; what that span causes is its child: the same
// trace, another span id, the flag as it was. Whether a trace is sampled is decided once, where it
// begins. https://www.w3.org/TR/trace-context/ section 3.2; tracestate is not carried.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_TRACE_CONTEXT_H
#define COMMON_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACEPARENT_SIZE   56  //  with its NUL
#define TRACE_ID_BYTES     16
#define SPAN_ID_BYTES      8
#define TRACE_FLAG_SAMPLED 0x01

typedef struct trace_context {  //  all zero: no trace
    uint8_t trace_id [TRACE_ID_BYTES];
    uint8_t span_id [SPAN_ID_BYTES];
    uint8_t flags;
} trace_context_t;

bool trace_context_is_set (const trace_context_t *self);
//  Set, and to be recorded.
bool trace_context_is_sampled (const trace_context_t *self);

//  False, and *self untouched, for what is none; a later version is read as far as this one goes.
//  Flags other than sampled are forgotten, as section 3.2.2.5 wants of who does not know them.
bool trace_context_parse (trace_context_t *self, const char *text);
//  Version 00. Returns text; "" when it is not set.
const char *trace_context_write (const trace_context_t *self, char text [TRACEPARENT_SIZE]);

//  A new trace; sampled with this probability, by its id as OpenTelemetry's samplers decide it:
//  its last 56 bits, as a number from 0 to 1, are at least 1 - ratio.
trace_context_t trace_context_begin (double ratio);
bool trace_context_decide (const uint8_t trace_id [TRACE_ID_BYTES], double ratio);
//  Another span of the parent's trace.
trace_context_t trace_context_child (const trace_context_t *parent);

//  Lower-case hex of size bytes and a NUL, into out. Returns out.
const char *trace_context_hex (char *out, const uint8_t *bytes, size_t size);

#endif
