// payload.c - see payload.h.
//
// SPDX-License-Identifier: MIT

#include "payload.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MIX UINT64_C (0x9e3779b97f4a7c15)

int64_t
payload_now_us (void)
{
    struct timespec at;

    clock_gettime (CLOCK_REALTIME, &at);
    return (int64_t) at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

//  A number that looks like chance and is the same in every run (splitmix64).
static uint64_t
mixed (uint64_t x)
{
    x = (x + 1) * MIX;
    x = (x ^ (x >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C (0x94d049bb133111eb);
    return x ^ (x >> 31);
}

//  10.000 to 99.999: always as wide.
static double
percent (uint64_t seq, uint64_t which)
{
    return 10 + (double) (mixed (seq * 8 + which) % 90000) / 1000;
}

void
payload_worker_id (char id [37], uint64_t seq)
{
    uint64_t worker = seq % PAYLOAD_WORKERS, a = mixed (worker), b = mixed (worker + 1000);

    snprintf (id, 37, "%08x-%04x-5%03x-8%03x-%012" PRIx64, (unsigned) (a >> 32),
              (unsigned) (a & 0xffff), (unsigned) ((a >> 16) & 0xfff), (unsigned) (b >> 52),
              b & UINT64_C (0xffffffffffff));
}

size_t
payload_write (char text [PAYLOAD_SIZE_MAX], uint64_t seq, size_t padding)
{
    char id [37];

    payload_worker_id (id, seq);
    int size =
        snprintf (text, PAYLOAD_SIZE_MAX,
                  PAYLOAD_BEGIN
                  "%07" PRIu64 PAYLOAD_STAMP "%016" PRId64 ",\"worker_id\":\"%s\","
                  "\"cml_uptime_seconds\":%06" PRIu64 ",\"cpu_utilization\":%6.3f,"
                  "\"memory_utilization\":%6.3f,\"storage_utilization\":%6.3f,"
                  "\"disk_utilization\":%6.3f,\"updated_at\":\"2026-11-20T10:30:%02u.%03uZ\"%*s}}",
                  seq, payload_now_us (), id, 100000 + seq % 800000, percent (seq, 0),
                  percent (seq, 1), percent (seq, 2), percent (seq, 2), (unsigned) (seq / 500 % 60),
                  (unsigned) (seq * 2 % 1000), (int) padding, "");
    assert (size > 0 && size < PAYLOAD_SIZE_MAX);
    return (size_t) size;
}
