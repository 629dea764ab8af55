// http_count.h - what /metrics says of HTTP requests. For http_client.c alone.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_HTTP_COUNT_H
#define COMMON_HTTP_COUNT_H

#include "http_client.h"

#include <curl/curl.h>

typedef struct http_counts {
    metric_t *outcomes [HTTP_BROKEN + 1];
    metric_t *versions [2];  //  1.1, 2
    metric_t *connections;
    metric_t *duration;
} http_counts_t;

http_counts_t http_counts_of (metrics_t *metrics);
//  A request has ended so; easy is its handle.
void http_count (const http_counts_t *self, CURL *easy, const http_answer_t *answer);

#endif
