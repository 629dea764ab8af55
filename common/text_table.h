// text_table.h - rows of text under titles, each column as wide as its widest cell.
//
// What the gateway answers to curl and what `cmlwatch workers` prints. Cells are made plain
// (plain.h) as they come; one that is longer than CELL_SIZE is cut.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_TEXT_TABLE_H
#define COMMON_TEXT_TABLE_H

#include "buffer.h"

#include <stdbool.h>
#include <stddef.h>

#define TEXT_TABLE_COLUMNS_MAX 24
#define TEXT_TABLE_CELL_SIZE   256

typedef struct text_column {
    const char *title;
    bool right;  //  numbers stand at the right
} text_column_t;

typedef struct text_table text_table_t;

//  columns are borrowed. Null when memory is out.
text_table_t *text_table_new (const text_column_t *columns, size_t count);
void text_table_destroy (text_table_t **self_p);

//  The next cell, row by row; null and "" are `-`.
void text_table_add (text_table_t *self, const char *cell);

//  Titles and whole rows, each with a line's end; no blanks at a line's end. False when memory is
//  out.
bool text_table_write (const text_table_t *self, buffer_t *out);

#endif
