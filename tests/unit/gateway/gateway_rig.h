// gateway_rig.h - feed headers as the aggregator sends them, and cmocka in its order.
#ifndef TESTS_UNIT_GATEWAY_RIG_H
#define TESTS_UNIT_GATEWAY_RIG_H

#include "../../../common/cleanup.h"
#include "../../../common/feed_frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define COUNT(array) (sizeof (array) / sizeof *(array))
#define EPOCH        "0badcafe"
#define WORKER_A     "aaaaaaaa-0000-5000-8000-000000000001"
#define WORKER_B     "bbbbbbbb-0000-5000-8000-000000000002"

static inline feed_header_t
header_of (feed_kind_t kind, event_type_t type, const char *worker_id, uint64_t seq)
{
    feed_header_t header = {.kind = kind, .type = type, .seq = seq};

    if (type != EVENT_UNKNOWN) {
        snprintf (header.type_name, sizeof header.type_name, "%s", event_type_name (type));
    }
    snprintf (header.epoch, sizeof header.epoch, "%s", EPOCH);
    snprintf (header.region, sizeof header.region, "us-east-1");
    snprintf (header.worker_id, sizeof header.worker_id, "%s", worker_id ? worker_id : "");
    return header;
}

#endif
