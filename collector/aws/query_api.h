// query_api.h - a question to an AWS service by its Query protocol, page by page, to the end.
//
// A call is a POST of form fields, signed (SigV4) by libcurl; its answer is read by rules as
// it stands, then the next page is asked, until there is none. Failures are told apart
// (fault.h), tried again where that helps (core/retry.h), counted
// (cmlwatch_aws_calls_total{api,outcome,account}), and when they are final reported once
// (collector_report) before the caller hears of them. A call made while its keys are being
// fetched waits for them, to a bound; one whose keys are refused is tried once more when there
// are others. Nothing blocks; nothing an answer holds can end the program. Calls leave at a pace
// of their service and region (pace.h).
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_QUERY_API_H
#define COLLECTOR_AWS_QUERY_API_H

#include "../core/collector.h"
#include "accounts.h"
#include "credentials.h"
#include "endpoints.h"
#include "fault.h"
#include "xml.h"

typedef struct aws_call aws_call_t;

typedef struct aws_answer {  //  borrowed, during the call only
    aws_fault_t fault;       //  AWS_OK: every page was read in full
    const char *code;        //  as the API names it, or our own word; "" when AWS_OK
    const char *message;     //  a sentence: what, where, and what would be right
    time_us_t received;      //  wall, of the last answer
} aws_answer_t;

typedef void aws_answer_fn (void *argument, const aws_answer_t *answer);
typedef void aws_page_fn (void *target, time_us_t received_wall);

typedef struct aws_query {
    const aws_service_t *service;
    const char *region;
    const char *account;      //  its name; null: "", the only one
    const char *action;       //  "DescribeInstances"; a constant
    const char *fields;       //  form fields, encoded (url_add_field); null: none
    const xml_rule_t *rules;  //  below `<action>Response`; they live as long as the call
    void *target;             //  of the rules' functions
    const char *token_path;   //  of the next page's token; null: one page
    aws_page_fn *on_page;     //  a page was read in full; optional
    metric_t *bill;           //  counts up by billed for each request that AWS answered; optional
    double billed;
    aws_credentials_t *credentials;  //  whose keys sign; null: those of the account
    bool is_unsigned;                //  no keys are needed
} aws_query_t;

//  Null and why. core and settings are borrowed. Their file of accounts is read here; STS is
//  asked for keys in the first of an account's regions; calls_per_second is of each service in
//  each region of an account.
aws_api_t *aws_api_new (collector_t *core, const collector_settings_t *settings,
                        aws_getenv_fn *read_variable, reason_t *why);
aws_accounts_t *aws_api_accounts (aws_api_t *self);
//  Calls under way are dropped; their functions are not called.
void aws_api_destroy (aws_api_t **self_p);

//  Asks; everything in query is copied but rules, action and target. fn is called exactly
//  once, never from within this call; the call is gone then. On a fault what the rules'
//  functions gathered so far is not to be used as a complete answer. Null when memory is out.
aws_call_t *aws_api_ask (aws_api_t *self, const aws_query_t *query, aws_answer_fn *fn,
                         void *argument);

//  Gives a call up; fn will not be called. Not to be used after fn was.
void aws_call_cancel (aws_call_t **self_p);

#endif
