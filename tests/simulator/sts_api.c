// sts_api.c - STS (2011-06-15): who am I, and a key for an hour.
//
// A role of any name can be assumed in the accounts there are, but for two kinds: `denied…`
// lets nobody in, and `external-<id>` only who says that ExternalId. A web identity token is
// taken as long as it is not empty and does not say `invalid` or `expired`, which give STS's
// own errors.
//
// SPDX-License-Identifier: MIT

#include "aws_call.h"

#include "../../common/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define SECONDS_LEAST   900
#define SECONDS_MOST    43200
#define SECONDS_DEFAULT 3600

int
sts_get_caller_identity (aws_call_t *call)
{
    xml_text (call->out, "Arn", call->key->arn);
    xml_text (call->out, "UserId", call->key->access_key_id);
    xml_text (call->out, "Account", call->key->account);
    return 0;
}

//  The name after the last '/' of arn:aws:iam::<account>:role/<path>/<name>, or null.
static const char *
role_name (const char *arn)
{
    const char *slash = arn ? strrchr (arn, '/') : NULL;

    return slash && strncmp (arn, "arn:aws", 7) == 0 && strstr (arn, ":role/") && slash [1]
               ? slash + 1
               : NULL;
}

static bool
is_session_name (const char *name)
{
    size_t length = strlen (name);

    return length >= 2 && length <= 64 &&
           strspn (name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+=,.@-") ==
               length;
}

//  The world's name of the account of arn:aws:iam::<account>:role/…, or null.
static const char *
role_account (const aws_call_t *call, const char *arn)
{
    const char *const *accounts;
    size_t count = world_accounts (call->world, &accounts);
    const char *at = strstr (arn, "::");

    for (size_t i = 0; at && i < count; i++) {
        size_t size = strlen (accounts [i]);
        if (strncmp (at + 2, accounts [i], size) == 0 && at [2 + size] == ':') {
            return accounts [i];
        }
    }
    return NULL;
}

static int
check_trust (aws_call_t *call, const char *account, const char *role)
{
    static const char EXTERNAL [] = "external-";
    const char *arn = form_get (call->form, "RoleArn");
    const char *external = form_get (call->form, "ExternalId");
    size_t size = sizeof EXTERNAL - 1;
    bool wants_external = strncmp (role, EXTERNAL, size) == 0;

    if (!account || strncmp (role, "denied", 6) == 0 ||
        (wants_external && strcmp (external ? external : "", role + size) != 0)) {
        return aws_refuse (call, 403, "AccessDenied",
                           "User: %s is not authorized to perform: sts:AssumeRole on resource: %s",
                           call->key ? call->key->arn : "anonymous", arn);
    }
    return 0;
}

static int
give_key (aws_call_t *call)
{
    const char *arn = form_get (call->form, "RoleArn");
    const char *role = role_name (arn);
    const char *session = form_get (call->form, "RoleSessionName");
    int64_t seconds;
    reason_t why;

    if (!role) {
        return aws_refuse (call, 400, "ValidationError", "RoleArn is not the ARN of a role");
    }
    if (!session || !is_session_name (session)) {
        return aws_refuse (call, 400, "ValidationError",
                           "RoleSessionName is required: 2 to 64 of [\\w+=,.@-]");
    }
    if (form_integer (call->form, "DurationSeconds", SECONDS_LEAST, SECONDS_MOST, SECONDS_DEFAULT,
                      &seconds, &why) < 0) {
        return aws_refuse (call, 400, "ValidationError", "%s", why.text);
    }
    const char *account = role_account (call, arn);
    int rc = check_trust (call, account, role);
    if (rc < 0) {
        return rc;
    }
    seconds = keys_seconds (call->keys, seconds);
    const aws_key_t *key = keys_issue (call->keys, account, role, session,
                                       world_now (call->world).wall + seconds * SECOND_US);
    xml_open (call->out, "Credentials");
    xml_text (call->out, "AccessKeyId", key->access_key_id);
    xml_text (call->out, "SecretAccessKey", key->secret);
    xml_text (call->out, "SessionToken", key->session_token);
    xml_second (call->out, "Expiration", key->expires_wall);
    xml_close (call->out, "Credentials");
    xml_open (call->out, "AssumedRoleUser");
    buffer_format (call->out, "<AssumedRoleId>AROASIMULATED:%s</AssumedRoleId>", session);
    xml_text (call->out, "Arn", key->arn);
    xml_close (call->out, "AssumedRoleUser");
    return 0;
}

int
sts_assume_role (aws_call_t *call)
{
    return give_key (call);
}

int
sts_assume_role_with_web_identity (aws_call_t *call)
{
    const char *token = form_get (call->form, "WebIdentityToken");

    if (!token || !*token) {
        return aws_refuse (call, 400, "ValidationError", "WebIdentityToken is required");
    }
    if (strcmp (token, "invalid") == 0) {
        return aws_refuse (call, 400, "InvalidIdentityToken",
                           "Couldn't retrieve verification key from your identity provider");
    }
    if (strcmp (token, "expired") == 0) {
        return aws_refuse (call, 400, "ExpiredTokenException", "Token expired: too long ago");
    }
    return give_key (call);
}
