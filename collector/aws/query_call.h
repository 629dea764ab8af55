// query_call.h - the inside of a call, for query_*.c alone: the call itself, and what one attempt
// was worth.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_QUERY_CALL_H
#define COLLECTOR_AWS_QUERY_CALL_H

#include "pace.h"
#include "query_api.h"

#define API_MAGIC  0xa451a91u
#define CALL_MAGIC 0xa45ca11u

struct aws_api {
    unsigned magic;
    collector_t *core;
    aws_getenv_fn *read_variable;
    aws_accounts_t *accounts;
    aws_credentials_t *credentials;               //  of the chain
    aws_credentials_t *roles [AWS_ACCOUNTS_MAX];  //  of each account; null: the chain's
    pace_t *pace;
    aws_call_t *calls;  //  under way, a list
};

struct aws_call {
    unsigned magic;
    aws_api_t *api;
    aws_call_t *next, *previous;
    aws_query_t query;  //  region and fields are our own copies
    char *region, *fields, *account;
    char url [AWS_URL_SIZE];
    char host [AWS_URL_SIZE];  //  of url, for people
    char *token;               //  of the page to ask; null: the first
    char *token_read;          //  of the page after it
    int pages;
    bool waiting;          //  for keys
    time_us_t wait_until;  //  steady; TIME_UNKNOWN: it has not waited
    bool doubted;          //  other keys were looked for: once
    pace_lane_t *lane;     //  null: memory was out, it is not paced
    bool paced;            //  it has its token
    bool probes;           //  it goes to see whether the service answers again
    retry_call_t retry;
    http_call_t *http;
    tracing_scope_t scope;  //  of the round that asks
    loop_timer_t *timer;
    aws_answer_fn *fn;
    void *argument;
};

typedef struct verdict {  //  on one attempt
    aws_fault_t fault;
    char code [AWS_CODE_SIZE];
    reason_t why;
} verdict_t;

//  What went wrong, in words, with what would be right.
void aws_condemn (const aws_call_t *self, verdict_t *verdict, aws_fault_t fault, const char *code,
                  const char *format, ...) __attribute__ ((format (printf, 5, 6)));

//  Of a page as it came: reads it by the call's rules, or tells what it is instead.
void aws_judge (aws_call_t *self, verdict_t *verdict, const http_answer_t *answer);

//  The chain's keys, and a role's for each account that has one. 0 or -ENOMEM.
int aws_api_make_credentials (aws_api_t *self, aws_getenv_fn *read_variable);
//  Those of the account of this name; the chain's when it has no role.
aws_credentials_t *aws_api_credentials (const aws_api_t *self, const char *account);

#endif
