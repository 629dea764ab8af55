// leases.c - see leases.h.
//
// SPDX-License-Identifier: MIT

#include "leases.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LISTS_SIZE 65

typedef struct holder {
    char collector_id [201];
    char kind [32];
    char lists [LISTS_SIZE];
    bool told_lists;
    time_us_t renewed;      //  steady
    uint64_t joined, told;  //  revisions; told: of the last answer
} holder_t;

#define GONE_MOST 64  //  beyond it, the oldest are taken to have been heard of by all

typedef struct gone {
    char collector_id [201];
    char kind [32];
    uint64_t left;  //  revision
} gone_t;

struct leases {
    time_us_t ttl_us;
    holder_t *holders;
    size_t count, max;
    uint64_t revision;
    gone_t gone [GONE_MOST];  //  a ring
    size_t gone_next;
    char kinds [LEASES_KINDS_MOST][32];
    size_t kinds_count;
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

static void
note_kind (leases_t *self, const char *kind)
{
    size_t at = 0;

    while (at < self->kinds_count && strcmp (self->kinds [at], kind) != 0) {
        at++;
    }
    if (at == self->kinds_count && at < LEASES_KINDS_MOST) {
        snprintf (self->kinds [self->kinds_count++], sizeof self->kinds [0], "%s", kind);
    }
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
        holder->joined = ++self->revision;
        holder->told = 0;
        holder->told_lists = false;
        note_kind (self, kind);
    }
    holder->renewed = steady;
    return fresh;
}

//  Whether one of the kind that was heard stands before this place with the same lists.
static bool
is_known (const leases_t *self, size_t place)
{
    const holder_t *holder = &self->holders [place];

    for (size_t i = 0; i < place; i++) {
        const holder_t *other = &self->holders [i];
        if (strcmp (other->kind, holder->kind) == 0 && strcmp (other->lists, holder->lists) == 0) {
            return true;
        }
    }
    return false;
}

const char *
leases_take_lists (leases_t *self, const char *collector_id, const char *lists)
{
    holder_t *holder = find (self, collector_id);

    if (!holder || (holder->told_lists && strncmp (holder->lists, lists, LISTS_SIZE - 1) == 0)) {
        return NULL;
    }
    snprintf (holder->lists, sizeof holder->lists, "%s", lists);
    holder->told_lists = true;
    for (size_t i = 0; i < self->count; i++) {
        const holder_t *other = &self->holders [i];
        if (strcmp (other->kind, holder->kind) == 0 && strcmp (other->lists, holder->lists) != 0) {
            return other->collector_id;
        }
    }
    return NULL;
}

size_t
leases_lists (const leases_t *self, const char *kind)
{
    size_t lists = 0;

    for (size_t i = 0; i < self->count; i++) {
        lists += strcmp (self->holders [i].kind, kind) == 0 && !is_known (self, i);
    }
    return lists;
}

bool
leases_has (const leases_t *self, const char *collector_id)
{
    return find (self, collector_id) != NULL;
}

static void
remove_holder (leases_t *self, holder_t *holder)
{
    gone_t *gone = &self->gone [self->gone_next++ % GONE_MOST];

    memcpy (gone->collector_id, holder->collector_id, sizeof gone->collector_id);
    memcpy (gone->kind, holder->kind, sizeof gone->kind);
    gone->left = ++self->revision;
    *holder = self->holders [--self->count];
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

const char *
leases_owner (const leases_t *self, const char *kind, const char *unit)
{
    const holder_t *owner = NULL;
    uint64_t most = 0;

    for (size_t i = 0; i < self->count; i++) {
        const holder_t *holder = &self->holders [i];
        uint64_t own = strcmp (holder->kind, kind) == 0 ? weight (holder->collector_id, unit) : 0;
        if (own > most) {
            most = own;
            owner = holder;
        }
    }
    return owner ? owner->collector_id : NULL;
}

void
leases_told (leases_t *self, const char *collector_id)
{
    holder_t *holder = find (self, collector_id);

    if (holder) {
        holder->told = self->revision;
    }
}

//  It was told that it owns the unit: the weightiest of those that were there then.
static bool
reads (const leases_t *self, const holder_t *holder, const char *unit)
{
    uint64_t own = weight (holder->collector_id, unit);

    for (size_t i = 0; i < self->count; i++) {
        const holder_t *other = &self->holders [i];
        if (other != holder && other->joined <= holder->told &&
            strcmp (other->kind, holder->kind) == 0 && weight (other->collector_id, unit) > own) {
            return false;
        }
    }
    for (size_t i = 0; i < GONE_MOST; i++) {
        const gone_t *gone = &self->gone [i];
        if (gone->left > holder->told && strcmp (gone->kind, holder->kind) == 0 &&
            strcmp (gone->collector_id, holder->collector_id) != 0 &&
            weight (gone->collector_id, unit) > own) {
            return false;
        }
    }
    return holder->told > 0;
}

size_t
leases_readers (const leases_t *self, const char *kind, const char *unit)
{
    size_t readers = 0;

    for (size_t i = 0; i < self->count; i++) {
        const holder_t *holder = &self->holders [i];
        readers += strcmp (holder->kind, kind) == 0 && reads (self, holder, unit);
    }
    return readers;
}

size_t
leases_kinds (const leases_t *self)
{
    return self->kinds_count;
}

const char *
leases_kind (const leases_t *self, size_t place)
{
    return self->kinds [place];
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
