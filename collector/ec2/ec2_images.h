// ec2_images.h - names of machine images. They do not change, so each is asked once.
//
// An image may be unknown to us for ever (deregistered, another account's): asked for in a
// batch it makes the whole call fail (InvalidAMIID.NotFound), so what was in a failed batch
// is asked for alone the next time, and seldom. Nothing waits for a name to be known.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_EC2_IMAGES_H
#define COLLECTOR_EC2_IMAGES_H

#include "../../common/observation.h"
#include "../aws/xml.h"

#define EC2_IMAGES_BATCH       100
#define EC2_IMAGES_AGAIN_AFTER (10 * MINUTE_US)

typedef struct ec2_images ec2_images_t;

ec2_images_t *ec2_images_new (void);
void ec2_images_destroy (ec2_images_t **self_p);

//  The image is in use: it is to be known. Null is passed over.
void ec2_images_want (ec2_images_t *self, const char *image_id);

//  Writes the fields (ImageId.N) of the next question, which is marked as asked. Returns how
//  many are in it; 0: there is nothing to ask now.
size_t ec2_images_write_question (ec2_images_t *self, buffer_t *fields, time_us_t now_steady);

//  Rules of DescribeImages; the target is the images.
extern const xml_rule_t EC2_IMAGES_RULES [];

//  Fills what is known of the observation's image; texts are borrowed.
void ec2_images_observe (ec2_images_t *self, instance_observed_t *out);

#endif
