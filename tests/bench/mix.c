// mix.c - see mix.h.
//
// SPDX-License-Identifier: MIT

#include "mix.h"

#define SELDOM          8  //  rounds
#define ROUNDS_A_MINUTE 4

//  @ is the number of the worker, # a number of two digits that changes.
static const struct {
    event_type_t type;
    const char *source, *data;
} MIX [MIX_KINDS] = {
    [MIX_EC2] = {EVENT_INSTANCE_OBSERVED, "/collector/ec2/bench",
                 "{\"instance_id\":\"i-@\",\"region\":\"us-east-1\",\"name\":\"cml-@\",\"state\":"
                 "\"running\",\"instance_type\":\"m5zn.metal\",\"public_ip\":\"10.0.0.1\","
                 "\"system_status\":\"ok\",\"instance_status\":\"ok\",\"tags\":{\"Name\":\"cml-@\","
                 "\"team\":\"exam\"},\"interval_seconds\":30}"},
    [MIX_CLOUDWATCH] = {EVENT_UTILIZATION_OBSERVED, "/collector/cloudwatch/bench",
                        "{\"cpu_percent\":#.25,\"memory_percent\":31.5,\"disk_percent\":44,"
                        "\"interval_seconds\":60}"},
    [MIX_CML] = {EVENT_SYSTEM_OBSERVED, "/collector/cml/bench",
                 "{\"endpoint\":\"https://10.0.0.1\",\"reachable\":true,\"version\":\"2.9.0+build."
                 "6\",\"ready\":true,\"system_stats\":{\"computes\":{\"a\":{\"hostname\":\"cml-@\","
                 "\"is_controller\":true,\"stats\":{\"cpu\":{\"count\":48,\"percent\":#.5,\"load\":"
                 "[1,2,3],\"model\":\"Xeon Platinum 8252C\"},\"memory\":{\"total\":202466185216,"
                 "\"free\":100000000000,\"used\":90000000000},\"disk\":{\"total\":500000000000,"
                 "\"free\":300000000000,\"used\":200000000000},\"dominfo\":{\"allocated_cpus\":10,"
                 "\"allocated_memory\":20000,\"total_nodes\":20,\"running_nodes\":12}}}}},"
                 "\"interval_seconds\":15}"},
    [MIX_LABS] =
        {EVENT_LABS_OBSERVED, "/collector/cml/bench",
         "{\"labs\":[{\"lab_id\":\"l1\",\"title\":\"ospf\",\"state\":\"STARTED\",\"owner\":"
         "\"ada\",\"node_count\":4,\"link_count\":#}],\"interval_seconds\":15}"},
    [MIX_ACTIVITY] = {
        EVENT_ACTIVITY_OBSERVED, "/collector/cml/bench",
        "{\"last_activity_at\":\"2026-11-20T10:#:00.000Z\",\"interval_seconds\":60}"}};

static unsigned
value_of (size_t round)
{
    return 10 + (unsigned) (round % 50);
}

//  Of a minute: in the first round all five kinds, in the third EC2 and CML, else CML alone.
static mix_step_t
step_as_collected (size_t workers, size_t n)
{
    static const struct {
        size_t ec2, cloudwatch;
    } BURSTS [ROUNDS_A_MINUTE] = {{1, 1}, {0, 0}, {1, 0}, {0, 0}};
    const mix_kind_t in_a_row [] = {MIX_CML, MIX_LABS, MIX_ACTIVITY};
    size_t minute = n / (15 * workers), at = n % (15 * workers);

    for (size_t quarter = 0; quarter < ROUNDS_A_MINUTE; quarter++) {
        size_t round = minute * ROUNDS_A_MINUTE + quarter;
        if (at < BURSTS [quarter].ec2 * workers) {
            return (mix_step_t){MIX_EC2, at, value_of (round)};
        }
        at -= BURSTS [quarter].ec2 * workers;
        if (at < BURSTS [quarter].cloudwatch * workers) {
            return (mix_step_t){MIX_CLOUDWATCH, at, value_of (round)};
        }
        at -= BURSTS [quarter].cloudwatch * workers;
        if (at < 3 * workers) {
            mix_kind_t kind = in_a_row [at % 3];
            return (mix_step_t){kind, at / 3, value_of (kind == MIX_CML ? round : round / SELDOM)};
        }
        at -= 3 * workers;
    }
    return (mix_step_t){0};
}

mix_step_t
mix_step (mix_order_t order, size_t workers, size_t n)
{
    if (order == MIX_AS_COLLECTED) {
        return step_as_collected (workers, n);
    }
    return (mix_step_t){(mix_kind_t) (n / workers % MIX_KINDS), n % workers,
                        value_of (n / workers)};
}

event_type_t
mix_type (mix_kind_t kind)
{
    return MIX [kind].type;
}

const char *
mix_source (mix_kind_t kind)
{
    return MIX [kind].source;
}

void
mix_write_subject (buffer_t *out, size_t worker)
{
    buffer_format (out, "us-east-1/i-%zu", worker);
}

void
mix_write_data (buffer_t *out, mix_kind_t kind, size_t worker, unsigned value)
{
    for (const char *at = MIX [kind].data; *at; at++) {
        if (*at == '@') {
            buffer_format (out, "%zu", worker);
        } else if (*at == '#') {
            buffer_format (out, "%u", value);
        } else {
            buffer_append (out, at, 1);
        }
    }
}
