//  A stream as the terminal programs take it: each event into a line of `tail`, and into the table and the proof of
//  `top`. Whatever a worker is named, what is printed moves no cursor, and the rows are those that match, in order.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"
#include "../../common/plain.h"
#include "../../gateway/cli/pretty.h"
#include "../../gateway/cli/top.h"

#define EVENT_MAX 4096
#define NOW       ((time_us_t) 1800000000 * SECOND_US)

typedef struct terminal {
    top_t top;
    pretty_t *pretty;
} terminal_t;

static void
check_plain (const char *text, size_t size)
{
    CHECK (strlen (text) == size && json_text_fit (text, size) == size);
    for (const char *at = text; *at; at++) {
        CHECK ((unsigned char) *at >= ' ' && *at != 0x7f);
    }
}

static bool
take_event (void *argument, const sse_event_t *event)
{
    terminal_t *self = argument;
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    _cleanup_ (buffer_clear) buffer_t line = {0};

    if (strcmp (event->type, "system.state.begin") == 0) {
        fleet_begin (self->top.fleet);
    } else if (strcmp (event->type, "system.state.end") == 0) {
        fleet_end (self->top.fleet);
    }
    if (json_parse (&tree, event->data, event->size, event->size, NULL) < 0) {
        return true;
    }
    struct json_object *data = json_get_object (tree, "data");
    (void) fleet_apply (self->top.fleet, event->type, data);
    top_prove (&self->top, event, data);
    pretty_learn (self->pretty, data);
    pretty_write (self->pretty, tree, &line);
    check_plain (line.data, line.size);
    return true;
}

static void
check_row (const worker_row_t *row, const fleet_t *fleet)
{
    char cell [WORKER_CELL_SIZE];

    CHECK (row->id [0] && fleet_find (fleet, row->id) == row);
    for (int column = 0; column < WORKER_COLUMN_COUNT; column++) {
        const char *text = worker_row_cell (row, (worker_column_t) column, NOW, cell);
        check_plain (text, strlen (text));
        (void) plain_width (text);
    }
}

static void
check_fleet (fleet_t *fleet)
{
    const worker_row_t *const *list = NULL;
    size_t counts [FLEET_KIND_COUNT];

    fleet_count (fleet, NOW, counts);
    CHECK (counts [FLEET_ALL] <= fleet_size (fleet));
    for (int kind = 0; kind < FLEET_KIND_COUNT; kind++) {
        for (int column = 0; column < WORKER_COLUMN_COUNT; column++) {
            const fleet_choice_t choice = {.search = "",
                                           .kind = (fleet_kind_t) kind,
                                           .sort = (worker_column_t) column,
                                           .reverse = column % 2};
            size_t count = fleet_select (fleet, &choice, NOW, &list);
            CHECK (count == counts [kind]);
            for (size_t i = 0; i < count; i++) {
                CHECK (fleet_is_kind (list [i], choice.kind, NOW));
                int order = i ? worker_row_compare (list [i - 1], list [i], choice.sort) : 0;
                CHECK (choice.reverse || order <= 0);
                check_row (list [i], fleet);
            }
        }
    }
    const fleet_choice_t searched = {.search = "a", .sort = WORKER_COLUMN_NAME};
    CHECK (fleet_select (fleet, &searched, NOW, &list) <= counts [FLEET_ALL]);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    terminal_t terminal = {.top = {.fleet = fleet_new ()}, .pretty = pretty_new (false)};
    _cleanup_ (sse_parser_destroy) sse_parser_t *parser =
        sse_parser_new (EVENT_MAX, "", take_event, &terminal);

    CHECK (terminal.top.fleet && terminal.pretty && parser);
    (void) sse_parser_feed (parser, (const char *) data, size);
    check_fleet (terminal.top.fleet);
    fleet_t *copy = fleet_copy (terminal.top.fleet);
    CHECK (copy && fleet_size (copy) == fleet_size (terminal.top.fleet));
    fleet_destroy (&terminal.top.fleet);
    check_fleet (copy);
    fleet_destroy (&copy);
    pretty_destroy (&terminal.pretty);
    return 0;
}
