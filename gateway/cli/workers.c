// workers.c - `cmlwatch workers`: the fleet as it is now, a row for each worker.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/url.h"
#include "../../common/worker_row.h"
#include "output.h"
#include "pages.h"
#include "words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings {
    access_t access;
    char regions [CONFIG_TEXT_SIZE], worker_ids [CONFIG_TEXT_SIZE], status [CONFIG_TEXT_SIZE];
    int sort;
    bool json;
} settings_t;

static const char *const SORTS [] = {"name",   "region", "type", "status", "service", "cpu",
                                     "memory", "disk",   "labs", "idle",   "fresh",   NULL};
_Static_assert(sizeof SORTS / sizeof *SORTS == WORKER_COLUMN_COUNT + 1, "one for each column");

// clang-format off
static const config_key_t KEYS [] = {
    COMMAND_KEYS (settings_t),
    {"regions",    CONFIG_TEXT,   offsetof (settings_t, regions),    "",     0, 0, NULL,  "only these, apart by commas"},
    {"region",     CONFIG_TEXT,   offsetof (settings_t, regions),    "",     0, 0, NULL,  "the same, as GET /api/workers has it"},
    {"worker_ids", CONFIG_TEXT,   offsetof (settings_t, worker_ids), "",     0, 0, NULL,  "only these, by worker or EC2 instance id, apart by commas"},
    {"status",     CONFIG_TEXT,   offsetof (settings_t, status),     "",     0, 0, NULL,  "only in these, apart by commas: running, stopped, ..."},
    {"sort",       CONFIG_CHOICE, offsetof (settings_t, sort),       "name", 0, 0, SORTS, "by this column; numbers from the largest"},
    {"json",       CONFIG_FLAG,   offsetof (settings_t, json),       "no",   0, 0, NULL,  "the canonical snapshots, as {\"workers\": [...]}"},
    {0},
};
// clang-format on

typedef struct worker {
    worker_row_t row;
    struct json_object *snapshot;
} worker_t;

typedef struct list {
    const settings_t *own;
    buffer_t workers;  //  of worker_t
    size_t count;
} list_t;

static void
list_clear (list_t *self)
{
    worker_t *workers = (void *) self->workers.data;

    for (size_t i = 0; i < self->count; i++) {
        json_object_put (workers [i].snapshot);
    }
    buffer_clear (&self->workers);
}

static void
take (void *argument, struct json_object *snapshot)
{
    list_t *self = argument;
    const settings_t *own = self->own;
    worker_t worker = {0};

    worker_row_init (&worker.row);
    (void) worker_row_apply (&worker.row, snapshot);
    if (words_have (own->regions, worker.row.region) &&
        words_have (own->status, worker.row.status) &&
        (words_have (own->worker_ids, worker.row.id) ||
         words_have (own->worker_ids, worker.row.instance_id))) {
        worker.snapshot = json_object_get (snapshot);
        buffer_append (&self->workers, &worker, sizeof worker);
        self->count += !buffer_failed (&self->workers);
    }
}

static int
compare (const void *one, const void *two, void *own)
{
    const worker_t *a = one, *b = two;
    const settings_t *settings = own;

    return worker_row_compare (&a->row, &b->row, (worker_column_t) settings->sort);
}

static bool
write_json (const worker_t *workers, size_t count, buffer_t *out)
{
    json_writer_t json = json_writer (out);

    json_open_object (&json);
    json_key (&json, "workers");
    json_open_array (&json);
    for (size_t i = 0; i < count; i++) {
        json_put_tree (&json, workers [i].snapshot);
    }
    json_close_array (&json);
    json_close_object (&json);
    buffer_text (out, "\n");
    return !buffer_failed (out);
}

static bool
write_table (const worker_t *workers, size_t count, buffer_t *out)
{
    _cleanup_ (text_table_destroy) text_table_t *table =
        text_table_new (WORKER_COLUMNS, WORKER_COLUMN_COUNT);
    time_us_t now = clock_now ().wall;
    char cell [WORKER_CELL_SIZE];

    for (size_t i = 0; table && i < count; i++) {
        for (int column = 0; column < WORKER_COLUMN_COUNT; column++) {
            text_table_add (
                table, worker_row_cell (&workers [i].row, (worker_column_t) column, now, cell));
        }
    }
    return table && text_table_write (table, out);
}

//  One region or status is chosen by the gateway already.
static void
write_path (const settings_t *own, buffer_t *out)
{
    _cleanup_ (buffer_clear) buffer_t query = {0};

    url_add_field (&query, "limit", "1000");
    if (*own->regions && !strchr (own->regions, ',')) {
        url_add_field (&query, "region", own->regions);
    }
    if (*own->status && !strchr (own->status, ',')) {
        url_add_field (&query, "status", own->status);
    }
    buffer_format (out, "/api/workers?%s", query.data);
}

static int
run (const void *settings, reason_t *why)
{
    const settings_t *own = settings;
    _cleanup_ (session_close) session_t session = {0};
    _cleanup_ (list_clear) list_t list = {.own = own};
    _cleanup_ (buffer_clear) buffer_t path = {0};
    _cleanup_ (buffer_clear) buffer_t out = {0};

    write_path (own, &path);
    if (session_open (&session, &own->access, why) < 0 ||
        pages_each (&session, path.data, "workers", take, &list, why) < 0) {
        return EXIT_FAILURE;
    }
    worker_t *workers = (void *) list.workers.data;
    if (list.count > 1) {
        qsort_r (workers, list.count, sizeof *workers, compare, (void *) (uintptr_t) own);
    }
    bool written = own->json ? write_json (workers, list.count, &out)
                             : write_table (workers, list.count, &out);
    return output_print (&out, written, why);
}

const command_t WORKERS = {
    .name = "workers",
    .summary = "the workers as they are now",
    .notes = WORKER_FRESH_LEGEND "\n",
    .keys = KEYS,
    .settings_size = sizeof (settings_t),
    .run = run,
};
