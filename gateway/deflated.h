// deflated.h - the body of an answer, deflated while it is sent.
//
// Large answers (the whole state of a fleet) are a fraction of their size in gzip, and deflating one as a whole
// would hold the loop for tens of milliseconds. So it is done a slice at a time, whenever the socket takes
// more: other clients' events go between. What is kept is the plain body, as for any answer, and one
// deflater; nothing is cached, for a fleet that lives is another one at the next question.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_DEFLATED_H
#define GATEWAY_DEFLATED_H

#include "../common/buffer.h"

#include <microhttpd.h>

#define DEFLATED_LEAST ((size_t) 1400)  //  a packet holds it as it is

//  Takes the body's bytes and clears it. Null when memory is out: then it is as it was.
struct MHD_Response *deflated_response (buffer_t *body);

#endif
