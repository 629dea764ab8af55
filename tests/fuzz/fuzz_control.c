// fuzz_control.c - whoever reaches the bus: questions to the aggregator and observations, over its sockets.
//
// The whole aggregator but its store, and lines as aggregator_rig.h has them. The state can be had after all
// of them.
//
// SPDX-License-Identifier: MIT

#include "aggregator_rig.h"

#include "../../common/log.h"

#define LINES_MAX 48

static const char *const KNOWN [] = {
    "!ec2 instance.observed us-east-1/i-1 {\"instance_id\":\"i-1\",\"region\":\"us-east-1\","
    "\"state\":\"running\",\"public_ip\":\"10.0.0.1\",\"interval_seconds\":60}",
    "!ec2 instance.observed us-east-1/i-2 {\"instance_id\":\"i-2\",\"region\":\"us-east-1\","
    "\"state\":\"stopped\",\"interval_seconds\":60}",
    "!cml system.observed us-east-1/i-1 "
    "{\"reachable\":true,\"ready\":true,\"interval_seconds\":60}"};

static const char *const ASKED_AFTER [] = {"state {}", "jobs {}", "alerts {}", "events {}"};

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static unsigned runs;
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);
    rig_t rig = {.run = ++runs};
    char *rest = text, *line;

    log_open ("fuzz", LOG_LEVEL_ERROR, LOG_FORMAT_LOGFMT);
    open_all (&rig);
    turn (&rig);  //  who hears has then said so to who speaks
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; i++) {
        take (&rig, KNOWN [i]);
    }
    CHECK (fleet_size (rig.fleet) == 2);
    for (int lines = 0; lines < LINES_MAX && (line = strsep (&rest, "\n")); lines++) {
        take (&rig, line);
    }
    CHECK (fleet_size (rig.fleet) >= 2 && fleet_size (rig.fleet) <= 8);
    for (size_t i = 0; i < sizeof ASKED_AFTER / sizeof *ASKED_AFTER; i++) {
        take (&rig, ASKED_AFTER [i]);
    }
    close_all (&rig);
    return 0;
}
