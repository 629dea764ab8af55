// query_judge.c - what an answer means: a page to be read, or a fault of one kind or another.
//
// SPDX-License-Identifier: MIT

#include "query_call.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RULES_MAX 60

void
aws_condemn (const aws_call_t *self, verdict_t *verdict, aws_fault_t fault, const char *code,
             const char *format, ...)
{
    char what [300];
    va_list args;

    va_start (args, format);
    vsnprintf (what, sizeof what, format, args);
    va_end (args);
    const char *remedy = aws_fault_remedy (fault);
    verdict->fault = fault;
    snprintf (verdict->code, sizeof verdict->code, "%s", code);
    reason_set (&verdict->why, -EIO, "%s at %.80s (%s): %s%s%s", self->query.action, self->host,
                self->region, what, *remedy ? "; " : "", remedy);
}

//  An answer that says no, in either of AWS's shapes or in none.
static void
judge_refusal (const aws_call_t *self, verdict_t *verdict, const http_answer_t *answer)
{
    char code [AWS_CODE_SIZE] = "", message [400] = "";
    moment_t now = collector_now (self->api->core);

    if (!aws_error_read (answer->body, answer->size, code, message)) {
        snprintf (message, sizeof message, "no AWS error but %zu bytes of '%.60s'", answer->size,
                  answer->content_type);
    }
    aws_fault_t fault = aws_fault_of (code, answer->status);
    int64_t skew = aws_fault_may_be_skew (code) ? aws_skew_seconds (now.wall, answer->date) : 0;
    if (!code [0]) {
        snprintf (code, sizeof code, "HTTP%d", answer->status);
        aws_condemn (self, verdict, fault, code, "HTTP %d and %s", answer->status, message);
        return;
    }
    if (skew != 0) {
        aws_condemn (self, verdict, AWS_SKEW, code,
                     "HTTP %d %s: %.200s; this machine's clock is %" PRId64 " s %s AWS's",
                     answer->status, code, message, skew > 0 ? skew : -skew,
                     skew > 0 ? "ahead of" : "behind");
        return;
    }
    aws_condemn (self, verdict, fault, code, "HTTP %d %s: %.250s", answer->status, code, message);
}

static int
take_token (void *argument, const xml_rule_t *rule, const char *text)
{
    aws_call_t *self = argument;
    assert (self->magic == CALL_MAGIC);
    (void) rule;

    free (self->token_read);
    self->token_read = *text ? strdup (text) : NULL;
    return *text && !self->token_read ? -ENOMEM : 0;
}

static void
read_page (aws_call_t *self, verdict_t *verdict, const http_answer_t *answer)
{
    xml_rule_t rules [RULES_MAX + 2] = {{0}};
    size_t count_rules = 0;
    char root [80];
    reason_t why = {0};

    while (self->query.rules [count_rules].path) {
        assert (count_rules < RULES_MAX);
        rules [count_rules] = self->query.rules [count_rules];
        count_rules++;
    }
    if (self->query.token_path) {
        rules [count_rules] =
            (xml_rule_t){.path = self->query.token_path, .at_end = take_token, .own = self};
    }
    snprintf (root, sizeof root, "%sResponse", self->query.action);
    int rc = xml_read (answer->body, answer->size, root, rules, self->query.target, &why);
    if (rc < 0) {
        aws_condemn (self, verdict, AWS_MALFORMED, "malformed", "an answer of %zu bytes: %.300s",
                     answer->size, why.text);
    }
}

void
aws_judge (aws_call_t *self, verdict_t *verdict, const http_answer_t *answer)
{
    switch (answer->outcome) {
    case HTTP_ANSWERED:
        if (answer->status == 200) {
            read_page (self, verdict, answer);
        } else {
            judge_refusal (self, verdict, answer);
        }
        return;
    case HTTP_TOO_LARGE:
        aws_condemn (self, verdict, AWS_MALFORMED, http_outcome_name (answer->outcome), "%.300s",
                     answer->why.text);
        return;
    default:
        aws_condemn (self, verdict, AWS_NETWORK, http_outcome_name (answer->outcome), "%.300s",
                     answer->why.text);
    }
}
