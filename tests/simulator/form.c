// SPDX-License-Identifier: MIT

#include "form.h"

#include "../../common/cleanup.h"
#include "../../common/url.h"
#include "noise.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_SIZE 256

typedef struct field {
    const char *name, *value;
} field_t;

struct form {
    field_t *fields;  //  by name
    size_t count;
    char *text;  //  what the fields point into
};

static int
by_name (const void *a, const void *b)
{
    const field_t *left = a, *right = b;
    return strcmp (left->name, right->name);
}

//  Decodes one part into *text_p and moves that past its NUL.
static const char *
decode (char **text_p, const char *from, const char *to)
{
    char *text = *text_p;
    long length = url_decode (text, from, (size_t) (to - from));

    if (length < 0) {
        return NULL;
    }
    *text_p = text + length + 1;
    return text;
}

static int
read_fields (form_t *self, const char *text, size_t size, reason_t *why)
{
    char *out = self->text;
    const char *end = text + size;

    for (const char *at = text; at < end;) {
        const char *stop = memchr (at, '&', (size_t) (end - at));
        stop = stop ? stop : end;
        const char *equals = memchr (at, '=', (size_t) (stop - at));
        if (stop > at) {
            if (self->count == FORM_FIELDS_MAX) {
                return reason_set (why, -E2BIG, "more than %d parameters", FORM_FIELDS_MAX);
            }
            field_t *field = &self->fields [self->count++];
            field->name = decode (&out, at, equals ? equals : stop);
            field->value = decode (&out, equals ? equals + 1 : stop, stop);
            if (!field->name || !field->value) {
                return reason_set (why, -EINVAL, "parameter %zu has a malformed escape",
                                   self->count);
            }
        }
        at = stop + 1;
    }
    return 0;
}

form_t *
form_new (const char *text, size_t size, reason_t *why)
{
    size_t fields = 1;

    for (size_t i = 0; i < size; i++) {
        fields += text [i] == '&';
    }
    _cleanup_ (form_destroy) form_t *self = calloc (1, sizeof *self);
    if (!self) {
        return NULL;
    }
    fields = fields < FORM_FIELDS_MAX ? fields : FORM_FIELDS_MAX;
    self->fields = calloc (fields, sizeof *self->fields);
    self->text = malloc (size + 2 * fields + 2);
    if (!self->fields || !self->text) {
        reason_set (why, -ENOMEM, "out of memory");
        return NULL;
    }
    if (read_fields (self, text, size, why) < 0) {
        return NULL;
    }
    qsort (self->fields, self->count, sizeof *self->fields, by_name);
    return take_ptr (self);
}

void
form_destroy (form_t **self_p)
{
    assert (self_p);

    form_t *self = *self_p;
    if (self) {
        free (self->fields);
        free (self->text);
        free (self);
        *self_p = NULL;
    }
}

const char *
form_get (const form_t *self, const char *format, ...)
{
    char name [NAME_SIZE];
    va_list arguments;

    va_start (arguments, format);
    vsnprintf (name, sizeof name, format, arguments);
    va_end (arguments);
    const field_t key = {.name = name};
    const field_t *found =
        self->count ? bsearch (&key, self->fields, self->count, sizeof key, by_name) : NULL;
    return found ? found->value : NULL;
}

bool
form_is_true (const form_t *self, const char *name)
{
    const char *value = form_get (self, "%s", name);
    return value && strcasecmp (value, "true") == 0;
}

int
form_integer (const form_t *self, const char *name, int64_t least, int64_t most, int64_t initial,
              int64_t *value, reason_t *why)
{
    const char *text = form_get (self, "%s", name);
    char *end = NULL;

    if (!text) {
        *value = initial;
        return 0;
    }
    errno = 0;
    int64_t number = strtoll (text, &end, 10);
    if (end == text || *end != '\0' || errno == ERANGE || number < least || number > most) {
        return reason_set (why, -EINVAL,
                           "Value ( %s ) for parameter %s is invalid. Expecting an integer from "
                           "%" PRId64 " to %" PRId64 ".",
                           text, name, least, most);
    }
    *value = number;
    return 0;
}

uint64_t
form_fingerprint (const form_t *self, const char *but)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->fields [i].name, but) == 0) {
            continue;
        }
        for (const char *c = self->fields [i].name; *c; c++) {
            sum = noise_key (sum, (uint8_t) *c);
        }
        for (const char *c = self->fields [i].value; *c; c++) {
            sum = noise_key (sum, (uint8_t) *c);
        }
    }
    return sum;
}
