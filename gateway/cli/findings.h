// findings.h - what the doctor finds: a verdict a line, with the fault and its cure.
//
// The judges are pure: they are given what was seen and say what it means, so a test can show them
// any proxy's behaviour without one.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_FINDINGS_H
#define GATEWAY_CLI_FINDINGS_H

#include "../../common/buffer.h"
#include "../../common/clock.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum verdict { VERDICT_OK, VERDICT_WARN, VERDICT_FAIL } verdict_t;

#define FINDINGS_MAX 32
#define FINDING_TEXT 400
#define BEATS_MAX    128

typedef struct finding {
    const char *check;  //  a word
    verdict_t verdict;
    char detail [FINDING_TEXT], cure [FINDING_TEXT];  //  plain; cure is "" when it is ok
} finding_t;

typedef struct findings {
    finding_t list [FINDINGS_MAX];
    size_t count;
} findings_t;

//  Adds one; detail is a format. cure may be null for ok.
void findings_add (findings_t *self, const char *check, verdict_t verdict, const char *cure,
                   const char *detail, ...) __attribute__ ((format (printf, 5, 6)));

verdict_t findings_worst (const findings_t *self);
void findings_write_text (const findings_t *self, bool colour, buffer_t *out);
void findings_write_json (const findings_t *self, const char *url, buffer_t *out);

typedef struct beat {   //  a heartbeat (or connected)
    time_us_t server;   //  wall, as it says
    time_us_t arrived;  //  wall, here
} beat_t;

typedef struct stream_seen {  //  of one stream that was watched
    //  Null: there is no such header.
    const char *type, *cache_control, *accel, *encoding, *via, *server;
    time_us_t began;                //  wall
    time_us_t watched, first_byte;  //  from then on; first_byte 0: none came
    time_us_t interval;             //  of the heartbeats, as asked for
    beat_t beats [BEATS_MAX];
    size_t count;
} stream_seen_t;

void judge_headers (findings_t *findings, const stream_seen_t *seen);
//  Whether what is sent comes when it is sent: a proxy that buffers lets it come in bunches.
void judge_flow (findings_t *findings, const stream_seen_t *seen);
//  round_trip: of a small request, or 0.
void judge_latency (findings_t *findings, time_us_t round_trip);
void judge_clock (findings_t *findings, const stream_seen_t *seen, time_us_t round_trip);

#endif
