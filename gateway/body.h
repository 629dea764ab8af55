// body.h - a request's body: one JSON object, whose members stand in a table.
//
// What is wrong is named with its member, so that 400 says what to change; a member that the table
// does not know is wrong too, as an unknown parameter is.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_BODY_H
#define GATEWAY_BODY_H

#include "route.h"

typedef enum body_kind { BODY_TEXT, BODY_INTEGER, BODY_OBJECT } body_kind_t;

typedef struct body_member {
    const char *name;
    body_kind_t kind;
    bool is_required;
    int64_t least, most;  //  an integer's value; bytes of a text, of an object's JSON
} body_member_t;

//  Without a required member there may be no body at all. 200 and *tree, null without a body, which
//  the caller puts; else an HTTP status, and why. members ends with {0}.
unsigned body_read (struct MHD_Connection *connection, const request_t *request,
                    const body_member_t members [], struct json_object **tree, reason_t *why);

//  As JSON text, borrowed from the tree.
const char *body_text_of (struct json_object *tree);

#endif
