//  ~/.aws/config and ~/.aws/credentials (apart by a line `----`), and the same text as a list of
//  accounts: whoever writes them, what comes out can be used or is refused with a word.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/aws/accounts.h"
#include "../../collector/aws/fetch.h"
#include "../../collector/aws/origin.h"
#include "../../common/cleanup.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define BETWEEN    "----\n"
#define FILES      2
#define REGION_MAX 40

static struct {
    int fd;
    char path [40];
} files [FILES];

static const char *profile;

//  Files that lie nowhere; each reader opens them anew, so that it begins at their beginning.
static void
write_file (size_t index, const uint8_t *bytes, size_t size)
{
    if (!files [index].path [0]) {
        files [index].fd = memfd_create ("fuzz", 0);
        snprintf (files [index].path, sizeof files [index].path, "/proc/self/fd/%d",
                  files [index].fd);
    }
    CHECK (ftruncate (files [index].fd, 0) == 0);
    CHECK (size == 0 || pwrite (files [index].fd, bytes, size, 0) == (ssize_t) size);
}

static const char *
read_variable (const char *name)
{
    return strcmp (name, "AWS_CONFIG_FILE") == 0               ? files [0].path
           : strcmp (name, "AWS_SHARED_CREDENTIALS_FILE") == 0 ? files [1].path
           : strcmp (name, "AWS_PROFILE") == 0                 ? profile
           : strcmp (name, "AWS_EC2_METADATA_DISABLED") == 0   ? "true"
                                                               : NULL;
}

//  What asks for keys relies on these.
static void
check_origin (const aws_origin_t *origin)
{
    CHECK (origin->place && origin->place [0]);
    CHECK (origin->kind != AWS_ORIGIN_KEYS || (origin->access_key_id && origin->secret_access_key));
    CHECK (origin->kind != AWS_ORIGIN_PROCESS || origin->command);
    CHECK (origin->kind != AWS_ORIGIN_CONTAINER || aws_container_url_is_safe (origin->url));
    CHECK (origin->kind != AWS_ORIGIN_WEB_IDENTITY || origin->token_file);
    CHECK ((origin->kind == AWS_ORIGIN_ROLE) == (origin->base != NULL));
    if (origin->kind == AWS_ORIGIN_ROLE || origin->kind == AWS_ORIGIN_WEB_IDENTITY) {
        CHECK (aws_role_arn_is_valid (origin->role_arn));
        CHECK (aws_session_name_is_valid (origin->session_name));
        CHECK (origin->duration_seconds == 0 ||
               (origin->duration_seconds >= 900 && origin->duration_seconds <= 43200));
    }
    if (origin->base) {
        check_origin (origin->base);
    }
    if (origin->command) {
        _cleanup_ (aws_words_destroy) char **words = aws_words_new (origin->command);
        CHECK (!words || words [0]);
    }
}

static void
find (const char *name)
{
    aws_origin_t *origin = NULL;
    reason_t why = {""};
    char region [REGION_MAX] = "", text [300] = "";

    profile = name;
    int rc = aws_origin_find (read_variable, &origin, &why);
    CHECK ((rc == 0) == (origin != NULL) && (rc == 0 || why.text [0]));
    if (origin) {
        check_origin (origin);
    }
    aws_origin_destroy (&origin);
    if (aws_profile_region (read_variable, region, sizeof region)) {
        CHECK (region [0] && strlen (region) < sizeof region);
    }
    aws_profile_describe (read_variable, text, sizeof text);
    CHECK (text [0]);
}

static void
list_accounts (void)
{
    reason_t why = {""};
    _cleanup_ (aws_accounts_destroy) aws_accounts_t *accounts =
        aws_accounts_read (files [0].path, "us-east-1", &why);

    CHECK (accounts || why.text [0]);
    if (!accounts) {
        return;
    }
    aws_span_t span = aws_accounts_span (accounts);
    CHECK (span.accounts == aws_accounts_count (accounts) && span.accounts > 0);
    CHECK (span.units >= 1 && aws_accounts_regions (accounts) [0]);
    for (size_t i = 0; i < span.accounts; i++) {
        const aws_account_t *account = aws_accounts_at (accounts, i);
        CHECK (aws_accounts_find (accounts, account->name) == account);
        CHECK (account->name [0] && strlen (account->name) <= AWS_ACCOUNT_NAME_MAX);
        CHECK (!account->role_arn || aws_role_arn_is_valid (account->role_arn));
        CHECK (!account->session_name || aws_session_name_is_valid (account->session_name));
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const uint8_t *cut = size > 0 ? memmem (data, size, BETWEEN, strlen (BETWEEN)) : NULL;
    size_t first = cut ? (size_t) (cut - data) : size;
    size_t second = cut ? first + strlen (BETWEEN) : size;

    write_file (0, data, first);
    write_file (1, data + second, size - second);
    find (NULL);
    find ("lab");
    list_accounts ();
    return 0;
}
