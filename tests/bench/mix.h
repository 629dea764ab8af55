// mix.h - the observations of a fleet, as the bytes that collectors put on the bus.
//
// Five facts of each worker, with values that change. In the order of MIX_BY_KIND all workers are told
// of by one kind after the other, so that no turn has two observations of a worker: the worst case. In
// that of MIX_AS_COLLECTED they come as collectors say them: of a minute four rounds of CML, each of a
// worker's system, labs and activity in a row; two of EC2 and one of CloudWatch, each all workers in
// one burst. There labs and activity change each eighth round, as they do where people work.
//
// SPDX-License-Identifier: MIT

#ifndef BENCH_MIX_H
#define BENCH_MIX_H

#include "../../common/buffer.h"
#include "../../common/clock.h"
#include "../../common/event.h"

#include <stddef.h>
#include <stdint.h>

typedef enum mix_kind {
    MIX_EC2,
    MIX_CLOUDWATCH,
    MIX_CML,
    MIX_LABS,
    MIX_ACTIVITY,
    MIX_KINDS
} mix_kind_t;

typedef enum mix_order { MIX_BY_KIND, MIX_AS_COLLECTED } mix_order_t;

//  What is said as the n-th of a fleet of so many.
typedef struct mix_step {
    mix_kind_t kind;
    size_t worker;
    unsigned value;  //  10 to 59
} mix_step_t;

mix_step_t mix_step (mix_order_t order, size_t workers, size_t n);

event_type_t mix_type (mix_kind_t kind);
const char *mix_source (mix_kind_t kind);
//  Appends `us-east-1/i-<worker>`, and the data object.
void mix_write_subject (buffer_t *out, size_t worker);
void mix_write_data (buffer_t *out, mix_kind_t kind, size_t worker, unsigned value);

#endif
