// web_response.c - an answer as libmicrohttpd wants it, whole or spoilt on purpose.
//
// SPDX-License-Identifier: MIT

#include "web_response.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HUGE_BYTES (64u << 20)

typedef struct stream {
    char *body;
    size_t size;  //  of what is really sent; beyond it the connection breaks
} stream_t;

static ssize_t
read_cut (void *argument, uint64_t position, char *buffer, size_t max)
{
    const stream_t *stream = argument;
    size_t left = position < stream->size ? stream->size - (size_t) position : 0;
    size_t size = left < max ? left : max;

    if (size == 0) {
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    memcpy (buffer, stream->body + position, size);
    return (ssize_t) size;
}

static ssize_t
read_huge (void *argument, uint64_t position, char *buffer, size_t max)
{
    (void) argument;
    (void) position;
    memset (buffer, 'A', max);
    return (ssize_t) max;
}

static void
stream_destroy (void *argument)
{
    stream_t *stream = argument;

    free (stream->body);
    free (stream);
}

//  The whole length is announced, half of it sent.
static struct MHD_Response *
make_cut (const buffer_t *body)
{
    stream_t *stream = calloc (1, sizeof *stream);

    if (!stream) {
        return NULL;
    }
    stream->size = body->size / 2;
    stream->body = malloc (stream->size + 1);
    if (stream->body && stream->size) {
        memcpy (stream->body, body->data, stream->size);
    }
    return MHD_create_response_from_callback (body->size + 1, 4096, read_cut, stream,
                                              stream_destroy);
}

static struct MHD_Response *
make_body (const web_answer_t *answer)
{
    switch (answer->trick) {
    case WEB_CUT: return make_cut (&answer->body);
    case WEB_HUGE:
        return MHD_create_response_from_callback (HUGE_BYTES, 65536, read_huge, NULL, NULL);
    case WEB_DROP:
    case WEB_PLAIN: break;
    }
    return MHD_create_response_from_buffer (answer->body.size, answer->body.data,
                                            MHD_RESPMEM_MUST_COPY);
}

struct MHD_Response *
web_response (const web_answer_t *answer, time_us_t wall)
{
    char date [64];
    time_t at = (time_t) ((wall + answer->clock_offset) / SECOND_US);
    struct MHD_Response *response = make_body (answer);
    struct tm parts;

    if (response) {
        gmtime_r (&at, &parts);
        strftime (date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", &parts);
        MHD_add_response_header (response, MHD_HTTP_HEADER_DATE, date);
        MHD_add_response_header (response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
    }
    return response;
}
