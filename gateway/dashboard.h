// dashboard.h - the page's files, embedded in the program or read from a folder.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_DASHBOARD_H
#define GATEWAY_DASHBOARD_H

#include <microhttpd.h>

//  name is the path without its first '/'; "" is the page. folder: "" or a folder to serve unbuilt.
enum MHD_Result dashboard_reply (struct MHD_Connection *connection, const char *name,
                                 const char *folder);

#endif
