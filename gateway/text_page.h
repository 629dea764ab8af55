// text_page.h - `curl http://gateway/`: the fleet as a table of text, for who asks from a terminal.
//
// The page's path answers so when text is wanted: `?format=text`, an Accept that names text/plain
// and not text/html, or curl without one. It takes the stream's words `regions` and `worker_ids`,
// and `status`. Unlike the page's files it says something of the fleet, so it is for who may read,
// and it is bounded: a row costs a snapshot parsed, and rows beyond rows_max are told as a number.
//
// SPDX-License-Identifier: MIT

#ifndef GATEWAY_TEXT_PAGE_H
#define GATEWAY_TEXT_PAGE_H

#include "route.h"

typedef struct text_page text_page_t;

//  Null when memory is out.
text_page_t *text_page_new (int64_t rows_max, metrics_t *metrics);
void text_page_destroy (text_page_t **self_p);

bool text_page_is_wanted (struct MHD_Connection *connection);

enum MHD_Result text_page_reply (const text_page_t *self, const http_parts_t *parts,
                                 struct MHD_Connection *connection, request_t *request);

#endif
