// query_keys.c - whose keys sign a call: one set for each account, and calls that wait for them.
//
// SPDX-License-Identifier: MIT

#include "../../common/cleanup.h"
#include "query_call.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

//  Those that wait for keys look again.
static void
on_keys (void *argument)
{
    aws_api_t *self = argument;
    assert (self->magic == API_MAGIC);

    for (aws_call_t *call = self->calls; call; call = call->next) {
        if (call->waiting) {
            loop_timer_after (call->timer, 0);
        }
    }
}

//  Keys of the chain, and of a role for each account that has one.
int
aws_api_make_credentials (aws_api_t *self, aws_getenv_fn *read_variable)
{
    char region [AWS_REGION_SIZE];
    aws_credentials_ask_t ask = {
        .core = self->core,
        .api = self,
        .read_variable = read_variable,
        .account = "",
        .region = aws_first_region (aws_accounts_regions (self->accounts), region),
        .changed = on_keys,
        .argument = self,
    };

    self->credentials = aws_credentials_new (&ask);
    for (size_t i = 0; self->credentials && i < aws_accounts_count (self->accounts); i++) {
        const aws_account_t *account = aws_accounts_at (self->accounts, i);
        if (!account->role_arn) {
            continue;
        }
        _cleanup_ (aws_origin_destroy) aws_origin_t *origin =
            aws_origin_new (AWS_ORIGIN_ROLE, "the account's role");
        if (!origin || !(origin->role_arn = strdup (account->role_arn)) ||
            !(origin->session_name = strdup (account->session_name)) ||
            (account->external_id && !(origin->external_id = strdup (account->external_id)))) {
            return -ENOMEM;
        }
        ask.account = account->name;
        ask.region = aws_first_region (account->regions, region);
        self->roles [i] = aws_credentials_new_role (&ask, &origin, self->credentials);
        if (!self->roles [i]) {
            return -ENOMEM;
        }
    }
    return self->credentials ? 0 : -ENOMEM;
}

//  Those of a name that nobody has are the chain's: an account comes from the list.
aws_credentials_t *
aws_api_credentials (const aws_api_t *self, const char *account)
{
    for (size_t i = 0; i < aws_accounts_count (self->accounts); i++) {
        if (self->roles [i] && strcmp (aws_accounts_at (self->accounts, i)->name, account) == 0) {
            return self->roles [i];
        }
    }
    return self->credentials;
}
