// ec2_publish.h - what is said of an instance, by rounds and by jobs alike.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_EC2_PUBLISH_H
#define COLLECTOR_EC2_PUBLISH_H

#include "../core/collector.h"
#include "ec2_images.h"
#include "ec2_listing.h"

//  An instance.observed. code "": its checks were read or not asked for; else message says why they
//  were not. images may be null.
void ec2_publish_instance (collector_t *core, const ec2_instance_t *row, const char *region,
                           int64_t interval_seconds, ec2_images_t *images, const char *code,
                           const char *message);

#endif
