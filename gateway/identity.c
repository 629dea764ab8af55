// identity.c - see identity.h.
//
// SPDX-License-Identifier: MIT

#include "identity.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char *const ROLES [] = {"none", "viewer", "operator", "admin"};

identity_t *
identity_new (const char *name, role_t role)
{
    identity_t *self = calloc (1, sizeof *self);

    if (self && !(self->view = view_new ())) {
        free (self);
        return NULL;
    }
    if (self) {
        self->references = 1;
        self->role = role;
        for (size_t i = 0; i < IDENTITY_NAME_MOST && name [i]; i++) {
            self->name [i] = isprint ((unsigned char) name [i]) ? name [i] : '?';
        }
    }
    return self;
}

identity_t *
identity_hold (identity_t *self)
{
    self->references++;
    return self;
}

void
identity_release (identity_t **self_p)
{
    identity_t *self = *self_p;

    if (self && --self->references == 0) {
        view_release (&self->view);
        free (self);
    }
    *self_p = NULL;
}

role_t
role_of_text (const char *text)
{
    for (role_t role = ROLE_VIEWER; role <= ROLE_ADMIN; role++) {
        if (strcmp (ROLES [role], text) == 0) {
            return role;
        }
    }
    return ROLE_NONE;
}

const char *
role_text (role_t role)
{
    return ROLES [role];
}
