// SPDX-License-Identifier: MIT

#include "ec2_publish.h"

#include <stdio.h>

void
ec2_publish_instance (collector_t *core, const ec2_instance_t *row, const char *region,
                      int64_t interval_seconds, ec2_images_t *images, const char *code,
                      const char *message)
{
    observation_t observation;
    instance_observed_t *out = &observation.instance_observed;
    char subject [ENVELOPE_SUBJECT_MAX];

    observation_init (&observation, EVENT_INSTANCE_OBSERVED);
    observation.envelope.time = row->observed;
    ec2_instance_observe (row, out);
    if (images) {
        ec2_images_observe (images, out);
    }
    out->region = region;
    out->interval_seconds = interval_seconds;
    if (*code) {
        out->error_code = code;
        out->error_message = message;
    }
    snprintf (subject, sizeof subject, "%s/%s", region, row->instance_id);
    collector_publish (core, &observation, subject);
}
