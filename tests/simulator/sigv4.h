// sigv4.h - AWS Signature Version 4, from the verifier's side, written from its rules.
//
// It shares nothing with what the collectors sign with (libcurl), so that an error of one
// is seen by the other; the published vectors of AWS's own test suite decide for both
// (tests/unit/simulator/test_sigv4.c). It works on the request as it came: method, raw
// path, raw query, all headers, body. What a fault is called on the wire is the API's
// business (aws_server.c): EC2 says it otherwise than CloudWatch and STS.
//
// https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html
//
// SPDX-License-Identifier: MIT

#ifndef SIMULATOR_SIGV4_H
#define SIMULATOR_SIGV4_H

#include "../../common/clock.h"
#include "../../common/reason.h"

#include <stddef.h>

#define SIGV4_HEX_SIZE    65  //  a SHA-256 in hexadecimal and its NUL
#define SIGV4_HEADERS_MAX 32
#define SIGV4_SKEW_US     (5 * MINUTE_US)
#define SIGV4_WORD_SIZE   80

typedef struct sigv4_header {
    const char *name, *value;
} sigv4_header_t;

typedef struct sigv4_request {
    const char *method;
    const char *path;   //  as sent, undecoded
    const char *query;  //  as sent, without '?'; "" for none
    const sigv4_header_t *headers;
    size_t header_count;
    const void *body;
    size_t body_size;
} sigv4_request_t;

//  What an Authorization header says.
typedef struct sigv4_claim {
    char access_key_id [SIGV4_WORD_SIZE];
    char date [9], region [SIGV4_WORD_SIZE], service [SIGV4_WORD_SIZE];
    char signed_headers [1024];
    char signature [SIGV4_HEX_SIZE];
    char time [17];  //  of X-Amz-Date: 20150830T123600Z
} sigv4_claim_t;

typedef enum sigv4_verdict {
    SIGV4_RIGHT,
    SIGV4_MISSING,     //  no Authorization at all
    SIGV4_INCOMPLETE,  //  one that lacks a part, or no date
    SIGV4_EXPIRED,     //  signed over 5 minutes ago
    SIGV4_EARLY,       //  signed over 5 minutes from now
    SIGV4_WRONG        //  another signature than ours
} sigv4_verdict_t;

//  Reads Authorization and X-Amz-Date. RIGHT means only: whole; else why says what lacks.
sigv4_verdict_t sigv4_read (const sigv4_request_t *request, sigv4_claim_t *claim, reason_t *why);

//  The signature that the request should have by this claim and secret.
void sigv4_sign (const sigv4_request_t *request, const sigv4_claim_t *claim, const char *secret,
                 char signature [SIGV4_HEX_SIZE]);

//  Time and signature of a claim that was read. wall is the verifier's clock.
sigv4_verdict_t sigv4_verify (const sigv4_request_t *request, const sigv4_claim_t *claim,
                              const char *secret, time_us_t wall, reason_t *why);

//  The value of a header, its name in any case, or null.
const char *sigv4_header (const sigv4_request_t *request, const char *name);

#endif
