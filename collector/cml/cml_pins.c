// SPDX-License-Identifier: MIT

#include "cml_pins.h"

#include "../../common/cleanup.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PIN_PREFIX "sha256//"
#define PIN_DIGITS 43  //  of base64 for 32 bytes, and one '='
#define BLANKS     " \t\r\n"
#define EVERYBODY  "*"

struct cml_pins {
    zhashx_t *by_name;  //  name -> pins, apart by ';'
    size_t count;
};

DEFINE_CLEANUP (file_close, FILE *, fclose)

static void
pin_destroy (void **item)
{
    free (*item);
    *item = NULL;
}

static bool
is_pin (const char *text)
{
    static const char DIGITS [] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    if (strncmp (text, PIN_PREFIX, strlen (PIN_PREFIX)) != 0) {
        return false;
    }
    text += strlen (PIN_PREFIX);
    return strspn (text, DIGITS) == PIN_DIGITS && strcmp (text + PIN_DIGITS, "=") == 0;
}

static int
add (cml_pins_t *self, const char *name, const char *pin)
{
    const char *others = zhashx_lookup (self->by_name, name);
    char *all = NULL;

    if (asprintf (&all, "%s%s%s", others ? others : "", others ? ";" : "", pin) < 0) {
        return -ENOMEM;
    }
    zhashx_update (self->by_name, name, all);
    self->count++;
    return 0;
}

//  Cuts the blanks at both ends; returns where the text begins.
static char *
trim (char *text)
{
    text += strspn (text, BLANKS);
    size_t size = strlen (text);
    while (size > 0 && strchr (BLANKS, text [size - 1])) {
        text [--size] = '\0';
    }
    return text;
}

static int
read_line (cml_pins_t *self, char *line, const char *path, unsigned number, reason_t *why)
{
    char *name = trim (line);
    if (!*name || *name == '#') {
        return 0;
    }
    size_t size = strlen (name);
    char *pin = name + size;
    while (pin > name && !strchr (BLANKS, pin [-1])) {
        pin--;
    }
    if (pin == name || !is_pin (pin)) {
        return reason_set (why, -EINVAL,
                           "%s:%u: '%.60s' is not `<instance id, name, address or *> "
                           "sha256//<base64 of 32 bytes>`",
                           path, number, name);
    }
    pin [-1] = '\0';
    if (self->count >= CML_PINS_MAX) {
        return reason_set (why, -E2BIG, "%s:%u: more than %d fingerprints", path, number,
                           CML_PINS_MAX);
    }
    int rc = add (self, trim (name), pin);
    return rc < 0 ? reason_set (why, rc, "%s:%u: out of memory", path, number) : 0;
}

cml_pins_t *
cml_pins_read_stream (FILE *file, const char *path, reason_t *why)
{
    _cleanup_ (cml_pins_destroy) cml_pins_t *self = calloc (1, sizeof *self);
    char line [CML_PINS_LINE_MAX];

    if (!self) {
        reason_set (why, -ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    self->by_name = zhashx_new ();
    zhashx_set_destructor (self->by_name, pin_destroy);
    for (unsigned number = 1; fgets (line, sizeof line, file); number++) {
        if (!strchr (line, '\n') && !feof (file)) {
            reason_set (why, -E2BIG, "%s:%u: longer than %d bytes", path, number,
                        CML_PINS_LINE_MAX - 2);
            return NULL;
        }
        if (read_line (self, line, path, number, why) < 0) {
            return NULL;
        }
    }
    if (ferror (file)) {
        reason_set (why, -EIO, "%s: %s", path, strerror (errno));
        return NULL;
    }
    return take_ptr (self);
}

cml_pins_t *
cml_pins_read (const char *path, reason_t *why)
{
    _cleanup_ (file_close) FILE *file = fopen (path, "re");

    if (!file) {
        reason_set (why, -errno, "%s: %s", path, strerror (errno));
        return NULL;
    }
    return cml_pins_read_stream (file, path, why);
}

void
cml_pins_destroy (cml_pins_t **self_p)
{
    assert (self_p);

    cml_pins_t *self = *self_p;
    if (self) {
        zhashx_destroy (&self->by_name);
        free (self);
        *self_p = NULL;
    }
}

const char *
cml_pins_find (const cml_pins_t *self, const char *instance_id, const char *name,
               const char *address)
{
    const char *const names [] = {instance_id, name, address, EVERYBODY};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *pins = *names [i] ? zhashx_lookup (self->by_name, names [i]) : NULL;
        if (pins) {
            return pins;
        }
    }
    return NULL;
}
