// lease.h - what the aggregator has given this collector to read.
//
// Asked over control every renew_ms (operation `lease`), with the revision last heard, so
// an answer is mostly one word: unchanged. An aggregator that is away changes nothing: the
// last list stays, for reading on is what keeps the fleet's view from going blank. Only a
// collector of regions that has never been answered takes its configured regions itself
// after the first question that went unanswered: a double read costs a call and changes
// nothing (design.md section 8). One that only prints (modes.h) asks as an observer: it is told
// all there is and takes nothing from the others.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CORE_LEASE_H
#define COLLECTOR_CORE_LEASE_H

#include "../../common/bus.h"
#include "collector.h"

typedef struct lease lease_t;

typedef struct leased_worker {
    collector_worker_t worker;  //  texts are borrowed from the two below
    struct json_object *json;
    char *subject;
    size_t references;
} leased_worker_t;

leased_worker_t *leased_worker_hold (leased_worker_t *self);
void leased_worker_release (leased_worker_t **self_p);

typedef struct lease_range {  //  numbers that the aggregator did not hear
    uint64_t from, to;
} lease_range_t;

#define LEASE_RANGES_MAX 16

typedef struct lease_list {  //  one answer, taken apart
    char epoch [ENVELOPE_EPOCH_SIZE];
    char revision [64];
    int64_t renew_ms, ttl_ms;
    bool unchanged;
    int64_t heard;  //  the last of our numbers that the aggregator has heard; -1: it does not say
    bool fresh;     //  something of ours was lost: all is to be told again
    lease_range_t resend [LEASE_RANGES_MAX];
    size_t resend_count;
    char **regions;
    size_t regions_count;
    leased_worker_t **workers;
    size_t workers_count;
} lease_list_t;

//  Takes an answer apart. 0, or -EINVAL or -ENOMEM and why, and *self is untouched. A worker
//  without region or instance id is left out.
int lease_list_decode (lease_list_t *self, struct json_object *answer, reason_t *why);
//  The list of a collector that nobody has answered: its own regions.
int lease_list_configured (lease_list_t *self, const char *regions);
void lease_list_clear (lease_list_t *self);

typedef enum lease_news {
    LEASE_CHANGED = 1,  //  the list is another
    LEASE_FORGET = 2,   //  the aggregator began anew, or something of ours was lost
    LEASE_RESEND = 4,   //  it has not heard what stands in the list's resend
    LEASE_ALONE = 8     //  nobody has answered yet, and a question was in vain
} lease_news_t;

typedef void lease_fn (void *argument, unsigned news);

//  fn is called when there is news, never from within lease_new. kind and settings stay the
//  caller's, so do regions, a comma list. source is "/collector/<kind>/<collector_id>".
lease_t *lease_new (loop_t *loop, const char *kind, const char *source,
                    const collector_settings_t *settings, const bus_keys_t *keys,
                    const char *regions, lease_fn *fn, void *argument, metrics_t *metrics,
                    reason_t *why);
void lease_destroy (lease_t **self_p);

//  To be told with each question from the first on: see collector_source_t, lists.
void lease_tell_lists (lease_t *self, uint64_t digest);

const lease_list_t *lease_list (const lease_t *self);

//  From here on each question names the numbers of what is published, and when the aggregator has heard
//  none of it for a while, though it answers, the publisher connects anew: PUB itself never knows that
//  its connection leads nowhere (a middle box that acknowledges). Borrowed; null: nothing is published.
void lease_follow (lease_t *self, bus_publisher_t *publisher);

//  Hands the work back: asks no more and holds the loop until that was heard, at most
//  half a second.
void lease_leave (lease_t *self);

//  True when the aggregator answered within the lease's time; else why says since when not.
bool lease_is_live (const lease_t *self, reason_t *why);

#endif
