// watch.h - one stream, watched for a while: its head, and when each heartbeat came.
//
// Unlike live.h it comes back from nothing: what goes wrong is what it is for.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_WATCH_H
#define GATEWAY_CLI_WATCH_H

#include "findings.h"
#include "session.h"
#include "sse_parser.h"

typedef struct watch {
    stream_seen_t seen;  //  its texts lie in headers
    int status;          //  0: none came
    bool is_stream;      //  200 and text/event-stream
    bool ended;          //  before its time was over
    reason_t why;        //  of the end, or of a status that is not 200
    //  While it is under way.
    session_t *session;
    http_call_t *call;
    sse_parser_t *parser;
    bool has_head, is_due;
    time_us_t began;
    buffer_t problem;
    char headers [6][128];
} watch_t;

//  Watches for so long, with a heartbeat each second. 0, with status 0 when not even a head came in
//  all that time; -ECONNREFUSED and why; -EINTR. watch is all zero, and cleared by the caller.
int watch_stream (watch_t *self, session_t *session, time_us_t span);
void watch_clear (watch_t *self);

#endif
