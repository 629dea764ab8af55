// quota.h - how many requests a second one client may make: a token bucket for each.
//
// The key is a user's name, or the network of an address where nobody has to log in. At rate r a
// client may make two seconds' worth at once. Streams do not count: they are admitted at a pace of
// their own (admission.h). Buckets that are full again are forgotten; when all keys are in use, the
// rest share one bucket.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_QUOTA_H
#define GATEWAY_QUOTA_H

#include "../common/clock.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct quota quota_t;

#define QUOTA_KEYS_MOST 65536

//  per_second 0: no bound. Null when memory is out.
quota_t *quota_new (int64_t per_second);
void quota_destroy (quota_t **self_p);

//  False: it has to wait.
bool quota_take (quota_t *self, const char *key, time_us_t steady);
size_t quota_keys (const quota_t *self);

#endif
