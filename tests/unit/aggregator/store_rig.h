// store_rig.h - a store in a folder of its own, for the tests of it.
//
// SPDX-License-Identifier: MIT

#ifndef UNIT_STORE_RIG_H
#define UNIT_STORE_RIG_H

#include "../../../aggregator/store.h"

#include "worker_rig.h"

#include <stdlib.h>
#include <unistd.h>

typedef struct place {
    char path [64];
    metrics_t *metrics;
    store_settings_t settings;
} place_t;

static inline int
set_up (void **state)
{
    place_t *place = calloc (1, sizeof *place);

    snprintf (place->path, sizeof place->path, "/tmp/cmlwatch-test-store-XXXXXX");
    assert_non_null (mkdtemp (place->path));
    place->metrics = metrics_new (100);
    place->settings = (store_settings_t){.durability = STORE_PROCESS,
                                         .bytes_max = 1 << 30,
                                         .events_max = 1000,
                                         .events_keep_hours = 24,
                                         .check = true};
    snprintf (place->settings.path, sizeof place->settings.path, "%s/store", place->path);
    *state = place;
    return 0;
}

static inline int
tear_down (void **state)
{
    static const char *const FILES [] = {"store/data.mdb", "store/lock.mdb", "store/owner",
                                         "store"};
    place_t *place = *state;

    for (size_t i = 0; i < COUNT (FILES); i++) {
        char path [100];
        snprintf (path, sizeof path, "%s/%s", place->path, FILES [i]);
        (void) remove (path);
    }
    assert_int_equal (rmdir (place->path), 0);
    metrics_destroy (&place->metrics);
    free (place);
    return 0;
}

static inline store_t *
open_store (const place_t *place)
{
    reason_t why = {""};
    store_t *store = store_open (&place->settings, place->metrics, &why);

    if (!store) {
        fail_msg ("%s", why.text);
    }
    return store;
}

static inline void
put_event (store_t *store, uint64_t seq, time_us_t at, size_t size)
{
    char body [8192];

    assert_true (size < sizeof body);
    memset (body, 'x', size);
    snprintf (body, sizeof body, "{\"seq\":%d", (int) seq);
    store_put_event (store, seq, at, "header", 6, body, size);
}

static inline void
commit (store_t *store)
{
    reason_t why = {""};

    if (store_commit (store, &why) < 0) {
        fail_msg ("%s", why.text);
    }
}

#endif
