// scan.c - see scan.h.
//
// SPDX-License-Identifier: MIT

#include "scan.h"

#include <stdio.h>
#include <string.h>

#define BLANKS " \t\r\n"

const char *
scan_text (const char *at, const char *end)
{
    for (at++; at < end && *at != '"'; at++) {
        at += *at == '\\' && at + 1 < end;
    }
    return at < end ? at + 1 : end;
}

//  Behind the object or list that begins here.
static const char *
skip_nested (const char *at, const char *end)
{
    int depth = 0;

    do {
        depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
        at = *at == '"' ? scan_text (at, end) : at + 1;
    } while (at < end && depth > 0);
    return at;
}

const char *
scan_value (const char *at, const char *end)
{
    while (at < end && strchr (BLANKS, *at) && *at) {
        at++;
    }
    if (at < end && *at == '"') {
        return scan_text (at, end);
    }
    if (at < end && (*at == '{' || *at == '[')) {
        return skip_nested (at, end);
    }
    while (at < end && !strchr (",}]" BLANKS, *at)) {
        at++;
    }
    return at;
}

bool
scan_next (const char **at, const char *end, scan_member_t *member)
{
    const char *name = *at + 1;

    if (*at >= end || (**at != '{' && **at != ',') || name >= end || *name != '"') {
        return false;
    }
    const char *behind = scan_text (name, end);
    if (behind >= end || *behind != ':') {
        return false;
    }
    *at = scan_value (behind + 1, end);
    *member = (scan_member_t){.name = name + 1,
                              .name_size = (size_t) (behind - name) - 2,
                              .value = behind + 1,
                              .value_size = (size_t) (*at - behind) - 1};
    return member->value_size > 0;
}

bool
scan_find (const char *json, size_t size, const char *name, scan_member_t *member)
{
    const char *at = json, *end = json + size;

    while (scan_next (&at, end, member)) {
        if (scan_is_named (member, name)) {
            return true;
        }
    }
    return false;
}

bool
scan_is_named (const scan_member_t *member, const char *name)
{
    return strlen (name) == member->name_size &&
           memcmp (name, member->name, member->name_size) == 0;
}

void
scan_copy (const scan_member_t *member, char *out, size_t size)
{
    bool text = member->value_size >= 2 && *member->value == '"';

    snprintf (out, size, "%.*s", text ? (int) (member->value_size - 2) : 0,
              text ? member->value + 1 : "");
}
