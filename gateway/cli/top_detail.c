// top_detail.c - one worker by source, as GET /api/workers/{id} tells it; see top.h.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "../../common/plain.h"
#include "../../common/url.h"
#include "screen.h"
#include "top.h"

#include <stdio.h>
#include <string.h>

#define REFRESH_US (3 * SECOND_US)
#define KEY_WIDTH  28

//  --- lines

//  Nested objects are told by dots, so that a line can be read by itself.
static void
write_lines (buffer_t *out, const char *prefix, struct json_object *object)
{
    char plain [300], key_text [120];

    json_object_object_foreach (object, key, value)
    {
        snprintf (key_text, sizeof key_text, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_object_is_type (value, json_type_object) && strlen (key_text) < 100) {
            write_lines (out, key_text, value);
        } else {
            plain_text (plain, sizeof plain, value ? json_object_get_string (value) : "-");
            buffer_format (out, "  %-*s %s\n", KEY_WIDTH, key_text, plain);
        }
    }
}

static void
write_detail (buffer_t *out, struct json_object *worker)
{
    char plain [200];

    buffer_reset (out);
    json_object_object_foreach (worker, key, value)
    {
        if (!json_object_is_type (value, json_type_object)) {
            plain_text (plain, sizeof plain, value ? json_object_get_string (value) : "-");
            buffer_format (out, "%-*s %s\n", KEY_WIDTH + 2, key, plain);
        }
    }
    json_object_object_foreach (worker, section, members)
    {
        if (json_object_is_type (members, json_type_object)) {
            buffer_format (out, "\n%s\n", section);
            write_lines (out, "", members);
        }
    }
}

static void
on_answer (void *argument, const http_answer_t *answer)
{
    top_t *self = argument;
    top_detail_t *detail = &self->detail;
    _cleanup_ (json_destroy) struct json_object *tree = NULL;

    detail->call = NULL;
    detail->why.text [0] = '\0';
    self->is_dirty = true;
    if (answer->outcome != HTTP_ANSWERED) {
        detail->why = answer->why;
    } else if (answer->status != 200) {
        session_explain (answer->status, answer->body, answer->size, &detail->why);
    } else if (json_parse (&tree, answer->body, answer->size, answer->size, &detail->why) == 0 &&
               json_object_is_type (tree, json_type_object)) {
        write_detail (&detail->text, tree);
    }
}

static void
ask (top_t *self)
{
    top_detail_t *detail = &self->detail;
    _cleanup_ (buffer_clear) buffer_t url = {0};
    const char *headers [SESSION_HEADERS_MAX + 1] = {"Accept: application/json"};

    session_url (self->session, "/api/workers/", &url);
    url_encode (&url, detail->id);
    http_request_t request = session_request (self->session, url.data, headers, 1);
    detail->asked_at = clock_now ().steady;
    detail->call =
        http_client_send (self->session->client, &request, on_answer, self, &detail->why);
}

void
top_detail_open (top_t *self, const char *id)
{
    if (*id) {
        top_detail_close (self);
        snprintf (self->detail.id, sizeof self->detail.id, "%s", id);
        self->mode = TOP_DETAIL;
        ask (self);
    }
}

void
top_detail_close (top_t *self)
{
    top_detail_t *detail = &self->detail;

    if (detail->call) {
        http_call_cancel (&detail->call);
    }
    buffer_clear (&detail->text);
    *detail = (top_detail_t){0};
    self->mode = TOP_TABLE;
}

void
top_detail_refresh (top_t *self)
{
    if (self->mode == TOP_DETAIL && !self->detail.call && top_is_live (self) && !self->frozen &&
        clock_now ().steady - self->detail.asked_at > REFRESH_US) {
        ask (self);
    }
}

//  --- drawing

void
top_detail_draw (const top_t *self, int first_row, int rows, bool live)
{
    const top_detail_t *detail = &self->detail;
    const char *line = detail->text.size > 0 ? detail->text.data : "";
    char text [600];
    size_t number = 0;

    if (!*line) {
        screen_put (first_row, 0, screen_columns (), false, SCREEN_PLAIN,
                    detail->why.text [0] ? detail->why.text : "asking ...");
        return;
    }
    for (int row = first_row; *line && row < first_row + rows; number++) {
        size_t size = strcspn (line, "\n");
        if (number >= detail->first) {
            bool is_title = size > 0 && *line != ' ' && !memchr (line, ' ', size);
            snprintf (text, sizeof text, "%.*s", (int) size, line);
            screen_put (row++, 0, screen_columns (), false,
                        !live      ? SCREEN_FAINT
                        : is_title ? SCREEN_BOLD
                                   : SCREEN_PLAIN,
                        text);
        }
        line += size + (line [size] == '\n');
    }
}
