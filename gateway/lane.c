// lane.c - see lane.h.
//
// SPDX-License-Identifier: MIT

#include "lane.h"

#include <czmq.h>
#include <string.h>

#define PIECE_BYTES  32768
#define PIECE_EVENTS 4096

bool
lane_is_used (const filter_t *filter, lane_t lane)
{
    return lane == LANE_DIRECT || (lane == LANE_SNAPSHOTS && filter->snapshot_period > 0) ||
           (lane == LANE_METRICS && filter->batches);
}

bool
lane_has_rhythm (const filter_t *filter)
{
    return lane_is_used (filter, LANE_SNAPSHOTS) || lane_is_used (filter, LANE_METRICS);
}

static lane_t
lane_of_type (event_type_t type)
{
    switch (type) {
    case EVENT_WORKER_SNAPSHOT:
    case EVENT_JOB_PROGRESS: return LANE_SNAPSHOTS;
    case EVENT_WORKER_METRICS_UPDATED: return LANE_METRICS;
    default: return LANE_DIRECT;
    }
}

lane_t
lane_of (const filter_t *filter, const frame_t *frame)
{
    lane_t lane = lane_of_type (frame->type);

    return lane_is_used (filter, lane) ? lane : LANE_DIRECT;
}

time_us_t
lane_period (const filter_t *filter, lane_t lane)
{
    return lane == LANE_SNAPSHOTS ? filter->snapshot_period : filter->metrics_period;
}

bool
lane_is_superseded (replica_t *replica, const filter_t *filter, const frame_t *frame)
{
    if (frame->type == EVENT_JOB_PROGRESS) {
        return frame->superseded_by == EVENT_JOB_PROGRESS;  //  which passes the filter as this one
    }
    if (lane_of_type (frame->type) == LANE_DIRECT ||
        !filter_wants_type (filter, EVENT_WORKER_SNAPSHOT)) {
        return false;
    }
    const replica_worker_t *worker = replica_find (replica, frame->worker_id);
    return worker && worker->event > frame->seq;
}

//  What a tick would tell too late: what came of the job next has been told already.
static bool
is_over (const filter_t *filter, const frame_t *frame)
{
    return frame->type == EVENT_JOB_PROGRESS && frame->superseded_by != EVENT_UNKNOWN &&
           filter_wants_type (filter, frame->superseded_by);
}

static size_t
write_newest (const fanout_t *shared, const filter_t *filter, uint64_t *at, uint64_t to,
              buffer_t *out)
{
    size_t count = 0, begin = out->size;

    while (*at < to && out->size - begin < PIECE_BYTES) {
        frame_t *frame = event_log_get (shared->log, ++*at);
        if (frame && lane_of_type (frame->type) == LANE_SNAPSHOTS && filter_wants (filter, frame) &&
            !is_over (filter, frame) && !lane_is_superseded (shared->replica, filter, frame) &&
            (frame = filter_form (filter, frame))) {
            buffer_append (out, frame->bytes + frame->id_size, frame->size - frame->id_size);
            count++;
        }
    }
    return count;
}

//  Of a metrics event: whose, and read by which source.
static char *
key_of (const frame_t *frame, char *key, size_t size)
{
    static const char SOURCE [] = "\"source\":\"";
    const char *at = memmem (frame->bytes + frame->json_offset,
                             frame->size - frame->json_offset - 2, SOURCE, sizeof SOURCE - 1);
    at = at ? at + sizeof SOURCE - 1 : "";

    snprintf (key, size, "%s %.*s", frame->worker_id, (int) strcspn (at, "\""), at);
    return key;
}

static size_t
write_batch (const fanout_t *shared, const filter_t *filter, uint64_t from, uint64_t to,
             buffer_t *out)
{
    zhashx_t *newest = zhashx_new ();  //  the last frame of each worker and source
    size_t count = 0;
    char key [200];

    for (uint64_t seq = from + 1; seq <= to; seq++) {
        frame_t *frame = event_log_get (shared->log, seq);
        if (frame && frame->type == EVENT_WORKER_METRICS_UPDATED && filter_wants (filter, frame)) {
            zhashx_update (newest, key_of (frame, key, sizeof key), frame);
        }
    }
    if (zhashx_size (newest) > 0) {
        buffer_format (out, "event: %s\ndata: ", event_type_name (EVENT_WORKER_METRICS_BATCH));
        frame_write_envelope (out, EVENT_WORKER_METRICS_BATCH);
        buffer_format (out, "{\"count\":%zu,\"events\":[", zhashx_size (newest));
        for (uint64_t seq = from + 1; seq <= to; seq++) {
            frame_t *frame = event_log_get (shared->log, seq);
            if (frame && frame->type == EVENT_WORKER_METRICS_UPDATED &&
                zhashx_lookup (newest, key_of (frame, key, sizeof key)) == frame &&
                (frame = filter_form (filter, frame))) {
                buffer_text (out, count++ > 0 ? "," : "");
                buffer_append (out, frame->bytes + frame->json_offset,
                               frame->size - frame->json_offset - 2);
            }
        }
        buffer_text (out, "]}}\n\n");
    }
    zhashx_destroy (&newest);
    return count > 0;
}

size_t
lane_write_tick (const fanout_t *shared, const filter_t *filter, lane_t lane, uint64_t *at,
                 uint64_t to, buffer_t *out)
{
    uint64_t from = *at;

    to = to - from < PIECE_EVENTS ? to : from + PIECE_EVENTS;
    if (lane == LANE_SNAPSHOTS) {
        return write_newest (shared, filter, at, to, out);
    }
    *at = to;
    return write_batch (shared, filter, from, to, out);
}
