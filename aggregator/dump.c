// dump.c - see dump.h.
//
// SPDX-License-Identifier: MIT

#include "dump.h"

#include "../common/cleanup.h"
#include "../common/json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MOST   ((size_t) 32 * 1024 * 1024)
#define EVENTS_A_GO 1000

//  --- out

typedef struct writing {
    FILE *out;
    const char *key;  //  "worker" or "source"
    bool is_text;     //  its row is no JSON
    uint64_t last;
} writing_t;

static void
put_line (FILE *out, buffer_t *line)
{
    buffer_text (line, "\n");
    if (!buffer_failed (line)) {
        fwrite (line->data, 1, line->size, out);  //  ferror tells in the end
    }
    buffer_clear (line);
}

static void
write_row (void *argument, const char *key, const void *bytes, size_t size)
{
    const writing_t *writing = argument;
    buffer_t line = {0};
    json_writer_t json = json_writer (&line);

    json_open_object (&json);
    json_member_text (&json, writing->key, key);
    if (writing->is_text) {
        json_key (&json, "row");
        json_put_text_n (&json, bytes, size);
    } else {
        json_member_raw (&json, "row", bytes, size);
    }
    json_close_object (&json);
    put_line (writing->out, &line);
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
    put_line (writing->out, &line);
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

int
dump_write (store_t *store, FILE *out, reason_t *why)
{
    writing_t workers = {out, "worker", false, 0}, sources = {out, "source", true, 0};

    fprintf (out, "{\"epoch\":\"%s\"}\n", store_epoch (store));
    int rc = store_each (store, STORE_WORKERS, "", write_row, &workers, why);
    rc = rc < 0 ? rc : store_each (store, STORE_SOURCES, "", write_row, &sources, why);
    rc = rc < 0 ? rc : write_events (store, &workers, why);
    if (rc == 0 && (fflush (out) != 0 || ferror (out))) {
        return reason_set (why, -EIO, "the dump cannot be written: %s", strerror (errno));
    }
    return rc;
}

//  --- in

static int
read_event (store_t *store, struct json_object *line, int64_t seq, uint64_t *next, reason_t *why)
{
    const char *header = json_get_text (line, "header");
    struct json_object *body = json_get_object (line, "json");
    int64_t at;
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    if (!header || !body || !json_get_integer (line, "at_us", &at) || seq < 1) {
        return reason_set (why, -EINVAL, "an event has event, at_us, header and json");
    }
    if (*next != 0 && (uint64_t) seq != *next) {
        return reason_set (why, -EINVAL, "event %lld stands where %llu is due", (long long) seq,
                           (unsigned long long) *next);
    }
    json_put_tree (&json, body);
    if (!buffer_failed (&text)) {
        store_put_event (store, (uint64_t) seq, at, header, strlen (header), text.data, text.size);
    }
    buffer_clear (&text);
    *next = (uint64_t) seq + 1;
    return 0;
}

static int
read_row (store_t *store, struct json_object *line, reason_t *why)
{
    const char *worker = json_get_text (line, "worker"), *source = json_get_text (line, "source");
    const char *text = json_get_text (line, "row");
    struct json_object *row = json_get_object (line, "row");
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    if (source && text) {
        store_put (store, STORE_SOURCES, source, text, strlen (text));
        return 0;
    }
    if (!worker || !row) {
        return reason_set (why, -EINVAL, "neither epoch, worker, source nor event");
    }
    json_put_tree (&json, row);
    if (!buffer_failed (&out)) {
        store_put (store, STORE_WORKERS, worker, out.data, out.size);
    }
    buffer_clear (&out);
    return 0;
}

static int
read_line (store_t *store, const char *text, size_t size, uint64_t *next, reason_t *why)
{
    _cleanup_ (json_destroy) struct json_object *line = NULL;
    int64_t seq;

    int rc = json_parse (&line, text, size, LINE_MOST, why);
    if (rc < 0) {
        return rc;
    }
    const char *epoch = json_get_text (line, "epoch");
    if (epoch) {
        return store_set_epoch (store, epoch, why);
    }
    return json_get_integer (line, "event", &seq) ? read_event (store, line, seq, next, why)
                                                  : read_row (store, line, why);
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
    size_t room = 0, number = 0;
    uint64_t next = 0;
    ssize_t size;
    reason_t wrong = {0};

    if (!is_empty (store)) {
        return reason_set (why, -EEXIST,
                           "a dump is loaded into an empty store only; name another "
                           "folder");
    }
    while ((size = getline (&text, &room, in)) > 0) {
        number++;
        int rc = read_line (store, text, (size_t) size, &next, &wrong);
        if (rc < 0) {
            return reason_set (why, rc, "line %zu: %.300s", number, wrong.text);
        }
    }
    return store_commit (store, why);
}
