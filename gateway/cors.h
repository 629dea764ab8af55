// cors.h - which pages of other origins may read the gateway's answers (Fetch, section 3.2).
//
// An allow-list of exact origins, `scheme://host[:port]`, apart by commas. An answer to one of them
// names it and allows credentials; to any other, or none, it says nothing, and the browser keeps
// the answer from the page. Never `*`: with credentials it means nothing, and without a list nobody
// is meant.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_CORS_H
#define GATEWAY_CORS_H

#include "../common/buffer.h"
#include "../common/reason.h"

#include <microhttpd.h>

//  0, or -EINVAL and why names the word that is no origin.
int cors_check (const char *origins, reason_t *why);

//  The request's origin if it stands in the list, else null.
const char *cors_origin (const char *origins, struct MHD_Connection *connection);

//  Into an answer that libmicrohttpd sends. methods is null but for OPTIONS.
void cors_add (const char *origins, struct MHD_Connection *connection,
               struct MHD_Response *response, const char *methods);
//  The same for one that is not: lines of HTTP's head.
void cors_write (const char *origins, struct MHD_Connection *connection, buffer_t *out);

#endif
