// fanout.c - see fanout.h: what the hub counts.
//
// SPDX-License-Identifier: MIT

#include "fanout.h"

void
fanout_add_counters (fanout_t *self)
{
    const struct {
        metric_t **slot;
        const char *name, *help;
    } COUNTERS [] = {
        {&self->frames, "cmlwatch_gateway_frames_total", "Events written to streams"},
        {&self->writes, "cmlwatch_gateway_blocks_total",
         "Blocks of events made, each written to all streams of an audience"},
        {&self->resumed, "cmlwatch_gateway_resumed_total", "Streams resumed from their last id"},
        {&self->resets, "cmlwatch_gateway_resets_total",
         "Streams told that they get the state anew"},
        {&self->states, "cmlwatch_gateway_states_total", "Full states begun"},
        {&self->conflated, "cmlwatch_gateway_conflated_total",
         "Snapshots and metrics left out for a newer snapshot, of streams that were behind"},
        {&self->missed, "cmlwatch_gateway_missed_total",
         "Events that a stream did not get, for the log did not hold them any more"},
        {&self->stepped_back, "cmlwatch_gateway_stepped_back_total",
         "Times that a stream fell behind by more than queue_max_bytes"},
        {&self->plain, "cmlwatch_gateway_plain_bytes_total",
         "Bytes of blocks before they were compressed"},
        {&self->packed, "cmlwatch_gateway_packed_bytes_total",
         "Bytes of blocks after they were compressed, once for all"},
    };

    for (size_t i = 0; i < sizeof COUNTERS / sizeof *COUNTERS; i++) {
        *COUNTERS [i].slot =
            metrics_add (self->metrics, METRIC_COUNTER, COUNTERS [i].name, COUNTERS [i].help);
    }
    self->delay = metrics_add (self->metrics, METRIC_HISTOGRAM, "cmlwatch_gateway_delay_seconds",
                               "From an event's arrival to its write to a stream that keeps up");
}
