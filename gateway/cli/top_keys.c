// top_keys.c - what a key does; the page has the same ones. See top.h.
//
// SPDX-License-Identifier: MIT

#include "screen.h"
#include "top.h"

#include <stdio.h>
#include <string.h>

void
top_move (top_t *self, long row)
{
    const worker_row_t *const *list;
    size_t count = fleet_select (top_shown (self), &self->choice, clock_now ().wall, &list);

    row = row < 0 ? 0 : row;
    row = row < (long) count ? row : (long) count - 1;
    self->cursor_row = row > 0 ? (size_t) row : 0;
    snprintf (self->cursor, sizeof self->cursor, "%s",
              count > 0 ? list [self->cursor_row]->id : "");
}

static void
pause_or_go_on (top_t *self)
{
    if (self->frozen) {
        fleet_destroy (&self->frozen);
    } else {
        self->frozen = fleet_copy (self->fleet);
    }
    self->waiting = 0;
}

static void
take_search_key (top_t *self, int key)
{
    size_t size = strlen (self->search);

    switch (key) {
    case SCREEN_KEY_ESCAPE:
        self->search [0] = '\0';
        self->mode = TOP_TABLE;
        break;
    case SCREEN_KEY_ENTER: self->mode = TOP_TABLE; break;
    case SCREEN_KEY_BACKSPACE:
        while (size > 0 && ((unsigned char) self->search [size - 1] & 0xc0) == 0x80) {
            size--;  //  all of a character
        }
        self->search [size > 0 ? size - 1 : 0] = '\0';
        break;
    default:
        if (key >= ' ' && key < 0x100 && size + 1 < sizeof self->search) {
            self->search [size] = (char) key;
            self->search [size + 1] = '\0';
        }
    }
    top_move (self, 0);
}

static void
take_detail_key (top_t *self, int key)
{
    size_t *first = &self->detail.first, page = (size_t) top_table_rows ();

    switch (key) {
    case 'q':
    case SCREEN_KEY_ESCAPE:
    case SCREEN_KEY_ENTER:
    case SCREEN_KEY_BACKSPACE: top_detail_close (self); break;
    case 'j':
    case SCREEN_KEY_DOWN: ++*first; break;
    case 'k':
    case SCREEN_KEY_UP: *first -= *first > 0; break;
    case ' ':
    case SCREEN_KEY_PAGE_DOWN: *first += page; break;
    case SCREEN_KEY_PAGE_UP: *first -= *first < page ? *first : page; break;
    case SCREEN_KEY_HOME: *first = 0; break;
    case '?': self->mode = TOP_HELP; break;
    default: break;
    }
}

//  Keys that move the cursor. False: it is none of these.
static bool
take_move (top_t *self, int key)
{
    long row = (long) self->cursor_row, page = top_table_rows ();

    switch (key) {
    case 'k':
    case SCREEN_KEY_UP: row--; break;
    case 'j':
    case SCREEN_KEY_DOWN: row++; break;
    case SCREEN_KEY_PAGE_UP: row -= page; break;
    case ' ':
    case SCREEN_KEY_PAGE_DOWN: row += page; break;
    case 'g':
    case SCREEN_KEY_HOME: row = 0; break;
    case 'G':
    case SCREEN_KEY_END: row = (long) fleet_size (top_shown (self)); break;
    default: return false;
    }
    top_move (self, row);
    return true;
}

//  Among those that are shown: an order that nobody can see is none.
static void
sort_by_next (fleet_choice_t *choice, int step)
{
    do {
        choice->sort = (worker_column_t) (((int) choice->sort + step) % WORKER_COLUMN_COUNT);
    } while (!top_shows (choice->sort));
}

static bool
take_table_key (top_t *self, int key)
{
    fleet_choice_t *choice = &self->choice;

    switch (key) {
    case 'q': return false;
    case '/': self->mode = TOP_SEARCH; break;
    case 's': sort_by_next (choice, 1); break;
    case 'S': sort_by_next (choice, WORKER_COLUMN_COUNT - 1); break;
    case 'r': choice->reverse = !choice->reverse; break;
    case 'f': choice->kind = (fleet_kind_t) ((choice->kind + 1) % FLEET_KIND_COUNT); break;
    case 'F':
        choice->kind = (fleet_kind_t) ((choice->kind + FLEET_KIND_COUNT - 1) % FLEET_KIND_COUNT);
        break;
    case 'p': pause_or_go_on (self); break;
    case 'R': live_reconnect (self->live, false); break;
    case '?': self->mode = TOP_HELP; break;
    case SCREEN_KEY_ENTER: top_detail_open (self, self->cursor); break;
    case SCREEN_KEY_ESCAPE:
        self->search [0] = '\0';
        choice->kind = FLEET_ALL;
        break;
    default: (void) take_move (self, key);
    }
    return true;
}

bool
top_take_key (top_t *self, int key)
{
    bool goes_on = true;

    self->is_dirty = true;
    switch (self->mode) {
    case TOP_TABLE: goes_on = take_table_key (self, key); break;
    case TOP_SEARCH: take_search_key (self, key); break;
    case TOP_DETAIL: take_detail_key (self, key); break;
    case TOP_HELP:
        if (key != SCREEN_KEY_RESIZED) {
            self->mode = *self->detail.id ? TOP_DETAIL : TOP_TABLE;
        }
        break;
    }
    return goes_on;
}
