// payload.h - the event that all systems tell: a worker.metrics.updated as the aggregator says it.
//
// All places are fixed, so that a reader finds number and stamp without looking for them. 100
// workers with values of their own, for what is packed is not to be the same text again and again.
//
// SPDX-License-Identifier: MIT

#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_TYPE      "worker.metrics.updated"
#define PAYLOAD_FIRST_SEQ UINT64_C (1000000)  //  seven digits from the first to the last
#define PAYLOAD_SIZE_MAX  600
#define PAYLOAD_WORKERS   100

//  What each begins with; a reader knows an event by it. 9 figures of number, 16 of stamp.
#define PAYLOAD_BEGIN \
    "{\"type\":\"" PAYLOAD_TYPE "\",\"source\":\"domain.cml_worker.cml_metrics\",\"seq\":"
#define PAYLOAD_STAMP    ",\"data\":{\"stamp_us\":"
#define PAYLOAD_SEQ_AT   (sizeof PAYLOAD_BEGIN - 1)
#define PAYLOAD_SEQ_SIZE 7
#define PAYLOAD_STAMP_AT (PAYLOAD_SEQ_AT + PAYLOAD_SEQ_SIZE + sizeof PAYLOAD_STAMP - 1)

//  CLOCK_REALTIME.
int64_t payload_now_us (void);
//  Of the worker that this event is of: 36 characters.
void payload_worker_id (char id [37], uint64_t seq);
//  Writes it, padded by so many characters; its size.
size_t payload_write (char text [PAYLOAD_SIZE_MAX], uint64_t seq, size_t padding);

#endif
