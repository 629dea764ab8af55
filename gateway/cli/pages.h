// pages.h - a list that the gateway gives page by page, as one.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CLI_PAGES_H
#define GATEWAY_CLI_PAGES_H

#include "session.h"

//  entry is the page's, to be held by who keeps it.
typedef void pages_fn (void *argument, struct json_object *entry);

//  Asks for path (with a query or without) and follows next_cursor; fn gets each entry of the array
//  member. 0 or as session_get_json.
int pages_each (session_t *session, const char *path, const char *member, pages_fn *fn,
                void *argument, reason_t *why);

#endif
