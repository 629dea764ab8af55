// top_draw.c - the screen of `cmlwatch top`, whole; see top.h.
//
// SPDX-License-Identifier: MIT

#include "../../common/plain.h"
#include "screen.h"
#include "top.h"

#include <stdio.h>
#include <string.h>

#define ROW_TITLE    0
#define ROW_COUNTERS 1
#define ROW_BANNER   2
#define ROW_COLUMNS  3
#define ROW_FIRST    4
#define GAP          1

int
top_table_rows (void)
{
    int rows = screen_rows () - ROW_FIRST - 1;

    return rows > 1 ? rows : 1;
}

//  --- the head

//  Driven by what was last heard and never by the socket's state.
static screen_style_t
badge_text (const top_t *self, char *text, size_t size)
{
    const live_status_t *status = live_status (self->live);
    time_us_t now = clock_now ().steady;
    const char *mark = screen_is_utf8 () ? "\xe2\x97\x8f " : "* ";
    double left = status->retry_at == TIME_UNKNOWN
                      ? 0
                      : (double) (status->retry_at - now) / (double) SECOND_US;

    switch (status->state) {
    case LIVE_CONNECTED:
        snprintf (text, size,
                  self->proof.missed + self->proof.repaired > 0
                      ? "%sRealtime: connected  %.1f s  missed %llu repaired %llu"
                      : "%sRealtime: connected  %.1f s",
                  mark, (double) (now - status->heard_at) / (double) SECOND_US,
                  (unsigned long long) self->proof.missed,
                  (unsigned long long) self->proof.repaired);
        return SCREEN_GOOD;
    case LIVE_REFUSED: snprintf (text, size, "%sRealtime: error", mark); return SCREEN_BAD;
    case LIVE_DISCONNECTED:
        snprintf (text, size, "%sRealtime: disconnected  retry in %.0f s", mark, left);
        return SCREEN_BAD;
    case LIVE_CONNECTING:
    case LIVE_RECONNECTING:
    case LIVE_ENOUGH: break;
    }
    snprintf (text, size,
              left > 0 ? "%sRealtime: reconnecting  retry in %.0f s" : "%sRealtime: reconnecting",
              mark, left);
    return SCREEN_WARN;
}

static void
draw_title (const top_t *self)
{
    char badge [120], title [CONFIG_TEXT_SIZE + 40], time [CLOCK_TEXT_SIZE];
    screen_style_t style = badge_text (self, badge, sizeof badge);
    int width = (int) plain_width (badge), columns = screen_columns ();

    snprintf (title, sizeof title, "cmlwatch  %.8sZ  %s",
              clock_format (time, clock_now ().wall) + 11, self->session->access->url);
    screen_put (ROW_TITLE, 0, columns - width - 1, false, SCREEN_BOLD, title);
    screen_put (ROW_TITLE, columns > width ? columns - width : 0, width, false, style, badge);
}

static void
draw_counters (const top_t *self)
{
    size_t counts [FLEET_KIND_COUNT];
    char text [80];
    int column = 0;

    fleet_count (top_shown (self), clock_now ().wall, counts);
    for (int kind = 0; kind < FLEET_KIND_COUNT; kind++) {
        bool chosen = self->choice.kind == (fleet_kind_t) kind;
        bool bad = (kind == FLEET_ATTENTION || kind == FLEET_STALE) && counts [kind] > 0;
        snprintf (text, sizeof text, chosen ? "[%zu %s]" : " %zu %s ", counts [kind],
                  FLEET_KINDS [kind]);
        int width = (int) strlen (text);
        screen_put (ROW_COUNTERS, column, width, false,
                    !top_is_live (self) ? SCREEN_FAINT
                    : bad               ? SCREEN_WARN
                    : chosen            ? SCREEN_BOLD
                                        : SCREEN_PLAIN,
                    text);
        column += width + 1;
    }
}

//  One line, and only when it is needed.
static void
draw_banner (const top_t *self)
{
    const live_status_t *status = live_status (self->live);
    char text [700], span [PLAIN_SPAN_SIZE];
    screen_style_t style = SCREEN_WARN;

    if (self->mode == TOP_SEARCH) {
        snprintf (text, sizeof text, "search: %s_", self->search);
        style = SCREEN_BOLD;
    } else if (status->state == LIVE_REFUSED) {
        snprintf (text, sizeof text, "%s", status->why.text);
        style = SCREEN_BAD;
    } else if (self->frozen) {
        snprintf (text, sizeof text, "PAUSED, %llu waiting; p goes on",
                  (unsigned long long) self->waiting);
    } else if (status->lost_at != TIME_UNKNOWN) {
        snprintf (text, sizeof text, "last known values; not live for %s: %s",
                  plain_span (span, clock_now ().steady - status->lost_at), status->why.text);
    } else if (*self->search) {
        snprintf (text, sizeof text, "found by '%s'; Esc shows all", self->search);
        style = SCREEN_PLAIN;
    } else {
        return;
    }
    screen_put (ROW_BANNER, 0, screen_columns (), false, style, text);
}

//  --- the table

typedef struct place {
    worker_column_t column;
    int least, most;  //  characters
    int worth;        //  the least worthy goes first when there is no room
    int width;        //  0: not shown
} place_t;

static const place_t PLACES [] = {
    {WORKER_COLUMN_NAME, 12, 32, 11, 0},  {WORKER_COLUMN_REGION, 12, 14, 5, 0},
    {WORKER_COLUMN_TYPE, 16, 16, 0, 0},   {WORKER_COLUMN_STATUS, 8, 13, 10, 0},
    {WORKER_COLUMN_SERVICE, 9, 11, 8, 0}, {WORKER_COLUMN_CPU, 5, 5, 9, 0},
    {WORKER_COLUMN_MEMORY, 5, 5, 7, 0},   {WORKER_COLUMN_DISK, 5, 5, 3, 0},
    {WORKER_COLUMN_LABS, 4, 4, 4, 0},     {WORKER_COLUMN_IDLE, 6, 6, 2, 0},
    {WORKER_COLUMN_FRESH, 5, 5, 6, 0}};
#define PLACES_COUNT (sizeof PLACES / sizeof *PLACES)

static int
width_of (const place_t *places)
{
    int width = -GAP;

    for (size_t i = 0; i < PLACES_COUNT; i++) {
        width += places [i].width > 0 ? places [i].width + GAP : 0;
    }
    return width;
}

//  Each as narrow as it may be; the least worthy go until the others fit; what is left over widens
//  the first ones.
static void
arrange (place_t places [PLACES_COUNT], int columns)
{
    memcpy (places, PLACES, sizeof PLACES);
    for (size_t i = 0; i < PLACES_COUNT; i++) {
        places [i].width = places [i].least;
    }
    for (int worth = 0; worth < (int) PLACES_COUNT && width_of (places) > columns; worth++) {
        for (size_t i = 0; i < PLACES_COUNT; i++) {
            places [i].width = places [i].worth == worth ? 0 : places [i].width;
        }
    }
    for (size_t i = 0; i < PLACES_COUNT; i++) {
        int left = columns - width_of (places), more = places [i].most - places [i].least;
        if (places [i].width > 0 && left > 0) {
            places [i].width += left < more ? left : more;
        }
    }
}

bool
top_shows (worker_column_t column)
{
    place_t places [PLACES_COUNT];

    arrange (places, screen_columns ());
    for (size_t i = 0; i < PLACES_COUNT; i++) {
        if (places [i].column == column && places [i].width > 0) {
            return true;
        }
    }
    return column == WORKER_COLUMN_NAME;
}

static void
draw_columns (const top_t *self, const place_t *places)
{
    char title [40];
    int column = 0;

    screen_put (ROW_COLUMNS, 0, screen_columns (), false, SCREEN_TITLE, "");
    for (size_t i = 0; i < PLACES_COUNT; i++) {
        const text_column_t *info = &WORKER_COLUMNS [places [i].column];
        bool sorted = places [i].column == self->choice.sort;
        const char *mark = !sorted ? "" : self->choice.reverse ? "^" : "v";
        snprintf (title, sizeof title, "%s%s", info->title, mark);
        if (sorted && (int) strlen (title) > places [i].width) {
            snprintf (title, sizeof title, "%.*s%s", places [i].width - 1, info->title, mark);
        }
        screen_put (ROW_COLUMNS, column, places [i].width, info->right, SCREEN_TITLE, title);
        column += places [i].width > 0 ? places [i].width + GAP : 0;
    }
}

static screen_style_t
style_of (const worker_row_t *row, worker_column_t column, time_us_t now)
{
    switch (column) {
    case WORKER_COLUMN_STATUS:
        return strcmp (row->status, "running") == 0   ? SCREEN_GOOD
               : strcmp (row->status, "failed") == 0  ? SCREEN_BAD
               : strcmp (row->status, "stopped") == 0 ? SCREEN_FAINT
                                                      : SCREEN_WARN;
    case WORKER_COLUMN_SERVICE:
        return fleet_is_kind (row, FLEET_ATTENTION, now) ? SCREEN_BAD : SCREEN_PLAIN;
    case WORKER_COLUMN_FRESH:
        return fleet_is_kind (row, FLEET_ATTENTION, now) ? SCREEN_BAD
               : fleet_is_kind (row, FLEET_STALE, now)   ? SCREEN_WARN
                                                         : SCREEN_PLAIN;
    case WORKER_COLUMN_CPU: return row->cpu >= 90 ? SCREEN_WARN : SCREEN_PLAIN;
    case WORKER_COLUMN_MEMORY: return row->memory >= 90 ? SCREEN_WARN : SCREEN_PLAIN;
    case WORKER_COLUMN_DISK: return row->disk >= 90 ? SCREEN_WARN : SCREEN_PLAIN;
    default: return SCREEN_PLAIN;
    }
}

static void
draw_row (const top_t *self, const place_t *places, int screen_row, const worker_row_t *row,
          bool chosen)
{
    char cell [WORKER_CELL_SIZE];
    time_us_t now = clock_now ().wall;
    int column = 0;

    screen_put (screen_row, 0, screen_columns (), false, chosen ? SCREEN_CHOSEN : SCREEN_PLAIN, "");
    for (size_t i = 0; i < PLACES_COUNT; i++) {
        const char *text = worker_row_cell (row, places [i].column, now, cell);
        screen_style_t style = chosen                ? SCREEN_CHOSEN
                               : !top_is_live (self) ? SCREEN_FAINT
                                                     : style_of (row, places [i].column, now);
        screen_put (screen_row, column, places [i].width, WORKER_COLUMNS [places [i].column].right,
                    style, *text ? text : "-");
        column += places [i].width > 0 ? places [i].width + GAP : 0;
    }
}

//  The cursor stays on its worker, wherever that stands now; without one, on its row.
static void
follow_cursor (top_t *self, const worker_row_t *const *list, size_t count)
{
    size_t rows = (size_t) top_table_rows (), row = self->cursor_row;

    for (size_t i = 0; i < count; i++) {
        if (strcmp (list [i]->id, self->cursor) == 0) {
            row = i;
        }
    }
    row = row < count ? row : count > 0 ? count - 1 : 0;
    self->cursor_row = row;
    snprintf (self->cursor, sizeof self->cursor, "%s", count > 0 ? list [row]->id : "");
    self->first = self->first > row ? row : self->first;
    self->first = row >= self->first + rows ? row - rows + 1 : self->first;
    if (self->first > 0 && self->first + rows > count) {
        self->first = count > rows ? count - rows : 0;
    }
}

static void
draw_table (top_t *self)
{
    const worker_row_t *const *list;
    place_t places [PLACES_COUNT];
    size_t count = fleet_select (top_shown (self), &self->choice, clock_now ().wall, &list);

    arrange (places, screen_columns ());
    draw_columns (self, places);
    follow_cursor (self, list, count);
    for (int i = 0; i < top_table_rows () && self->first + (size_t) i < count; i++) {
        size_t row = self->first + (size_t) i;
        draw_row (self, places, ROW_FIRST + i, list [row], row == self->cursor_row);
    }
    if (count == 0) {
        screen_put (ROW_FIRST, 0, screen_columns (), false, SCREEN_FAINT,
                    fleet_size (top_shown (self)) > 0 ? "none is found; Esc shows all"
                    : top_is_live (self)              ? "there are no workers"
                                                      : "nothing is known yet");
    }
}

//  --- the others

//  Of the link, as the page's badge opens into it.
static void
proof_text (const top_t *self, char *text, size_t size)
{
    const top_proof_t *proof = &self->proof;
    char time [CLOCK_TEXT_SIZE], when [40] = "not proved yet";

    if (proof->proved_at != TIME_UNKNOWN) {
        snprintf (when, sizeof when, "the server's very picture at %.8sZ",
                  clock_format (time, proof->proved_at) + 11);
    }
    snprintf (text, size, "missed %llu, repaired %llu, lost the link %llu times; %s",
              (unsigned long long) proof->missed, (unsigned long long) proof->repaired,
              (unsigned long long) live_status (self->live)->losses, when);
}

static void
draw_help (const top_t *self)
{
    char proof [160];
    static const char *const LINES_OF_HELP [] = {
        "/        search in name, region, id, status, type; Enter keeps, Esc drops",
        "s S      sort by the next, the previous column; numbers from the largest",
        "r        the other way round",
        "f F      filter by the next, the previous counter",
        "p        pause: what is shown stays, what comes is counted",
        "R        reconnect now",
        "Enter    the worker under the cursor, by source; Esc or q leads back",
        "arrows j k g G Page Home End   move",
        "q        quit",
        "",
        WORKER_FRESH_LEGEND,
        "Realtime: connected  so many seconds since the gateway was last heard",
        "Any key leads back."};

    for (size_t i = 0; i < sizeof LINES_OF_HELP / sizeof *LINES_OF_HELP; i++) {
        screen_put (ROW_COLUMNS + (int) i, 2, screen_columns () - 2, false, SCREEN_PLAIN,
                    LINES_OF_HELP [i]);
    }
    proof_text (self, proof, sizeof proof);
    screen_put (ROW_COLUMNS + (int) (sizeof LINES_OF_HELP / sizeof *LINES_OF_HELP), 2,
                screen_columns () - 2, false, SCREEN_PLAIN, proof);
}

static void
draw_foot (const top_t *self)
{
    static const char *const FEET [] = {
        [TOP_TABLE] =
            "q quit  / search  s sort  f filter  p pause  R reconnect  Enter detail  ? help",
        [TOP_SEARCH] = "Enter keep  Esc drop",
        [TOP_HELP] = "any key",
        [TOP_DETAIL] = "Esc back  arrows scroll  ? help"};

    screen_put (screen_rows () - 1, 0, screen_columns (), false, SCREEN_FAINT, FEET [self->mode]);
}

void
top_draw (top_t *self)
{
    self->is_dirty = false;
    screen_clear ();
    draw_title (self);
    draw_counters (self);
    draw_banner (self);
    switch (self->mode) {
    case TOP_TABLE:
    case TOP_SEARCH: draw_table (self); break;
    case TOP_HELP: draw_help (self); break;
    case TOP_DETAIL:
        top_detail_draw (self, ROW_COLUMNS, top_table_rows () + 1, top_is_live (self));
        break;
    }
    draw_foot (self);
    screen_show ();
}
