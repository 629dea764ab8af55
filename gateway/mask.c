// mask.c - see mask.h.
//
// SPDX-License-Identifier: MIT

#include "mask.h"

#include "../common/cleanup.h"
#include "names.h"
#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MOST     64
#define NAME_SIZE      64
#define NAME_SIGNS     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
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
        at = scan_text (text, end);
        if (at >= end || *at != ':' || !is_masked (self, text, at)) {
            continue;
        }
        buffer_append (out, from, (size_t) (at + 1 - from));
        from = at = scan_value (at + 1, end);
        buffer_append (out, NULL_TEXT, NULL_TEXT_SIZE);
        any = true;
    }
    buffer_append (out, from, (size_t) (end - from));
    return any;
}

void
mask_put (const mask_t *self, const char *value, size_t size, json_writer_t *out)
{
    buffer_t masked = {0};

    if (self && mask_write (self, value, size, &masked)) {
        json_put_raw (out, masked.data, masked.size);
    } else {
        json_put_raw (out, value, size);
    }
    out->out->failed |= buffer_failed (&masked);
    buffer_clear (&masked);
}
