// scan.h - JSON of our own writer, walked as text, without a tree.
//
// It has no blanks between its parts, and names of members are never escaped. What is not such
// JSON ends the walk early; nothing is read behind the end.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_SCAN_H
#define GATEWAY_SCAN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct scan_member {
    const char *name, *value;  //  the name without its quotes, a text's value with them
    size_t name_size, value_size;
} scan_member_t;

//  Behind the closing quote of the text that begins here, or the end.
const char *scan_text (const char *at, const char *end);
//  Behind the value that begins here, or the end.
const char *scan_value (const char *at, const char *end);

//  The members of the object that *at begins with, one after the other; false: no more.
bool scan_next (const char **at, const char *end, scan_member_t *member);
bool scan_find (const char *json, size_t size, const char *name, scan_member_t *member);

bool scan_is_named (const scan_member_t *member, const char *name);
//  A text's value, which has no escapes, cut to what fits; "" for another kind.
void scan_copy (const scan_member_t *member, char *out, size_t size);

#endif
