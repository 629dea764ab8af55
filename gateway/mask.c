// mask.c - see mask.h.
//
// SPDX-License-Identifier: MIT

#include "mask.h"

#include "../common/cleanup.h"
#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MOST     64
#define NAME_SIZE      64
#define NAME_SIGNS     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
#define BLANKS         " \t\r\n"
#define NULL_TEXT      "null"
#define NULL_TEXT_SIZE 4

struct mask {
    name_set_t names;
};

mask_t *
mask_new (const char *names, reason_t *why)
{
    _cleanup_ (mask_destroy) mask_t *self = calloc (1, sizeof *self);
    char name [NAME_SIZE];

    while (self && *names) {
        size_t size = strspn (names, NAME_SIGNS);
        if (size == 0 || size >= sizeof name || (names [size] && names [size] != ',')) {
            reason_set (why, -EINVAL,
                        "masked_fields: '%.40s' must begin with a member's name of letters, "
                        "digits and '_', and others follow after commas",
                        names);
            return NULL;
        }
        memcpy (name, names, size);
        name [size] = '\0';
        if (names_add (&self->names, name, NAMES_MOST) < 0) {
            reason_set (why, -EINVAL, "masked_fields: at most %d names", NAMES_MOST);
            return NULL;
        }
        names += size + (names [size] == ',');
    }
    if (!self) {
        reason_set (why, -ENOMEM, "out of memory");
    }
    return take_ptr (self);
}

void
mask_destroy (mask_t **self_p)
{
    if (*self_p) {
        names_clear (&(*self_p)->names);
        free (*self_p);
        *self_p = NULL;
    }
}

bool
mask_is_empty (const mask_t *self)
{
    return self->names.count == 0;
}

//  Behind the closing quote of the text that begins here, or the end.
static const char *
skip_text (const char *at, const char *end)
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
        at = *at == '"' ? skip_text (at, end) : at + 1;
    } while (at < end && depth > 0);
    return at;
}

//  Behind the value that begins here.
static const char *
skip_value (const char *at, const char *end)
{
    while (at < end && strchr (BLANKS, *at) && *at) {
        at++;
    }
    if (at < end && *at == '"') {
        return skip_text (at, end);
    }
    if (at < end && (*at == '{' || *at == '[')) {
        return skip_nested (at, end);
    }
    while (at < end && !strchr (",}]" BLANKS, *at)) {
        at++;
    }
    return at;
}

static bool
is_masked (const mask_t *self, const char *text, const char *behind)
{
    char name [NAME_SIZE];
    size_t size = (size_t) (behind - text) - 2;

    if (size >= sizeof name) {
        return false;
    }
    memcpy (name, text + 1, size);
    name [size] = '\0';
    return names_have (&self->names, name);
}

bool
mask_write (const mask_t *self, const char *json, size_t size, buffer_t *out)
{
    const char *end = json + size, *from = json, *at = json;
    bool any = false;

    while (at < end) {
        const char *text = memchr (at, '"', (size_t) (end - at));
        if (!text) {
            break;
        }
        at = skip_text (text, end);
        if (at >= end || *at != ':' || !is_masked (self, text, at)) {
            continue;
        }
        buffer_append (out, from, (size_t) (at + 1 - from));
        from = at = skip_value (at + 1, end);
        buffer_append (out, NULL_TEXT, NULL_TEXT_SIZE);
        any = true;
    }
    buffer_append (out, from, (size_t) (end - from));
    return any;
}
