// digest.c - see digest.h.
//
// SPDX-License-Identifier: MIT

#include "digest.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define FNV_PRIME 0x00000100000001b3u

static const char END [] = ",\"ec2_freshness\":";
static const char TERMINATED [] = "\"status\":\"terminated\"";

//  Objects that CML or tags brought stand before the end, and might hold its very bytes: the last
//  place is the right one.
static size_t
covered (const char *json, size_t size)
{
    const char *from = json, *last = NULL, *found;

    while ((found = memmem (from, (size_t) (json + size - from), END, sizeof END - 1))) {
        last = found;
        from = found + 1;
    }
    return last ? (size_t) (last - json) : size;
}

//  status stands before anything that could hold other people's keys.
static bool
is_terminated (const char *json, size_t size)
{
    const char *key = memmem (json, size, "\"status\":", sizeof "\"status\":" - 1);

    return key && (size_t) (json + size - key) >= sizeof TERMINATED - 1 &&
           memcmp (key, TERMINATED, sizeof TERMINATED - 1) == 0;
}

uint64_t
digest_of_snapshot (const char *json, size_t size)
{
    uint64_t hash = DIGEST_START;

    if (is_terminated (json, size)) {
        return 0;
    }
    size = covered (json, size);
    for (size_t i = 0; i < size; i++) {
        hash = (hash ^ (unsigned char) json [i]) * FNV_PRIME;
    }
    return hash;
}

uint64_t
digest_more (uint64_t digest, const char *text)
{
    do {
        digest = (digest ^ (unsigned char) *text) * FNV_PRIME;
    } while (*text++);
    return digest;
}

void
digest_text (char text [DIGEST_TEXT_SIZE], uint64_t digest)
{
    snprintf (text, DIGEST_TEXT_SIZE, "%016" PRIx64, digest);
}
