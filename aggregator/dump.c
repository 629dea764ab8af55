// dump.c - see dump.h.
//
// SPDX-License-Identifier: MIT

#include "dump.h"

#include "../common/cleanup.h"
#include "../common/feed_frame.h"
#include "../common/json.h"
#include "../common/program.h"

#include <czmq.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT      1
#define LINE_MOST   ((size_t) 32 * 1024 * 1024)
#define EVENTS_A_GO 1000

typedef enum row_kind { ROW_JSON, ROW_TEXT, ROW_BYTES } row_kind_t;

typedef struct row_table {
    const char *key;  //  of the line
    store_table_t table;
    row_kind_t kind;
} row_table_t;

static const row_table_t TABLES [] = {
    {"worker", STORE_WORKERS, ROW_JSON},   {"source", STORE_SOURCES, ROW_TEXT},
    {"samples", STORE_SAMPLES, ROW_BYTES}, {"job", STORE_JOBS, ROW_JSON},
    {"alert", STORE_ALERTS, ROW_JSON},     {"letter", STORE_LETTERS, ROW_JSON},
};
#define TABLE_COUNT (sizeof TABLES / sizeof *TABLES)
_Static_assert(TABLE_COUNT == STORE_TABLE_COUNT, "each table is dumped");

//  --- out

typedef struct writing {
    FILE *out;
    const row_table_t *table;
    uint64_t last;
    size_t lines;
} writing_t;

static void
put_line (writing_t *self, buffer_t *line)
{
    buffer_text (line, "\n");
    if (!buffer_failed (line)) {
        fwrite (line->data, 1, line->size, self->out);  //  ferror tells in the end
        self->lines++;
    }
    buffer_clear (line);
}

static void
put_bytes (json_writer_t *json, const void *bytes, size_t size)
{
    zarmour_t *base64 = zarmour_new ();
    char *text = base64 ? zarmour_encode (base64, bytes, size) : NULL;

    json_put_text (json, text ? text : "");
    zstr_free (&text);
    zarmour_destroy (&base64);
}

static void
write_row (void *argument, const char *key, const void *bytes, size_t size)
{
    writing_t *writing = argument;
    buffer_t line = {0};
    json_writer_t json = json_writer (&line);

    json_open_object (&json);
    json_member_text (&json, writing->table->key, key);
    json_key (&json, "row");
    switch (writing->table->kind) {
    case ROW_JSON: json_put_raw (&json, bytes, size); break;
    case ROW_TEXT: json_put_text_n (&json, bytes, size); break;
    case ROW_BYTES: put_bytes (&json, bytes, size); break;
    }
    json_close_object (&json);
    put_line (writing, &line);
}

static void
write_event (void *argument, uint64_t seq, time_us_t at, const void *header, size_t header_size,
             const void *body, size_t body_size)
{
    writing_t *writing = argument;
    buffer_t line = {0};
    json_writer_t json = json_writer (&line);

    json_open_object (&json);
    json_member_integer (&json, "event", (int64_t) seq);
    json_member_integer (&json, "at_us", at);
    json_key (&json, "header");
    json_put_text_n (&json, header, header_size);
    json_member_raw (&json, "json", body, body_size);
    json_close_object (&json);
    put_line (writing, &line);
    writing->last = seq;
}

static int
write_events (store_t *store, writing_t *writing, reason_t *why)
{
    uint64_t after = store_first (store) - 1;
    int rc = 0;

    while (rc == 0 && after < store_last (store)) {
        writing->last = after;
        rc = store_each_event (store, after, EVENTS_A_GO, write_event, writing, why);
        if (writing->last == after) {
            break;  //  they end before what was told of them
        }
        after = writing->last;
    }
    return rc;
}

static void
write_head (const store_t *store, writing_t *writing)
{
    buffer_t line = {0};
    json_writer_t json = json_writer (&line);

    json_open_object (&json);
    json_member_integer (&json, "format", FORMAT);
    json_member_text (&json, "epoch", store_epoch (store));
    json_member_text (&json, "written_by", program_version ());
    json_close_object (&json);
    put_line (writing, &line);
}

static void
write_end (writing_t *writing)
{
    buffer_t line = {0};
    json_writer_t json = json_writer (&line);

    json_open_object (&json);
    json_member_integer (&json, "end", (int64_t) writing->lines);
    json_close_object (&json);
    put_line (writing, &line);
}

int
dump_write (store_t *store, FILE *out, reason_t *why)
{
    writing_t writing = {.out = out};
    int rc = 0;

    write_head (store, &writing);
    for (size_t i = 0; i < TABLE_COUNT && rc == 0; i++) {
        writing.table = &TABLES [i];
        rc = store_each (store, TABLES [i].table, "", write_row, &writing, why);
    }
    rc = rc < 0 ? rc : write_events (store, &writing, why);
    if (rc == 0) {
        write_end (&writing);
    }
    if (rc == 0 && (fflush (out) != 0 || ferror (out))) {
        return reason_set (why, -EIO, "the dump cannot be written: %s", strerror (errno));
    }
    return rc;
}

//  --- in

typedef struct reading {
    store_t *store;
    uint64_t next;   //  event, 0: any
    size_t lines;    //  before this one
    bool wants_end;  //  dumps had none before they had a format
    bool ended;
} reading_t;

//  What gateways are sent as it lies here.
static int
check_header (const char *text, int64_t seq, reason_t *why)
{
    feed_header_t header;

    int rc = feed_header_parse (&header, text, strlen (text), why);
    if (rc == 0 && (header.kind != FEED_EVENT || header.seq != (uint64_t) seq)) {
        rc = reason_set (why, -EINVAL, "the header of event %lld is not its own", (long long) seq);
    }
    return rc;
}

static int
read_event (reading_t *self, struct json_object *line, int64_t seq, reason_t *why)
{
    const char *header = json_get_text (line, "header");
    struct json_object *body = json_get_object (line, "json");
    int64_t at;
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    if (!header || !body || !json_get_integer (line, "at_us", &at) || seq < 1) {
        return reason_set (why, -EINVAL, "an event has event, at_us, header and json");
    }
    if (self->next != 0 && (uint64_t) seq != self->next) {
        return reason_set (why, -EINVAL, "event %lld stands where %llu is due", (long long) seq,
                           (unsigned long long) self->next);
    }
    int rc = check_header (header, seq, why);
    if (rc < 0) {
        return rc;
    }
    json_put_tree (&json, body);
    if (!buffer_failed (&text)) {
        store_put_event (self->store, (uint64_t) seq, at, header, strlen (header), text.data,
                         text.size);
    }
    buffer_clear (&text);
    self->next = (uint64_t) seq + 1;
    return 0;
}

static int
read_tree (store_t *store, const row_table_t *table, const char *key, struct json_object *line)
{
    struct json_object *row = json_get_object (line, "row");
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    if (!row) {
        return -EINVAL;
    }
    json_put_tree (&json, row);
    if (buffer_failed (&out)) {
        return -ENOMEM;
    }
    store_put (store, table->table, key, out.data, out.size);
    return 0;
}

static int
read_bytes (store_t *store, const row_table_t *table, const char *key, const char *text)
{
    zarmour_t *base64 = zarmour_new ();
    zchunk_t *bytes = base64 ? zarmour_decode (base64, text) : NULL;
    int rc = bytes && zchunk_size (bytes) > 1 ? 0 : -EINVAL;

    if (rc == 0) {  //  it ends with a NUL of zarmour's own
        store_put (store, table->table, key, zchunk_data (bytes), zchunk_size (bytes) - 1);
    }
    zchunk_destroy (&bytes);
    zarmour_destroy (&base64);
    return rc;
}

static int
read_row (store_t *store, struct json_object *line, reason_t *why)
{
    const char *key = NULL, *text = json_get_text (line, "row");
    size_t i = 0;
    int rc = -EINVAL;

    while (i < TABLE_COUNT && !(key = json_get_text (line, TABLES [i].key))) {
        i++;
    }
    if (!key || !*key) {
        return reason_set (why, -EINVAL, "none of epoch, worker, source, samples, job and event");
    }
    if (TABLES [i].kind == ROW_JSON) {
        rc = read_tree (store, &TABLES [i], key, line);
    } else if (text && TABLES [i].kind == ROW_BYTES) {
        rc = read_bytes (store, &TABLES [i], key, text);
    } else if (text) {
        store_put (store, TABLES [i].table, key, text, strlen (text));
        rc = 0;
    }
    static const char *const WANTED [] = {"an object", "a text", "base64"};
    return rc < 0 ? reason_set (why, rc, "the row of a %s is not %s", TABLES [i].key,
                                WANTED [TABLES [i].kind])
                  : 0;
}

static int
read_head (reading_t *self, struct json_object *line, const char *epoch, reason_t *why)
{
    int64_t format = FORMAT;

    self->wants_end = json_get_integer (line, "format", &format);
    if (format > FORMAT) {
        return reason_set (
            why, -EPROTO, "it is of format %lld, made by a newer program (%s); this one knows %d",
            (long long) format,
            json_get_text (line, "written_by") ? json_get_text (line, "written_by") : "unnamed",
            FORMAT);
    }
    return store_set_epoch (self->store, epoch, why);
}

static int
read_line (reading_t *self, const char *text, size_t size, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *line = NULL;
    int64_t number;

    if (json_text_fit (text, size) < size) {
        return reason_set (why, -EILSEQ, "it is not UTF-8");
    }
    int rc = json_parse (&line, text, size, LINE_MOST, why);
    if (rc < 0) {
        return rc;
    }
    const char *epoch = json_get_text (line, "epoch");
    if (self->ended || (self->lines == 0) != (epoch != NULL)) {
        return reason_set (why, -EINVAL,
                           "a dump begins with its epoch, once, and ends with its end");
    }
    if (epoch) {
        return read_head (self, line, epoch, why);
    }
    if (json_get_integer (line, "end", &number)) {
        self->ended = true;
        return number == (int64_t) self->lines
                   ? 0
                   : reason_set (why, -EINVAL, "%lld lines went before, not %zu",
                                 (long long) number, self->lines);
    }
    return json_get_integer (line, "event", &number) ? read_event (self, line, number, why)
                                                     : read_row (self->store, line, why);
}

static bool
is_empty (store_t *store)
{
    return store_last (store) == 0 && store_count (store, STORE_WORKERS) == 0;
}

int
dump_read (store_t *store, FILE *in, reason_t *why)
{
    _cleanup_ (string_destroy) char *text = NULL;
    reading_t reading = {.store = store};
    size_t room = 0;
    ssize_t size;
    reason_t wrong = {0};

    if (!is_empty (store)) {
        return reason_set (why, -EEXIST,
                           "a dump is loaded into an empty store only; name another folder");
    }
    for (; (size = getline (&text, &room, in)) > 0; reading.lines++) {
        int rc = read_line (&reading, text, (size_t) size, &wrong);
        if (rc < 0) {
            return reason_set (why, rc, "line %zu: %.300s", reading.lines + 1, wrong.text);
        }
    }
    if (reading.lines == 0 || ferror (in) || (reading.wants_end && !reading.ended)) {
        return reason_set (why, -EINVAL, "the dump ends after %zu lines without its end: %s",
                           reading.lines, ferror (in) ? strerror (errno) : "it was cut");
    }
    return store_commit (store, why);
}
