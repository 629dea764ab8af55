// cml_fault.h - what an answer of CML's REST API is worth; pure.
//
// Every failure is one of a few kinds, whose name is the error_code of an observation, and
// a sentence that names the URL. Some are no failures of the server:
//  - CML_STARTING: a 502, 503 or 504 (nginx is up, the application is not yet), which is
//    what a booting CML answers; it may also answer a page of HTML (CML_PAGE), which from
//    one that is up is as wrong as any other text that is not JSON;
//  - CML_MISSING: 404, which is what an older version answers for a newer path, and what
//    is left of a lab that was deleted a moment ago.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_CML_FAULT_H
#define COLLECTOR_CML_FAULT_H

#include "../../common/http_client.h"
#include "../../common/reason.h"

#include <json-c/json.h>
#include <stdbool.h>

#define CML_REASON (-1)  //  a sentence's code where the fault itself is what is returned

// clang-format off
//         symbol       code           of the metric   the rest of the round would fail likewise
#define CML_FAULTS(FAULT)                                            \
    FAULT (OK,          "ok",          "ok",           false)        \
    FAULT (UNREACHABLE, "unreachable", "unreachable",  true)         \
    FAULT (TIMEOUT,     "timeout",     "timeout",      true)         \
    FAULT (TLS,         "tls",         "tls",          true)         \
    FAULT (LOGIN,       "login",       "login",        true)         \
    FAULT (HTTP,        "http",        "http",         false)        \
    FAULT (DENIED,      "http",        "denied",       false)        \
    FAULT (MISSING,     "http",        "missing",      false)        \
    FAULT (STARTING,    "http",        "starting",     false)        \
    FAULT (JSON,        "json",        "json",         false)        \
    FAULT (PAGE,        "json",        "html",         false)        \
    FAULT (TOO_LARGE,   "too_large",   "too_large",    false)        \
    FAULT (TOKEN,       "login",       "token",        false)
// clang-format on

typedef enum cml_fault {
#define CML_SYMBOL(symbol, code, outcome, ends) CML_##symbol,
    CML_FAULTS (CML_SYMBOL)
#undef CML_SYMBOL
} cml_fault_t;

//  The error_code of an observation.
const char *cml_fault_code (cml_fault_t fault);

//  The outcome that cmlwatch_cml_requests_total counts: what an operator tells apart.
const char *cml_fault_outcome (cml_fault_t fault);

//  True when nothing else needs to be asked of this server in this round.
bool cml_fault_ends_round (cml_fault_t fault);

//  Reads the answer of url. CML_OK and *json_p, a value of this type that the caller puts;
//  or the fault and why (CML_TOKEN is a 401, CML_DENIED a 403).
cml_fault_t cml_fault_of (const http_answer_t *answer, const char *url, enum json_type type,
                          struct json_object **json_p, reason_t *why);

#endif
