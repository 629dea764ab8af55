// http_client.h - HTTP to AWS and CML, on libcurl's multi interface inside the loop.
//
// Nothing here blocks, name resolution included (libcurl's threaded resolver in Debian).
// An answer is bounded (body_max); what is over it is cut off and refused, not kept. The
// retry policy is the caller's; this sends once. Connections are kept and reused, with at
// most connections_per_host to one host. Requests with http2 share one connection where the
// server speaks HTTP/2: the first of them finds out, those that come meanwhile wait for that
// handshake, and where it is HTTP/1.1 they then go as all others do.
//
// AWS requests are signed by libcurl (CURLOPT_AWS_SIGV4): POST with the parameters in the
// body only, for 7.88 signs an unsorted query string wrongly (reference apis.md).
//
// SPDX-License-Identifier: MIT

#ifndef COMMON_HTTP_CLIENT_H
#define COMMON_HTTP_CLIENT_H

#include "loop.h"
#include "metrics.h"
#include "reason.h"
#include "tracing.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct http_client http_client_t;
typedef struct http_call http_call_t;

typedef struct http_signature {  //  AWS Signature Version 4; all texts given, token may be null
    const char *region, *service, *access_key_id, *secret_access_key, *session_token;
} http_signature_t;

//  Bytes of a body, as they come; false: no more of it is wanted, and the call ends as HTTP_BROKEN.
//  The call may be asked for its head (http_call_status), but not be cancelled from here.
typedef bool http_bytes_fn (void *argument, const char *bytes, size_t size);

typedef enum http_verify {
    HTTP_VERIFY_FULL,         //  chain and name
    HTTP_VERIFY_FINGERPRINT,  //  the public key alone: pin, `sha256//<base64>`, several by ';'
    HTTP_VERIFY_OFF           //  anything; the caller has said so loudly
} http_verify_t;

typedef struct http_request {
    const char *method;  //  GET POST PUT DELETE
    const char *url;
    const char *const *headers;  //  `Name: value`, ends with NULL; null: none
    const void *body;            //  null: none
    size_t body_size;
    const http_signature_t *signature;  //  null: unsigned
    http_verify_t verify;
    const char *ca_file;           //  null: the system's
    const char *pin;               //  for HTTP_VERIFY_FINGERPRINT
    int64_t connect_ms, total_ms;  //  timeouts; 0: 5000 and 15000
    size_t answer_max;             //  bytes of the body; 0: 16 MiB
    bool direct;                   //  never by the proxy that the environment names
    //  Null: the body is gathered. Else it goes here, without a bound in bytes or, when total_ms is
    //  0, in time, and the answer's is empty.
    http_bytes_fn *on_bytes;
    bool http2;         //  over TLS, where the server offers it (ALPN); else HTTP/1.1
    bool connect_only;  //  see http_call_read
} http_request_t;

typedef enum http_outcome {
    HTTP_ANSWERED,     //  status says how
    HTTP_UNREACHABLE,  //  no connection: refused, no route, no such name
    HTTP_TIMED_OUT,
    HTTP_TLS_REFUSED,  //  the certificate is not the one wanted
    HTTP_TOO_LARGE,
    HTTP_BROKEN  //  cut off, or not HTTP
} http_outcome_t;

typedef struct http_answer {  //  borrowed, during the call only
    http_outcome_t outcome;
    int status;        //  when HTTP_ANSWERED
    const char *body;  //  ends with NUL that size does not count; never null
    size_t size;
    const char *content_type;     //  never null, "" when absent
    time_us_t date;               //  of the Date header, or TIME_UNKNOWN
    int64_t retry_after_seconds;  //  -1: none
    int64_t took_us;
    reason_t why;  //  a sentence with the URL's host, unless HTTP_ANSWERED
} http_answer_t;

typedef void http_answer_fn (void *argument, const http_answer_t *answer);

const char *
http_outcome_name (http_outcome_t outcome);  //  unreachable timeout tls too_large broken

http_client_t *http_client_new (loop_t *loop, int64_t connections_per_host, metrics_t *metrics,
                                reason_t *why);
//  Calls under way are dropped; their functions are not called.
void http_client_destroy (http_client_t **self_p);

//  From here on each request is a span of the trace it is sent in (http_trace.h), and its answer is
//  read in its scope. tracing is borrowed; null: none.
void http_client_trace (http_client_t *self, tracing_t *tracing);

//  Starts a request; everything in it is copied. fn is called exactly once, never from
//  within this call. Null and why when it cannot even be started (a malformed URL).
http_call_t *http_client_send (http_client_t *self, const http_request_t *request,
                               http_answer_fn *fn, void *argument, reason_t *why);

//  Gives a call up before its answer; fn will not be called. Not to be used after fn was,
//  but for a connection, which it closes.
void http_call_cancel (http_call_t **self_p);

//  What is known of a call so far, from on_bytes and from the answer's function, where it is still
//  there: the status (0: none yet), a header (null: there is none; borrowed), the times.
int http_call_status (const http_call_t *self);
const char *http_call_header (const http_call_t *self, const char *name);

typedef struct http_times {  //  from the start, in the order in which they come; 0: never came
    time_us_t resolved, connected, secured, first_byte;
} http_times_t;
http_times_t http_call_times (const http_call_t *self);

//  A connection for another protocol: a request with connect_only connects, proves who is
//  there as any other does, and sends nothing. HTTP_ANSWERED (with status 0) then means that
//  the connection is the caller's, to watch, read and write, until http_call_cancel; after
//  any other outcome the call is over as always. What was read ahead by TLS does not show in
//  the descriptor: read until -EAGAIN.
int http_call_descriptor (const http_call_t *self);
//  How many bytes; 0 of a read: the other side has ended it; -EAGAIN: not now; else -EIO.
ssize_t http_call_read (http_call_t *self, void *bytes, size_t size);
ssize_t http_call_write (http_call_t *self, const void *bytes, size_t size);

#endif
