// request_check.h - what libmicrohttpd lets through of a request, and should not.
//
// A request that two readers understand differently is how one is smuggled past a proxy, and a
// name or value that ends before it does is how a check is. So a head that RFC 9112 says to
// refuse is refused before anything of it is looked at, and its connection is closed.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_REQUEST_CHECK_H
#define GATEWAY_REQUEST_CHECK_H

#include "../common/reason.h"

#include <microhttpd.h>

//  0, or -EINVAL and why: not one Host, more than one length, a coding that is none, a name with
//  a blank, a NUL or a line's end within.
int request_check (struct MHD_Connection *connection, const char *version, reason_t *why);

//  The path of a target, within it: of the absolute form too (RFC 9112, 3.2.2), whose host is that of a
//  proxy's own business. A target that is neither is given back as it is.
const char *request_path (const char *target);

//  MHD_OPTION_UNESCAPE_CALLBACK: text in place, and its new length. An escape that is none stays
//  as it is, and so does %00, for texts end at a NUL.
size_t request_unescape (void *argument, struct MHD_Connection *connection, char *text);

#endif
