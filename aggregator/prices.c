// prices.c - see prices.h.
//
// SPDX-License-Identifier: MIT

#include "prices.h"

#include "../common/cleanup.h"
#include "../common/json.h"

#include <assert.h>
#include <czmq.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 130  //  "<region>/<type>"

struct prices {
    zhashx_t *prices;  //  double, by name
};

static void
free_price (void **price_p)
{
    free (*price_p);
    *price_p = NULL;
}

static char *
trimmed (char *text)
{
    text += strspn (text, " \t\r\n");
    size_t size = strlen (text);
    while (size > 0 && strchr (" \t\r\n", text [size - 1])) {
        text [--size] = '\0';
    }
    return text;
}

//  "eu-central-1/m5zn.metal = 4.8"; where says which entry it is.
static int
take_entry (prices_t *self, char *entry, const char *where, reason_t *why)
{
    char *sign = strchr (entry, '='), *end = NULL;

    if (!sign) {
        return reason_set (why, -EINVAL, "%s'%.80s' is not `[region/]type = USD an hour`", where,
                           entry);
    }
    *sign = '\0';
    char *name = trimmed (entry), *text = trimmed (sign + 1);
    double value = strtod (text, &end);
    if (!*name || strlen (name) >= NAME_SIZE || end == text || *end || !isfinite (value) ||
        value < 0 || value > PRICE_MOST_USD) {
        return reason_set (why, -EINVAL, "%s'%.60s = %.40s' is no type and a price of 0 to %d USD",
                           where, name, text, PRICE_MOST_USD);
    }
    double *price = zhashx_size (self->prices) < PRICES_MAX ? malloc (sizeof *price) : NULL;
    if (!price) {
        return reason_set (why, -ENOMEM, "%smore than %d prices", where, PRICES_MAX);
    }
    *price = value;
    zhashx_update (self->prices, name, price);
    return 0;
}

static int
read_list (prices_t *self, const char *list, reason_t *why)
{
    _cleanup_ (string_destroy) char *copy = strdup (list);
    char *rest = NULL;
    int rc = copy ? 0 : -ENOMEM;

    for (char *entry = copy ? strtok_r (copy, ",", &rest) : NULL; entry && rc == 0;
         entry = strtok_r (NULL, ",", &rest)) {
        entry = trimmed (entry);
        rc = *entry ? take_entry (self, entry, "instance_prices: ", why) : 0;
    }
    return rc;
}

DEFINE_CLEANUP (file_close, FILE *, fclose)

static int
read_file (prices_t *self, const char *path, reason_t *why)
{
    _cleanup_ (file_close) FILE *file = fopen (path, "re");
    _cleanup_ (string_destroy) char *line = NULL;
    size_t capacity = 0;
    char where [400];
    int rc = 0;

    if (!file) {
        return reason_set (why, -errno, "instance_prices %.300s: %s", path, strerror (errno));
    }
    for (int number = 1; rc == 0 && getline (&line, &capacity, file) >= 0; number++) {
        line [strcspn (line, "#")] = '\0';
        char *entry = trimmed (line);
        snprintf (where, sizeof where, "%.300s:%d: ", path, number);
        rc = *entry ? take_entry (self, entry, where, why) : 0;
    }
    return rc == 0 && !feof (file)
               ? reason_set (why, -EIO, "instance_prices %.300s: %s", path, strerror (errno))
               : rc;
}

prices_t *
prices_read (const char *setting, reason_t *why)
{
    _cleanup_ (prices_destroy) prices_t *self = calloc (1, sizeof *self);

    if (!self || !(self->prices = zhashx_new ())) {
        reason_set (why, -ENOMEM, "instance_prices: out of memory");
        return NULL;
    }
    zhashx_set_destructor (self->prices, free_price);
    int rc = strchr (setting, '=') ? read_list (self, setting, why)
             : *setting            ? read_file (self, setting, why)
                                   : 0;
    return rc < 0 ? NULL : take_ptr (self);
}

void
prices_destroy (prices_t **self_p)
{
    assert (self_p);
    prices_t *self = *self_p;

    if (self) {
        zhashx_destroy (&self->prices);
        free (self);
        *self_p = NULL;
    }
}

size_t
prices_count (const prices_t *self)
{
    return zhashx_size (self->prices);
}

double
prices_of (const prices_t *self, const char *region, const char *type)
{
    char name [NAME_SIZE];

    if (!self || !type || zhashx_size (self->prices) == 0) {
        return UNKNOWN;
    }
    snprintf (name, sizeof name, "%s/%s", region, type);
    const double *price = zhashx_lookup (self->prices, name);
    price = price ? price : zhashx_lookup (self->prices, type);
    return price ? *price : UNKNOWN;
}
