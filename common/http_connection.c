// http_connection.c - bytes over a connection that http_client.c has made for another protocol.
//
// libcurl has taken it out of its own hands at the first byte that is moved here; until then
// it might give the connection up as idle.
//
// SPDX-License-Identifier: MIT

#include "http_options.h"

#include <errno.h>

int
http_call_descriptor (const http_call_t *self)
{
    curl_socket_t fd = CURL_SOCKET_BAD;

    (void) curl_easy_getinfo (http_call_connection (self), CURLINFO_ACTIVESOCKET, &fd);
    return fd;
}

static ssize_t
moved (CURLcode code, size_t size)
{
    return code == CURLE_OK ? (ssize_t) size : code == CURLE_AGAIN ? -EAGAIN : -EIO;
}

ssize_t
http_call_read (http_call_t *self, void *bytes, size_t size)
{
    size_t got = 0;
    CURLcode code = curl_easy_recv (http_call_connection (self), bytes, size, &got);
    return moved (code, got);
}

ssize_t
http_call_write (http_call_t *self, const void *bytes, size_t size)
{
    size_t sent = 0;
    CURLcode code = curl_easy_send (http_call_connection (self), bytes, size, &sent);
    return moved (code, sent);
}
