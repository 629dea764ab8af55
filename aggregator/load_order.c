// load_order.c - see load_order.h.
//
// SPDX-License-Identifier: MIT

#include "load_order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

bool
load_order_names (const load_order_t *self, const char *kind)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp (self->kinds [i], kind) == 0) {
            return true;
        }
    }
    return false;
}

static int
add_kind (load_order_t *self, const char *name, size_t size, reason_t *why)
{
    char *kind = self->kinds [self->count];

    if (size == 0 || size >= sizeof self->kinds [0]) {
        return reason_set (
            why, -EINVAL, "utilization_precedence: '%.*s' is no kind of collector (1 to %zu bytes)",
            (int) size, name, sizeof self->kinds [0] - 1);
    }
    snprintf (kind, sizeof self->kinds [0], "%.*s", (int) size, name);
    if (load_order_names (self, kind)) {
        return reason_set (why, -EINVAL, "utilization_precedence: '%s' stands there twice", kind);
    }
    self->count++;
    return 0;
}

int
load_order_parse (load_order_t *self, const char *text, reason_t *why)
{
    load_order_t order = {0};

    for (const char *at = text;; at++) {
        at += strspn (at, " \t");
        size_t size = strcspn (at, ", \t");
        if (order.count == LOAD_ORDER_MAX) {
            return reason_set (why, -EINVAL, "utilization_precedence: more than %d kinds",
                               LOAD_ORDER_MAX);
        }
        int rc = add_kind (&order, at, size, why);
        if (rc < 0) {
            return rc;
        }
        at += size;
        at += strspn (at, " \t");
        if (*at != ',') {
            if (*at) {
                return reason_set (why, -EINVAL,
                                   "utilization_precedence: '%.40s' wants a comma before it", at);
            }
            break;
        }
    }
    *self = order;
    return 0;
}
