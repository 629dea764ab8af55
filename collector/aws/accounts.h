// accounts.h - the accounts that are read, each with its regions, and whose keys ask there.
//
// Without a list there is one, without a name: whose the chain's keys are. A list is a file:
//
//     [production]                                    # its name: in metrics, messages
//     role_arn     = arn:aws:iam::111122223333:role/cmlwatch
//     regions      = us-east-1, eu-central-1          # else those of the settings
//     external_id  = 4711                             # optional
//     session_name = cmlwatch                         # optional
//
// A section without role_arn is the account of the chain's own keys; at most one may be. The
// roles are assumed with the chain's keys. Accounts may share regions.
//
// SPDX-License-Identifier: MIT

#ifndef COLLECTOR_AWS_ACCOUNTS_H
#define COLLECTOR_AWS_ACCOUNTS_H

#include "../core/collector.h"

#define AWS_ACCOUNTS_MAX     64
#define AWS_ACCOUNT_NAME_MAX 64
#define AWS_ACCOUNT_ID_SIZE  13

typedef struct aws_account {  //  texts are owned
    char *name;               //  "" for the only one
    char *role_arn;           //  null: the chain's own keys
    char *external_id;        //  null: none
    char *session_name;
    char *regions;                  //  comma list
    char id [AWS_ACCOUNT_ID_SIZE];  //  of role_arn; "": whatever the chain's keys are of
} aws_account_t;

typedef struct aws_accounts aws_accounts_t;

//  path "": the one without a name, with these regions. Null and why: no such file, or what
//  is wrong with which line.
aws_accounts_t *aws_accounts_read (const char *path, const char *regions, reason_t *why);
void aws_accounts_destroy (aws_accounts_t **self_p);

size_t aws_accounts_count (const aws_accounts_t *self);
const aws_account_t *aws_accounts_at (const aws_accounts_t *self, size_t index);
//  Null when there is none of this name.
const aws_account_t *aws_accounts_find (const aws_accounts_t *self, const char *name);

//  Every region of any account, once, a comma list; borrowed.
const char *aws_accounts_regions (const aws_accounts_t *self);

//  The names of the accounts that read this region; borrowed, until the next call.
const char *const *aws_accounts_of_region (aws_accounts_t *self, const char *region, size_t *count);

//  Of the list as it is written, but for comments, white space and the order of its lines; 0 without.
uint64_t aws_accounts_digest (const aws_accounts_t *self);

//  For a source's table: are the accounts of these settings (collector_settings_t) well said?
int aws_accounts_check (const void *settings, reason_t *why);

//  What is read, for estimates: `units` are the (region, account) pairs, each with rounds of its own.
typedef struct aws_span {
    size_t accounts, units;
} aws_span_t;

aws_span_t aws_accounts_span (aws_accounts_t *self);
//  The same of what the settings say, which have been checked; all 0 when the list is gone since.
aws_span_t aws_accounts_span_of (const collector_settings_t *settings);

//  True when the worker is to be asked for with this account's keys. One whose account is not
//  known yet is nobody's, unless a single account reads its region.
bool aws_accounts_owns (const aws_accounts_t *self, const aws_account_t *account,
                        const collector_worker_t *worker);

//  The name of the account with whose keys the worker is asked about; null: none reads its region,
//  or it is not known yet which. Borrowed.
const char *aws_accounts_of_worker (const aws_accounts_t *self, const collector_worker_t *worker);

//  The workers of a round's region that its account has: an array, which the caller frees; null
//  when memory is out (count is 0). The workers are borrowed, as of collector_workers.
const collector_worker_t **aws_accounts_workers (const aws_accounts_t *self,
                                                 const collector_round_t *round, size_t *count);

#endif
