// http_options.h - what an http_request_t asks of libcurl, and what http_client.c shares with
// http_connection.c and http_head.c. For these alone; everyone else uses http_client.h.
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_HTTP_OPTIONS_H
#define COMMON_HTTP_OPTIONS_H

#include "http_client.h"

#include <curl/curl.h>

typedef struct http_options {
    CURL *easy;
    struct curl_slist *headers;
    char error [CURL_ERROR_SIZE];  //  libcurl's own sentence, "" when it has none
    char host [300];               //  `host` or `host:port` of the URL, for sentences
} http_options_t;

//  Makes the handle and copies all of the request into it. 0, or a negative errno and why;
//  to be cleared in either case. Must not move afterwards: libcurl writes into error.
int http_options_set (http_options_t *self, const http_request_t *request, reason_t *why);
void http_options_clear (http_options_t *self);

//  Something has been answered: what it came over may be used again (see set_version).
void http_options_keep_connection (http_options_t *self);

//  libcurl's handle of a call with connect_only that was answered; borrowed.
CURL *http_call_connection (const http_call_t *self);
//  The same of any call.
CURL *http_call_handle (const http_call_t *self);

#endif
