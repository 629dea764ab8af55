// text_table.c - see text_table.h. The cells lie one behind the other, each with its NUL.
//
// SPDX-License-Identifier: MIT

#include "text_table.h"

#include "plain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2  //  columns between two

struct text_table {
    const text_column_t *columns;
    size_t count, next, rows;  //  columns; the one that the next cell is of; whole rows
    size_t widths [TEXT_TABLE_COLUMNS_MAX];
    buffer_t text;
};

text_table_t *
text_table_new (const text_column_t *columns, size_t count)
{
    text_table_t *self = calloc (1, sizeof *self);

    assert (count > 0 && count <= TEXT_TABLE_COLUMNS_MAX);
    if (self) {
        self->columns = columns;
        self->count = count;
        for (size_t i = 0; i < count; i++) {
            self->widths [i] = plain_width (columns [i].title);
        }
    }
    return self;
}

void
text_table_destroy (text_table_t **self_p)
{
    text_table_t *self = *self_p;

    if (self) {
        buffer_clear (&self->text);
        free (self);
        *self_p = NULL;
    }
}

void
text_table_add (text_table_t *self, const char *cell)
{
    char text [TEXT_TABLE_CELL_SIZE];
    size_t column = self->next;

    plain_text (text, sizeof text, cell && *cell ? cell : "-");
    size_t width = plain_width (text);
    self->widths [column] = width > self->widths [column] ? width : self->widths [column];
    buffer_append (&self->text, text, strlen (text) + 1);
    self->next = column + 1 < self->count ? column + 1 : 0;
    self->rows += self->next == 0;
}

static void
write_blanks (size_t count, buffer_t *out)
{
    char *room = buffer_reserve (out, count + 1);

    if (room) {
        memset (room, ' ', count);
        room [count] = '\0';
        out->size += count;
    }
}

static void
write_cell (const text_table_t *self, size_t column, const char *cell, buffer_t *out)
{
    size_t blanks = self->widths [column] - plain_width (cell);
    bool right = self->columns [column].right, last = column + 1 == self->count;

    write_blanks (right ? blanks : 0, out);
    buffer_text (out, cell);
    if (last) {
        buffer_append (out, "\n", 1);
    } else {
        write_blanks ((right ? 0 : blanks) + GAP, out);
    }
}

bool
text_table_write (const text_table_t *self, buffer_t *out)
{
    const char *cell = self->text.data;

    for (size_t i = 0; i < self->count; i++) {
        write_cell (self, i, self->columns [i].title, out);
    }
    for (size_t row = 0; !buffer_failed (&self->text) && row < self->rows; row++) {
        for (size_t i = 0; i < self->count; i++) {
            write_cell (self, i, cell, out);
            cell += strlen (cell) + 1;
        }
    }
    return !buffer_failed (&self->text) && !buffer_failed (out);
}
