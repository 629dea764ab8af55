// http_options.c - see http_options.h.
//
// Nothing is weakened by accident: a fingerprint that is not one, or one for a URL that is not
// https, is refused here, for libcurl would take the first for a file's name and pass over the
// second. Only http and https are spoken, and redirects are not followed.
//
// SPDX-License-Identifier: MIT

#include "http_options.h"

#include "cleanup.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONNECT_MS     5000
#define TOTAL_MS       15000
#define SIGNATURE_SIZE 160  //  "aws:amz:<region>:<service>"; libcurl takes 64 of each
#define HEADER_SIZE    8192
#define USER_AGENT     "cmlwatch"

DEFINE_CLEANUP (curl_url_destroy, CURLU *, curl_url_cleanup)
DEFINE_CLEANUP (curl_text_destroy, char *, curl_free)

//  Keeps the first failure of a row of options; libcurl fails only for want of memory here.
#define SET(self, option, value)                                             \
    do {                                                                     \
        if (rc == CURLE_OK) {                                                \
            rc = curl_easy_setopt ((self)->easy, CURLOPT_##option, (value)); \
        }                                                                    \
    } while (0)

static int
outcome_of (CURLcode rc, const char *what, reason_t *why)
{
    return rc == CURLE_OK ? 0 : reason_set (why, -ENOMEM, "%s: %s", what, curl_easy_strerror (rc));
}

//  The host for sentences. A URL with a user in it is refused: it would end up in a log.
static int
set_url (http_options_t *self, const http_request_t *request, reason_t *why)
{
    _cleanup_ (curl_url_destroy) CURLU *url = curl_url ();
    _cleanup_ (curl_text_destroy) char *scheme = NULL;
    _cleanup_ (curl_text_destroy) char *host = NULL;
    _cleanup_ (curl_text_destroy) char *port = NULL;
    const char *after_user = strrchr (request->url, '@');
    const char *shown = after_user ? after_user + 1 : request->url;
    CURLUcode code = curl_url_set (url, CURLUPART_URL, request->url, CURLU_DISALLOW_USER);

    if (code != CURLUE_OK || (code = curl_url_get (url, CURLUPART_SCHEME, &scheme, 0))) {
        return reason_set (why, -EINVAL, "'%.200s' is no URL: %s", shown, curl_url_strerror (code));
    }
    if (strcmp (scheme, "https") != 0 && strcmp (scheme, "http") != 0) {
        return reason_set (why, -EINVAL, "'%.200s' is neither http nor https", shown);
    }
    if ((code = curl_url_get (url, CURLUPART_HOST, &host, 0))) {
        return reason_set (why, -EINVAL, "'%.200s' has no host: %s", shown,
                           curl_url_strerror (code));
    }
    bool has_port = curl_url_get (url, CURLUPART_PORT, &port, 0) == CURLUE_OK;
    snprintf (self->host, sizeof self->host, "%s%s%s", host, has_port ? ":" : "",
              has_port ? port : "");
    if (request->verify == HTTP_VERIFY_FINGERPRINT && strcmp (scheme, "https") != 0) {
        return reason_set (why, -EINVAL, "%s: a fingerprint is for https", self->host);
    }
    CURLcode rc = CURLE_OK;
    SET (self, URL, request->url);
    return outcome_of (rc, self->host, why);
}

static int
add_header (http_options_t *self, const char *header, reason_t *why)
{
    if (strpbrk (header, "\r\n")) {
        return reason_set (why, -EINVAL, "%s: a header with a line break in it", self->host);
    }
    struct curl_slist *headers = curl_slist_append (self->headers, header);
    if (!headers) {
        return reason_set (why, -ENOMEM, "%s: out of memory", self->host);
    }
    self->headers = headers;
    return 0;
}

static int
set_headers (http_options_t *self, const http_request_t *request, reason_t *why)
{
    const char *token = request->signature ? request->signature->session_token : NULL;
    int rc = 0;

    for (size_t i = 0; rc == 0 && request->headers && request->headers [i]; i++) {
        rc = add_header (self, request->headers [i], why);
    }
    if (rc == 0 && token && *token) {  //  libcurl signs it with the others
        char header [HEADER_SIZE];
        int size = snprintf (header, sizeof header, "X-Amz-Security-Token: %s", token);
        rc = size < (int) sizeof header
                 ? add_header (self, header, why)
                 : reason_set (why, -E2BIG, "%s: the session token is too long", self->host);
    }
    if (rc < 0) {
        return rc;
    }
    CURLcode code = curl_easy_setopt (self->easy, CURLOPT_HTTPHEADER, self->headers);
    return outcome_of (code, self->host, why);
}

//  A body is copied by libcurl, so it needs no second copy of ours; its size goes first.
static int
set_method (http_options_t *self, const http_request_t *request, reason_t *why)
{
    bool is_get = strcmp (request->method, "GET") == 0;
    bool has_body = request->body || strcmp (request->method, "POST") == 0 ||
                    strcmp (request->method, "PUT") == 0;
    CURLcode rc = CURLE_OK;

    assert (!(is_get && request->body) && "a GET has no body");
    if (has_body) {
        SET (self, POST, 1L);
        SET (self, POSTFIELDSIZE_LARGE, (curl_off_t) request->body_size);
        SET (self, COPYPOSTFIELDS, request->body ? request->body : "");
    }
    if (!is_get && strcmp (request->method, "POST") != 0) {
        SET (self, CUSTOMREQUEST, request->method);
    }
    return outcome_of (rc, self->host, why);
}

static int
set_trust (http_options_t *self, const http_request_t *request, reason_t *why)
{
    bool is_full = request->verify == HTTP_VERIFY_FULL;
    CURLcode rc = CURLE_OK;

    SET (self, SSL_VERIFYPEER, is_full ? 1L : 0L);
    SET (self, SSL_VERIFYHOST, is_full ? 2L : 0L);
    if (is_full && request->ca_file && *request->ca_file) {
        SET (self, CAINFO, request->ca_file);
    }
    if (request->verify == HTTP_VERIFY_FINGERPRINT) {
        if (!request->pin || strncmp (request->pin, "sha256//", 8) != 0) {
            return reason_set (why, -EINVAL, "%s: no fingerprint sha256//<base64> is known for it",
                               self->host);
        }
        SET (self, PINNEDPUBLICKEY, request->pin);
    }
    return outcome_of (rc, self->host, why);
}

static int
set_signature (http_options_t *self, const http_signature_t *signature, reason_t *why)
{
    char text [SIGNATURE_SIZE];
    CURLcode rc = CURLE_OK;

    if (!signature) {
        return 0;
    }
    int size = snprintf (text, sizeof text, "aws:amz:%s:%s", signature->region, signature->service);
    if (size >= (int) sizeof text) {
        return reason_set (why, -EINVAL, "%s: no such region: '%.60s'", self->host,
                           signature->region);
    }
    SET (self, AWS_SIGV4, text);
    SET (self, USERNAME, signature->access_key_id);
    SET (self, PASSWORD, signature->secret_access_key);
    return outcome_of (rc, self->host, why);
}

//  QUICK_EXIT: a call that is given up does not wait for the thread that resolves its name.
static int
set_bounds (http_options_t *self, const http_request_t *request, reason_t *why)
{
    CURLcode rc = CURLE_OK;

    SET (self, ERRORBUFFER, self->error);
    SET (self, NOSIGNAL, 1L);
    SET (self, QUICK_EXIT, 1L);
    SET (self, PROTOCOLS_STR, "http,https");
    SET (self, USERAGENT, USER_AGENT);
    if (request->direct) {
        SET (self, NOPROXY, "*");
    }
    SET (self, CONNECTTIMEOUT_MS, request->connect_ms ? (long) request->connect_ms : CONNECT_MS);
    SET (self, TIMEOUT_MS,
         request->total_ms   ? (long) request->total_ms
         : request->on_bytes ? 0L
                             : TOTAL_MS);
    return outcome_of (rc, self->host, why);
}

//  HTTP/1.1 unless asked for, and without TLS, where nobody offers anything: there one broken connection breaks one call, not all that share it.
//  With HTTP/2 libcurl does not close a connection when a call on it times out, for it is others'
//  too. So each begins with the word that its connection is not to be used again and takes that
//  back with the first byte of an answer: the last one to leave a dead one closes it.
static int
set_version (http_options_t *self, const http_request_t *request, reason_t *why)
{
    bool is_tls = strncasecmp (request->url, "https:", 6) == 0;
    bool shares = request->http2 && is_tls && !request->connect_only;
    CURLcode rc = CURLE_OK;

    SET (self, HTTP_VERSION, (long) (shares ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1));
    SET (self, PIPEWAIT, shares ? 1L : 0L);
    SET (self, FORBID_REUSE, shares ? 1L : 0L);
    return outcome_of (rc, self->host, why);
}

void
http_options_keep_connection (http_options_t *self)
{
    (void) curl_easy_setopt (self->easy, CURLOPT_FORBID_REUSE, 0L);
}

int
http_options_set (http_options_t *self, const http_request_t *request, reason_t *why)
{
    self->easy = curl_easy_init ();
    if (!self->easy) {
        return reason_set (why, -ENOMEM, "out of memory");
    }
    int rc = set_url (self, request, why);
    rc = rc < 0 ? rc : set_headers (self, request, why);
    rc = rc < 0 ? rc : set_method (self, request, why);
    rc = rc < 0 ? rc : set_trust (self, request, why);
    rc = rc < 0 ? rc : set_signature (self, request->signature, why);
    rc = rc < 0 ? rc : set_bounds (self, request, why);
    return rc < 0 ? rc : set_version (self, request, why);
}

void
http_options_clear (http_options_t *self)
{
    curl_easy_cleanup (self->easy);
    self->easy = NULL;
    curl_slist_free_all (self->headers);
    self->headers = NULL;
}
