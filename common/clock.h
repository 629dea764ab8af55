// clock.h - the two clocks, read together, behind one type.
//
// Wall time (UTC, may step) is what people, stores and other machines see. Steady time
// (CLOCK_MONOTONIC, never steps) is what delays, deadlines and ages are counted in. A
// moment holds both. The domain never reads a clock: it is given a moment, so a test
// gives it one of its own. The loop reads the clocks once a turn (loop_now).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stddef.h>
#include <stdint.h>

typedef int64_t time_us_t;  //  microseconds; wall: since 1970-01-01T00:00:00Z

#define TIME_UNKNOWN INT64_MIN  //  never happened, or nobody has said when
#define MS_US        ((time_us_t) 1000)
#define SECOND_US    ((time_us_t) 1000000)
#define MINUTE_US    (60 * SECOND_US)
#define HOUR_US      (60 * MINUTE_US)

typedef struct moment {
    time_us_t wall;
    time_us_t steady;
} moment_t;

moment_t clock_now (void);

#define CLOCK_TEXT_SIZE 25  //  "2026-11-20T10:30:00.123Z" and its NUL

//  RFC 3339, UTC, milliseconds, Z. Years outside 0 to 9999 are clamped to them.
//  Returns text. TIME_UNKNOWN is not a time: the caller writes null instead.
const char *clock_format (char text [CLOCK_TEXT_SIZE], time_us_t wall);

//  RFC 3339 with any fraction and with Z or an offset; a time without a zone is taken
//  as UTC (CML and AWS both write such). 0, or -EINVAL and *wall untouched.
int clock_parse (const char *text, time_us_t *wall);

#endif
