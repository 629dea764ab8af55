// leases.c - see leases.h.
//
// SPDX-License-Identifier: MIT

#include "leases.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct holder {
    char collector_id [201];
    char kind [32];
    time_us_t renewed;  //  steady
} holder_t;

struct leases {
    time_us_t ttl_us;
    holder_t *holders;
    size_t count, max;
    uint64_t revision;
};

leases_t *
leases_new (time_us_t ttl_us, size_t collectors_max)
{
    leases_t *self = calloc (1, sizeof *self);

    if (self) {
        self->ttl_us = ttl_us;
        self->max = collectors_max;
        self->holders = calloc (collectors_max, sizeof *self->holders);
        if (!self->holders) {
            leases_destroy (&self);
        }
    }
    return self;
}

void
leases_destroy (leases_t **self_p)
{
    assert (self_p);

    if (*self_p) {
        free ((*self_p)->holders);
        free (*self_p);
        *self_p = NULL;
    }
}

static holder_t *
find (const leases_t *self, const char *collector_id)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->holders [i].collector_id, collector_id) == 0) {
            return &self->holders [i];
        }
    }
    return NULL;
}

bool
leases_renew (leases_t *self, const char *collector_id, const char *kind, time_us_t steady)
{
    holder_t *holder = find (self, collector_id);
    bool fresh = holder == NULL;

    if (fresh) {
        if (self->count == self->max) {
            return false;
        }
        holder = &self->holders [self->count++];
        snprintf (holder->collector_id, sizeof holder->collector_id, "%s", collector_id);
        snprintf (holder->kind, sizeof holder->kind, "%s", kind);
        self->revision++;
    }
    holder->renewed = steady;
    return fresh;
}

bool
leases_has (const leases_t *self, const char *collector_id)
{
    return find (self, collector_id) != NULL;
}

static void
remove_holder (leases_t *self, holder_t *holder)
{
    *holder = self->holders [--self->count];
    self->revision++;
}

bool
leases_leave (leases_t *self, const char *collector_id)
{
    holder_t *holder = find (self, collector_id);

    if (holder) {
        remove_holder (self, holder);
    }
    return holder != NULL;
}

bool
leases_silent (const leases_t *self, time_us_t steady, char collector_id [201], char kind [32])
{
    for (size_t i = 0; i < self->count; i++) {
        const holder_t *holder = &self->holders [i];
        if (steady - holder->renewed > self->ttl_us) {
            memcpy (collector_id, holder->collector_id, sizeof holder->collector_id);
            memcpy (kind, holder->kind, sizeof holder->kind);
            return true;
        }
    }
    return false;
}

//  FNV-1a over both names, then a mix so that near names lie far apart (splitmix64's finish).
static uint64_t
weight (const char *collector_id, const char *unit)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (const char *c = collector_id; *c; c++) {
        hash = (hash ^ (unsigned char) *c) * 0x100000001b3u;
    }
    hash = (hash ^ '|') * 0x100000001b3u;
    for (const char *c = unit; *c; c++) {
        hash = (hash ^ (unsigned char) *c) * 0x100000001b3u;
    }
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return hash ^ (hash >> 31);
}

bool
leases_owns (const leases_t *self, const char *collector_id, const char *kind, const char *unit)
{
    uint64_t own = weight (collector_id, unit);

    for (size_t i = 0; i < self->count; i++) {
        const holder_t *other = &self->holders [i];
        if (strcmp (other->kind, kind) == 0 && strcmp (other->collector_id, collector_id) != 0 &&
            weight (other->collector_id, unit) > own) {
            return false;
        }
    }
    return find (self, collector_id) != NULL;
}

uint64_t
leases_revision (const leases_t *self)
{
    return self->revision;
}

size_t
leases_count (const leases_t *self)
{
    return self->count;
}
