// image.h - the full state at one number of the log, to be written to any client at its speed.
//
// References to the frames of a replica as they were then: workers in the order of their ids,
// open jobs, the fleet's numbers. Clients that come at about the same time share one, and get
// from the log what came behind its number.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_IMAGE_H
#define GATEWAY_IMAGE_H

#include "event_log.h"
#include "filter.h"
#include "replica.h"

typedef struct image {
    unsigned references;
    char epoch [ENVELOPE_EPOCH_SIZE];
    uint64_t seq;
    time_us_t time;  //  steady, when it was made
    size_t workers, jobs;
    size_t count;
    frame_t *frames [];  //  workers, jobs, numbers
} image_t;

//  Null when memory is out.
image_t *image_new (replica_t *replica, const event_log_t *log, time_us_t now);
//  All the workers and open jobs that the filter's owner may see, whatever it lets through.
void image_count (const image_t *self, const filter_t *filter, size_t *workers, size_t *jobs);
image_t *image_hold (image_t *self);
void image_release (image_t **self_p);

#endif
