#include "../../../gateway/proxies.h"
#include "../../../gateway/quota.h"
#include "../../../gateway/session.h"
#include "../../../gateway/tokens.h"

#include "gateway_rig.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

//  FIPS 180-4's own example: SHA-256 of "abc".
#define TOKEN "abc"
#define HASH  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define NOW   ((time_us_t) 1800000000 * SECOND_US)
#define KEY   "0123456789abcdef0123456789abcdef"

typedef struct file {
    char path [64];
} file_t;

static void
write_file (file_t *file, const char *text)
{
    int fd;

    if (!*file->path) {
        snprintf (file->path, sizeof file->path, "/tmp/cmlwatch-tokens-XXXXXX");
        fd = mkstemp (file->path);
    } else {
        char other [80];
        snprintf (other, sizeof other, "%s.new", file->path);
        FILE *out = fopen (other, "we");
        assert_non_null (out);
        fputs (text, out);
        fclose (out);
        assert_int_equal (rename (other, file->path), 0);
        return;
    }
    assert_true (fd >= 0);
    assert_int_equal (write (fd, text, strlen (text)), (ssize_t) strlen (text));
    close (fd);
}

static void
token_is_known_by_its_hash (void **state)
{
    (void) state;
    file_t file = {""};
    reason_t why = {""};

    write_file (&file, "# who\n\nops operator sha256:" HASH
                       " regions=us-east-1,eu-west-1 expires=2027-01-01T00:00:00Z # why\n");
    _cleanup_ (tokens_destroy) tokens_t *tokens = tokens_new (file.path, &why);
    unlink (file.path);
    assert_non_null (tokens);
    const identity_t *identity = tokens_find (tokens, TOKEN, strlen (TOKEN));

    assert_non_null (identity);
    assert_string_equal (identity->name, "ops");
    assert_int_equal (identity->role, ROLE_OPERATOR);
    assert_true (identity->expires_at > 0);
    assert_true (view_shows (identity->view, "eu-west-1", WORKER_A));
    assert_false (view_shows (identity->view, "us-west-2", WORKER_A));
    assert_null (tokens_find (tokens, "abd", 3));
    assert_null (tokens_find (tokens, "", 0));
    assert_null (tokens_find (tokens, HASH, strlen (HASH)));
}

static void
wrong_line_is_named_and_nothing_is_taken (void **state)
{
    (void) state;
    static const char *const LINES [] = {
        "ops\n",
        "ops operator\n",
        "ops root sha256:" HASH "\n",
        "ops operator " HASH "\n",
        "ops operator sha256:ba7816\n",
        "ops operator sha256:BA7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\n",
        "ops operator sha256:" HASH " region=us-east-1\n",
        "ops operator sha256:" HASH " expires=tomorrow\n",
        "a viewer sha256:" HASH "\nb viewer sha256:" HASH "\n",
    };

    for (size_t i = 0; i < COUNT (LINES); i++) {
        file_t file = {""};
        reason_t why = {""};
        write_file (&file, LINES [i]);
        tokens_t *tokens = tokens_new (file.path, &why);
        unlink (file.path);
        assert_null (tokens);
        assert_non_null (strstr (why.text, "line "));
    }
}

static void
file_is_read_again_when_it_is_another_and_a_wrong_one_changes_nothing (void **state)
{
    (void) state;
    file_t file = {""};
    reason_t why = {""};

    write_file (&file, "ops operator sha256:" HASH "\n");
    _cleanup_ (tokens_destroy) tokens_t *tokens = tokens_new (file.path, &why);
    _cleanup_ (identity_release) identity_t *ops =
        identity_hold (tokens_find (tokens, TOKEN, strlen (TOKEN)));
    assert_int_equal (tokens_refresh (tokens, &why), 0);

    write_file (&file, "nonsense\n");
    assert_true (tokens_refresh (tokens, &why) < 0);
    assert_true (tokens_stand_for (tokens, ops));

    write_file (&file, "\n");
    assert_int_equal (tokens_refresh (tokens, &why), 1);
    assert_false (tokens_stand_for (tokens, ops));
    unlink (file.path);
    assert_true (tokens_refresh (tokens, &why) < 0);
}

static void
file_that_cannot_be_read_to_its_end_is_none (void **state)
{
    (void) state;
    static const char CUT [] = "ops operator sha256:" HASH "\0 expires=2020-01-01T00:00:00Z\n";
    file_t file = {""};
    reason_t why = {""};

    assert_null (tokens_new ("/", &why));
    assert_non_null (strstr (why.text, "cannot be read"));
    write_file (&file, "");
    FILE *out = fopen (file.path, "w");
    assert_int_equal (fwrite (CUT, 1, sizeof CUT - 1, out), sizeof CUT - 1);
    fclose (out);
    assert_null (tokens_new (file.path, &why));
    assert_non_null (strstr (why.text, "line 1: it has a NUL byte"));
    unlink (file.path);
}

static void
token_stands_for_no_more_than_its_line_says_now (void **state)
{
    (void) state;
    static const struct {
        const char *line;
        bool stands;
    } LINES [] = {
        {"ops operator sha256:" HASH " regions=b,a expires=2027-01-01T00:00:00Z\n", true},
        {"ops operator sha256:" HASH " regions=a,b expires=2028-01-01T00:00:00Z\n", true},
        {"ops operator sha256:" HASH " regions=a,b\n", true},
        {"ops operator sha256:" HASH " regions=a,b expires=2026-12-31T00:00:00Z\n", false},
        {"ops viewer sha256:" HASH " regions=a,b\n", false},
        {"ada operator sha256:" HASH " regions=a,b\n", false},
        {"ops operator sha256:" HASH " regions=a\n", false},
        {"ops operator sha256:" HASH " regions=a,c\n", false},
        {"ops operator sha256:" HASH " regions=a,b worker_ids=" WORKER_A "\n", false},
        {"ops operator sha256:" HASH "\n", false},
    };
    file_t file = {""};
    reason_t why = {""};

    write_file (&file, "ops operator sha256:" HASH " regions=a,b expires=2027-01-01T00:00:00Z\n");
    _cleanup_ (tokens_destroy) tokens_t *tokens = tokens_new (file.path, &why);
    _cleanup_ (identity_release) identity_t *ops =
        identity_hold (tokens_find (tokens, TOKEN, strlen (TOKEN)));

    for (size_t i = 0; i < COUNT (LINES); i++) {
        write_file (&file, LINES [i].line);
        assert_int_equal (tokens_refresh (tokens, &why), 1);
        assert_int_equal (tokens_stand_for (tokens, ops), LINES [i].stands);
    }
    unlink (file.path);
}

static identity_t *
somebody (void)
{
    reason_t why = {""};
    identity_t *identity = identity_new ("ada", ROLE_VIEWER);

    view_limit_regions (identity->view, "us-east-1,eu-west-1", &why);
    snprintf (identity->credential, sizeof identity->credential, "%s", HASH);
    return identity;
}

static void
session_gives_back_who_it_was_until_its_end (void **state)
{
    (void) state;
    reason_t why = {""};
    time_us_t expires = 0;
    _cleanup_ (sessions_destroy) sessions_t *sessions = sessions_new (KEY, 3600, &why);
    _cleanup_ (sessions_destroy) sessions_t *other = sessions_new (KEY, 60, &why);
    _cleanup_ (identity_release) identity_t *ada = somebody ();
    _cleanup_ (buffer_clear) buffer_t cookie = {0};

    assert_int_equal (sessions_seal (sessions, ada, NOW, &cookie, &expires), 0);
    assert_int_equal (expires, NOW + 3600 * SECOND_US);
    _cleanup_ (identity_release) identity_t *back =
        sessions_open (other, cookie.data, cookie.size, NOW, &why);  //  another gateway, one key

    assert_non_null (back);
    assert_string_equal (back->name, "ada");
    assert_int_equal (back->role, ROLE_VIEWER);
    assert_string_equal (back->credential, HASH);
    assert_true (view_shows (back->view, "eu-west-1", WORKER_A));
    assert_false (view_shows (back->view, "us-west-2", WORKER_A));
    assert_null (sessions_open (other, cookie.data, cookie.size, expires, &why));
}

static void
session_never_outlives_its_token (void **state)
{
    (void) state;
    reason_t why = {""};
    time_us_t expires = 0;
    _cleanup_ (sessions_destroy) sessions_t *sessions = sessions_new (KEY, 3600, &why);
    _cleanup_ (identity_release) identity_t *ada = somebody ();
    _cleanup_ (buffer_clear) buffer_t cookie = {0};

    ada->expires_at = NOW + 5 * SECOND_US;
    assert_int_equal (sessions_seal (sessions, ada, NOW, &cookie, &expires), 0);
    assert_int_equal (expires, ada->expires_at);
}

static void
changed_foreign_or_cut_cookie_is_refused (void **state)
{
    (void) state;
    reason_t why = {""};
    time_us_t expires = 0;
    _cleanup_ (sessions_destroy) sessions_t *sessions = sessions_new (KEY, 3600, &why);
    _cleanup_ (sessions_destroy) sessions_t *foreign = sessions_new ("", 3600, &why);
    _cleanup_ (identity_release) identity_t *ada = somebody ();
    _cleanup_ (buffer_clear) buffer_t cookie = {0};

    sessions_seal (sessions, ada, NOW, &cookie, &expires);
    assert_null (sessions_open (foreign, cookie.data, cookie.size, NOW, &why));
    for (size_t i = 0; i < cookie.size; i++) {
        char was = cookie.data [i];
        assert_null (sessions_open (sessions, cookie.data, i, NOW, &why));
        cookie.data [i] = was == 'A' ? 'B' : 'A';
        assert_null (sessions_open (sessions, cookie.data, cookie.size, NOW, &why));
        cookie.data [i] = was;
    }
    assert_null (sessions_open (sessions, "", 0, NOW, &why));
}

static void
ended_session_is_over_and_another_of_the_same_user_is_not (void **state)
{
    (void) state;
    reason_t why = {""};
    time_us_t expires = 0;
    _cleanup_ (sessions_destroy) sessions_t *sessions = sessions_new (KEY, 3600, &why);
    _cleanup_ (identity_release) identity_t *ada = somebody ();
    _cleanup_ (buffer_clear) buffer_t first = {0}, second = {0};

    sessions_seal (sessions, ada, NOW, &first, &expires);
    sessions_seal (sessions, ada, NOW, &second, &expires);
    _cleanup_ (identity_release) identity_t *one =
        sessions_open (sessions, first.data, first.size, NOW, &why);
    _cleanup_ (identity_release) identity_t *two =
        sessions_open (sessions, second.data, second.size, NOW, &why);
    assert_true (one->began_at == NOW);
    sessions_end (sessions, one, NOW);

    assert_true (sessions_have_ended (sessions, one));
    assert_false (sessions_have_ended (sessions, two));
    assert_null (sessions_open (sessions, first.data, first.size, NOW, &why));
}

static identity_t *
session_of (int number, time_us_t began)
{
    identity_t *self = somebody ();

    self->began_at = began;
    self->expires_at = began + 3600 * SECOND_US + number;
    snprintf (self->session, sizeof self->session, "%d", number);
    return self;
}

static void
session_that_was_ended_stays_so_however_many_are (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (sessions_destroy) sessions_t *sessions = sessions_new (KEY, 3600, &why);

    for (int number = 0; number <= SESSIONS_ENDED_MOST; number++) {
        _cleanup_ (identity_release) identity_t *ended = session_of (number, NOW);
        sessions_end (sessions, ended, NOW);
    }

    for (int number = 0; number <= SESSIONS_ENDED_MOST; number++) {
        _cleanup_ (identity_release) identity_t *ended = session_of (number, NOW);
        assert_true (sessions_have_ended (sessions, ended));
    }
    _cleanup_ (identity_release) identity_t *longest = session_of (SESSIONS_ENDED_MOST + 1, NOW);
    assert_false (sessions_have_ended (sessions, longest));
    _cleanup_ (identity_release) identity_t *newer = session_of (1, NOW + 1);
    newer->expires_at = NOW + SECOND_US;
    snprintf (newer->session, sizeof newer->session, "of a token that is over soon");
    assert_false (sessions_have_ended (sessions, newer));
}

static void
identity_that_does_not_fit_into_a_cookie_is_refused (void **state)
{
    (void) state;
    reason_t why = {""};
    time_us_t expires = 0;
    char id [FEED_WORKER_ID_SIZE];
    _cleanup_ (sessions_destroy) sessions_t *sessions = sessions_new (KEY, 3600, &why);
    _cleanup_ (identity_release) identity_t *ada = somebody ();
    _cleanup_ (buffer_clear) buffer_t cookie = {0};

    for (int i = 0; i < 100; i++) {
        snprintf (id, sizeof id, "aaaaaaaa-0000-5000-8000-%012d", i);
        assert_int_equal (view_limit_workers (ada->view, id, &why), 0);
    }
    assert_int_equal (sessions_seal (sessions, ada, NOW, &cookie, &expires), -E2BIG);
    assert_int_equal (cookie.size, 0);
}

static void
forwarded_address_is_believed_as_far_as_proxies_reach (void **state)
{
    (void) state;
    static const struct {
        const char *trusted, *peer, *header, *client;
    } ROWS [] = {
        {"", "192.0.2.1", "203.0.113.9", "192.0.2.1"},
        {"192.0.2.0/24", "192.0.2.1", NULL, "192.0.2.1"},
        {"192.0.2.0/24", "192.0.2.1", "203.0.113.9", "203.0.113.9"},
        {"192.0.2.0/24", "192.0.2.1", "6.6.6.6, 203.0.113.9", "203.0.113.9"},
        {"192.0.2.0/24", "192.0.2.1", "203.0.113.9, 192.0.2.7", "203.0.113.9"},
        {"192.0.2.0/24", "192.0.3.1", "203.0.113.9", "192.0.3.1"},
        {"192.0.2.0/25", "192.0.2.129", "203.0.113.9", "192.0.2.129"},
        {"192.0.2.1", "192.0.2.1", "nonsense", "192.0.2.1"},
        {"192.0.2.1", "192.0.2.1", "203.0.113.9, nonsense", "192.0.2.1"},
        {"fd00::/8", "fd00::1", "2001:db8::1", "2001:db8::1"},
        {"unix", "::", "203.0.113.9", "203.0.113.9"},
        {"192.0.2.1", "::", "203.0.113.9", "unix"},
        {"0.0.0.0/0", "8.8.8.8", "1.1.1.1, 2.2.2.2", "1.1.1.1"},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        reason_t why = {""};
        _cleanup_ (proxies_destroy) proxies_t *proxies = proxies_new (ROWS [i].trusted, &why);
        struct in6_addr peer = {.s6_addr = {[10] = 0xff, [11] = 0xff}}, client;
        char text [PROXIES_ADDRESS_SIZE];
        assert_non_null (proxies);
        if (inet_pton (AF_INET, ROWS [i].peer, &peer.s6_addr [12]) != 1) {
            assert_int_equal (inet_pton (AF_INET6, ROWS [i].peer, &peer), 1);
        }
        client = proxies_client (proxies, &peer, ROWS [i].header);
        assert_string_equal (proxies_text (&client, text), ROWS [i].client);
    }
}

static void
address_counts_to_its_host_whichever_it_took (void **state)
{
    (void) state;
    static const struct {
        const char *address, *network;
    } ROWS [] = {
        {"2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"},
        {"2001:db8:1:2::", "2001:db8:1:2::"},
        {"2001:db8:1:3::1", "2001:db8:1:3::"},
        {"fe80::1", "fe80::"},
        {"::1", "::1"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::", "unix"},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        struct in6_addr address, network;
        char text [PROXIES_ADDRESS_SIZE];
        assert_int_equal (inet_pton (AF_INET6, ROWS [i].address, &address), 1);
        network = proxies_network (&address);
        assert_string_equal (proxies_text (&network, text), ROWS [i].network);
    }
}

static void
wrong_proxy_is_refused (void **state)
{
    (void) state;
    static const char *const LISTS [] = {"example.com", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/x",
                                         "10.0.0",      "::1/129",     "Unix"};

    for (size_t i = 0; i < COUNT (LISTS); i++) {
        reason_t why = {""};
        assert_null (proxies_new (LISTS [i], &why));
        assert_non_null (strstr (why.text, "trusted_proxies"));
    }
}

static void
quota_is_two_seconds_worth_at_once_and_then_the_rate (void **state)
{
    (void) state;
    quota_t *quota = quota_new (5);
    int taken = 0;

    for (int i = 0; i < 100; i++) {
        taken += quota_take (quota, "ada", NOW);
    }
    assert_int_equal (taken, 10);
    assert_true (quota_take (quota, "bob", NOW));
    assert_false (quota_take (quota, "ada", NOW + SECOND_US / 10));
    assert_true (quota_take (quota, "ada", NOW + SECOND_US / 5));
    assert_false (quota_take (quota, "ada", NOW + SECOND_US / 5));
    quota_destroy (&quota);
}

static void
quota_of_many_keys_is_bounded (void **state)
{
    (void) state;
    quota_t *quota = quota_new (1);
    char key [32];

    for (int i = 0; i < QUOTA_KEYS_MOST + 100; i++) {
        snprintf (key, sizeof key, "key %d", i);
        (void) quota_take (quota, key, NOW);
    }
    assert_int_equal (quota_keys (quota), QUOTA_KEYS_MOST);
    assert_false (quota_take (quota, "one more", NOW));  //  they share a bucket, which is used up
    assert_true (quota_take (quota, "one more", NOW + 10 * SECOND_US));
    assert_int_equal (quota_keys (quota), 1);  //  the full ones were forgotten
    quota_destroy (&quota);
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (token_is_known_by_its_hash),
        cmocka_unit_test (wrong_line_is_named_and_nothing_is_taken),
        cmocka_unit_test (file_is_read_again_when_it_is_another_and_a_wrong_one_changes_nothing),
        cmocka_unit_test (file_that_cannot_be_read_to_its_end_is_none),
        cmocka_unit_test (token_stands_for_no_more_than_its_line_says_now),
        cmocka_unit_test (session_gives_back_who_it_was_until_its_end),
        cmocka_unit_test (session_never_outlives_its_token),
        cmocka_unit_test (changed_foreign_or_cut_cookie_is_refused),
        cmocka_unit_test (ended_session_is_over_and_another_of_the_same_user_is_not),
        cmocka_unit_test (session_that_was_ended_stays_so_however_many_are),
        cmocka_unit_test (identity_that_does_not_fit_into_a_cookie_is_refused),
        cmocka_unit_test (forwarded_address_is_believed_as_far_as_proxies_reach),
        cmocka_unit_test (address_counts_to_its_host_whichever_it_took),
        cmocka_unit_test (wrong_proxy_is_refused),
        cmocka_unit_test (quota_is_two_seconds_worth_at_once_and_then_the_rate),
        cmocka_unit_test (quota_of_many_keys_is_bounded),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
