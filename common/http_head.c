// http_head.c - what http_client.h tells of a call beside its body: status, headers, times.
//
// SPDX-License-Identifier: MIT

#include "http_options.h"

int
http_call_status (const http_call_t *self)
{
    long status = 0;

    (void) curl_easy_getinfo (http_call_handle (self), CURLINFO_RESPONSE_CODE, &status);
    return (int) status;
}

const char *
http_call_header (const http_call_t *self, const char *name)
{
    struct curl_header *header = NULL;
    CURLHcode code = curl_easy_header (http_call_handle (self), name, 0, CURLH_HEADER, -1, &header);

    return code == CURLHE_OK ? header->value : NULL;
}

static time_us_t
time_of (const http_call_t *self, CURLINFO info)
{
    curl_off_t us = 0;

    (void) curl_easy_getinfo (http_call_handle (self), info, &us);
    return us;
}

http_times_t
http_call_times (const http_call_t *self)
{
    return (http_times_t){.resolved = time_of (self, CURLINFO_NAMELOOKUP_TIME_T),
                          .connected = time_of (self, CURLINFO_CONNECT_TIME_T),
                          .secured = time_of (self, CURLINFO_APPCONNECT_TIME_T),
                          .first_byte = time_of (self, CURLINFO_STARTTRANSFER_TIME_T)};
}
