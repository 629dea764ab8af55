// quota.c - see quota.h.
//
// SPDX-License-Identifier: MIT

#include "quota.h"

#include <czmq.h>
#include <stdlib.h>

#define BURST_SECONDS 2

typedef struct bucket {
    double used;
    time_us_t at;
} bucket_t;

struct quota {
    double per_second;
    zhashx_t *buckets;
    bucket_t others;
};

static void
destroy_bucket (void **bucket_p)
{
    free (*bucket_p);
    *bucket_p = NULL;
}

quota_t *
quota_new (int64_t per_second)
{
    quota_t *self = calloc (1, sizeof *self);

    if (self) {
        self->per_second = (double) per_second;
        self->buckets = zhashx_new ();
        zhashx_set_destructor (self->buckets, destroy_bucket);
    }
    return self;
}

void
quota_destroy (quota_t **self_p)
{
    if (*self_p) {
        zhashx_destroy (&(*self_p)->buckets);
        free (*self_p);
        *self_p = NULL;
    }
}

static double
used_now (const quota_t *self, const bucket_t *bucket, time_us_t steady)
{
    double back = (double) (steady - bucket->at) / (double) SECOND_US * self->per_second;

    return bucket->used > back ? bucket->used - back : 0;
}

static void
forget_full (quota_t *self, time_us_t steady)
{
    zlistx_t *keys = zhashx_keys (self->buckets);

    for (const char *key = zlistx_first (keys); key; key = zlistx_next (keys)) {
        if (used_now (self, zhashx_lookup (self->buckets, key), steady) <= 0) {
            zhashx_delete (self->buckets, key);
        }
    }
    zlistx_destroy (&keys);
}

static bucket_t *
bucket_of (quota_t *self, const char *key, time_us_t steady)
{
    bucket_t *bucket = zhashx_lookup (self->buckets, key);

    if (!bucket && zhashx_size (self->buckets) >= QUOTA_KEYS_MOST) {
        forget_full (self, steady);
    }
    if (!bucket && zhashx_size (self->buckets) < QUOTA_KEYS_MOST) {
        bucket = calloc (1, sizeof *bucket);
        if (bucket) {
            bucket->at = steady;
            zhashx_insert (self->buckets, key, bucket);
        }
    }
    return bucket ? bucket : &self->others;
}

bool
quota_take (quota_t *self, const char *key, time_us_t steady)
{
    if (self->per_second <= 0) {
        return true;
    }
    bucket_t *bucket = bucket_of (self, key, steady);
    bucket->used = used_now (self, bucket, steady);
    bucket->at = steady;
    if (bucket->used + 1 > BURST_SECONDS * self->per_second) {
        return false;
    }
    bucket->used++;
    return true;
}

size_t
quota_keys (const quota_t *self)
{
    return zhashx_size (self->buckets);
}
