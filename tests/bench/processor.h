// processor.h - the processor time of other processes, as the system counts it.
//
// SPDX-License-Identifier: MIT

#ifndef BENCH_PROCESSOR_H
#define BENCH_PROCESSOR_H

//  Microseconds that these (their ids, apart by commas) and all their threads have run: of /proc's schedstat, to the
//  nanosecond.
double processor_us (const char *pids);

#endif
