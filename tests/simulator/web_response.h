// web_response.h - from our answer to libmicrohttpd's.
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_WEB_RESPONSE_H
#define SIMULATOR_WEB_RESPONSE_H

#include "web.h"

#include <microhttpd.h>

//  With its Date, which the answer may shift; null when memory is out. Not for WEB_DROP.
struct MHD_Response *web_response (const web_answer_t *answer, time_us_t wall);

#endif
