// plain.h - text from elsewhere made fit for a terminal, and the room it takes there.
//
// A worker's name is a tag that anybody with rights in AWS can write. Printed as it is it could
// move the cursor, recolour or retitle the window, or turn the line's direction round, so whatever
// prints a value for people prints it through here. The widths are those of common terminals:
// East Asian wide characters and emoji take two columns, combining marks none.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_PLAIN_H
#define COMMON_PLAIN_H

#include "clock.h"

#include <stddef.h>

//  Copies text with '?' for control characters, for what turns its direction and for bytes that
//  are no UTF-8, cut at a character when out is full. Returns out.
const char *plain_text (char *out, size_t size, const char *text);

//  Columns that a plain text takes.
size_t plain_width (const char *text);

//  How many bytes of a plain text fit into columns; what they take in *taken.
size_t plain_fit (const char *text, size_t columns, size_t *taken);

#define PLAIN_SPAN_SIZE 24

//  A length of time for people, in at most two units: `41s`, `5m`, `2h05m`, `3d04h`. Negative: 0s.
const char *plain_span (char out [PLAIN_SPAN_SIZE], time_us_t span);

#endif
