// text_page.c - see text_page.h. What a worker's row is, common/worker_row.h says.
//
// SPDX-License-Identifier: MIT

#include "text_page.h"

#include "../common/cleanup.h"
#include "../common/worker_row.h"
#include "api.h"
#include "filter.h"
#include "reply.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct text_page {
    size_t rows_max;
    metric_t *cut;
};

text_page_t *
text_page_new (int64_t rows_max, metrics_t *metrics)
{
    text_page_t *self = calloc (1, sizeof *self);

    if (self) {
        self->rows_max = (size_t) rows_max;
        self->cut = metrics_add (metrics, METRIC_COUNTER, "cmlwatch_gateway_text_rows_cut_total",
                                 "Workers left out of tables of text: more than text_rows_max");
    }
    return self;
}

void
text_page_destroy (text_page_t **self_p)
{
    free (*self_p);
    *self_p = NULL;
}

static const char *
query_of (struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value (connection, MHD_GET_ARGUMENT_KIND, name);
}

bool
text_page_is_wanted (struct MHD_Connection *connection)
{
    const char *format = query_of (connection, "format");
    const char *accept = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "Accept");
    const char *agent = MHD_lookup_connection_value (connection, MHD_HEADER_KIND, "User-Agent");

    if (format) {
        return strcmp (format, "html") != 0;  //  what is neither is refused by text_page_reply
    }
    if (accept && strstr (accept, "text/html")) {
        return false;
    }
    return (accept && strstr (accept, "text/plain")) ||
           (agent && strncasecmp (agent, "curl/", 5) == 0);
}

//  --- which workers

typedef struct choice {
    filter_t *filter;
    const char *status;  //  null: all
    reason_t why;
} choice_t;

static int
take (choice_t *choice, const char *name, const char *value)
{
    if (strcmp (name, "format") == 0) {
        return strcmp (value, "text") == 0
                   ? 0
                   : reason_set (&choice->why, -EINVAL, "format: '%.40s' is neither text nor html",
                                 value);
    }
    if (strcmp (name, "status") == 0) {
        choice->status = value;
        return api_check_status (value, &choice->why);
    }
    return strcmp (name, "regions") == 0 || strcmp (name, "worker_ids") == 0
               ? filter_set (choice->filter, name, value, &choice->why)
               : reason_set (&choice->why, -EINVAL, "unknown parameter '%.60s'", name);
}

static enum MHD_Result
take_parameter (void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void) kind;
    return take (argument, name, value ? value : "") == 0 ? MHD_YES : MHD_NO;
}

static bool
is_chosen (const choice_t *choice, const replica_worker_t *worker)
{
    return filter_wants_worker (choice->filter, worker->region, worker->worker_id) &&
           filter_shows (choice->filter, worker->region, worker->worker_id) &&
           (!choice->status || strcmp (choice->status, worker->status) == 0);
}

//  --- their rows

typedef struct page {
    worker_row_t *rows;
    size_t count, all;                //  rows; workers that were chosen
    size_t running, stopped, others;  //  of these
} page_t;

static void
page_clear (page_t *self)
{
    free (self->rows);
}

static void
read_row (worker_row_t *row, const replica_worker_t *worker, const mask_t *mask)
{
    _cleanup_ (buffer_clear) buffer_t snapshot = {0};
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    json_writer_t json = json_writer (&snapshot);

    worker_row_init (row);
    replica_write_worker (worker, mask, &json);
    if (json_parse (&tree, snapshot.data, snapshot.size, snapshot.size, NULL) == 0) {
        (void) worker_row_apply (row, tree);
    }
}

static int
by_name (const void *one, const void *two)
{
    return worker_row_compare (one, two, WORKER_COLUMN_NAME);
}

static int
read_page (page_t *page, const text_page_t *self, replica_t *replica, const choice_t *choice,
           const mask_t *mask)
{
    size_t most = replica_size (replica);

    most = most < self->rows_max ? most : self->rows_max;
    page->rows = calloc (most + 1, sizeof *page->rows);
    if (!page->rows) {
        return -ENOMEM;
    }
    for (const replica_worker_t *worker = replica_next (replica, ""); worker;
         worker = replica_next (replica, worker->worker_id)) {
        if (!is_chosen (choice, worker)) {
            continue;
        }
        page->all++;
        page->running += strcmp (worker->status, "running") == 0;
        page->stopped += strcmp (worker->status, "stopped") == 0;
        if (page->count < most) {
            read_row (&page->rows [page->count++], worker, mask);
        }
    }
    page->others = page->all - page->running - page->stopped;
    qsort (page->rows, page->count, sizeof *page->rows, by_name);
    return 0;
}

static bool
write_page (const page_t *page, const char *stale, time_us_t now, buffer_t *out)
{
    char time [CLOCK_TEXT_SIZE], cell [WORKER_CELL_SIZE];
    text_table_t *table = text_table_new (WORKER_COLUMNS, WORKER_COLUMN_COUNT);

    if (!table) {
        return false;
    }
    for (size_t row = 0; row < page->count; row++) {
        for (int column = 0; column < WORKER_COLUMN_COUNT; column++) {
            text_table_add (
                table, worker_row_cell (&page->rows [row], (worker_column_t) column, now, cell));
        }
    }
    buffer_format (out, "cmlwatch  %s  %zu workers: %zu running, %zu stopped, %zu other\n",
                   clock_format (time, now), page->all, page->running, page->stopped, page->others);
    if (stale) {
        buffer_format (out, "NOT LIVE, the last that was known: %s\n", stale);
    }
    buffer_text (out, "\n");
    bool written = text_table_write (table, out);
    if (page->all > page->count) {
        buffer_format (out, "... and %zu more; choose by ?regions=, worker_ids= or status=\n",
                       page->all - page->count);
    }
    buffer_text (out, "\n" WORKER_FRESH_LEGEND "\n"
                      "Live: curl -N .../api/events/stream, or cmlwatch top. JSON: /api/workers\n");
    text_table_destroy (&table);
    return written && !buffer_failed (out);
}

//  --- the answer

//  Who may see how much; the page's route asks nobody.
static int
identify (const http_parts_t *parts, struct MHD_Connection *connection, request_t *request,
          reason_t *why)
{
    return request->identity
               ? 0
               : auth_identify (parts->auth, connection, request->method, &request->identity, why);
}

static enum MHD_Result
send_page (const text_page_t *self, const http_parts_t *parts, struct MHD_Connection *connection,
           const choice_t *choice, const view_t *view)
{
    _cleanup_ (page_clear) page_t page = {0};
    buffer_t out = {0};
    reason_t why = {0};
    bool ready = feed_client_is_ready (parts->feed, &why);

    if (!ready && !feed_client_has_joined (parts->feed)) {
        return reply_problem (connection, MHD_HTTP_SERVICE_UNAVAILABLE, "Unavailable", why.text,
                              NULL);
    }
    if (read_page (&page, self, parts->replica, choice, view->mask) < 0 ||
        !write_page (&page, ready ? NULL : why.text, loop_now (parts->loop).wall, &out)) {
        buffer_clear (&out);
        return MHD_NO;
    }
    if (page.all > page.count) {
        metric_count (self->cut, (double) (page.all - page.count));
    }
    return reply_send_header (connection, MHD_HTTP_OK, "text/plain; charset=utf-8", &out, "Vary",
                              "Accept, User-Agent");
}

enum MHD_Result
text_page_reply (const text_page_t *self, const http_parts_t *parts,
                 struct MHD_Connection *connection, request_t *request)
{
    choice_t choice = {0};
    int rc = identify (parts, connection, request, &choice.why);

    if (rc < 0) {
        return reply_unknown (connection, rc, choice.why.text);
    }
    _cleanup_ (filter_release) filter_t *filter = filter_new ((size_t) parts->filter_names_max);
    if (!filter) {
        return MHD_NO;
    }
    filter_see (filter, request->identity->view);
    choice.filter = filter;
    MHD_get_connection_values (connection, MHD_GET_ARGUMENT_KIND, take_parameter, &choice);
    return choice.why.text [0]
               ? reply_problem (connection, MHD_HTTP_BAD_REQUEST, "Bad parameter", choice.why.text,
                                NULL)
               : send_page (self, parts, connection, &choice, request_view (request));
}
