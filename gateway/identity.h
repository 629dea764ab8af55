// identity.h - who asks: a name, a role, what may be seen, and until when.
//
// Made by what checks credentials (tokens.h, jwt.h, session.h) and shared by a request, the stream
// that it opens and a session. Roles include those before them: a viewer reads, with the masked
// fields (mask.h) left out; an operator reads all of it and gives commands; an admin sees also who
// else is connected.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_IDENTITY_H
#define GATEWAY_IDENTITY_H

#include "../common/clock.h"
#include "view.h"

typedef enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN } role_t;

#define IDENTITY_NAME_MOST       128
#define IDENTITY_CREDENTIAL_SIZE 65

typedef struct identity {
    unsigned references;
    role_t role;
    view_t *view;
    time_us_t expires_at;                        //  wall; 0: never
    time_us_t began_at;                          //  wall; of a session, else 0
    char name [IDENTITY_NAME_MOST + 1];          //  printable
    char credential [IDENTITY_CREDENTIAL_SIZE];  //  of a static token: its SHA-256; else ""
    char session [IDENTITY_CREDENTIAL_SIZE];     //  "" unless it came by a session's cookie
} identity_t;

//  Null when memory is out. Sees all.
identity_t *identity_new (const char *name, role_t role);
identity_t *identity_hold (identity_t *self);
void identity_release (identity_t **self_p);

//  ROLE_NONE for a text that names none.
role_t role_of_text (const char *text);
const char *role_text (role_t role);

#endif
