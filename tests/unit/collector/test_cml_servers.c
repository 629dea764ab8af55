#include "../../../collector/cml/cml_servers.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>  //  needs the three above it

static cml_servers_t *
servers_of (const char *text, reason_t *why)
{
    char path [] = "/tmp/cmlwatch-test-servers-XXXXXX";
    _cleanup_ (descriptor_close) int fd = mkstemp (path);

    assert_true (fd >= 0);
    assert_int_equal (write (fd, text, strlen (text)), strlen (text));
    cml_servers_t *servers = cml_servers_new ("desks", path, why);
    unlink (path);
    return servers;
}

static void
names_become_ids_that_are_the_same_after_any_restart (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_servers_destroy) cml_servers_t *servers =
        servers_of ("# ours\n\n  Lab  One (b)   10.0.0.1\ntwo\thttps://cml.example.com:8443\n"
                    "\xc3\x9c"
                    "bung 3 [2001:db8::1]:443\n",
                    &why);

    assert_non_null (servers);
    assert_int_equal (cml_servers_count (servers), 3);
    assert_string_equal (cml_servers_at (servers, 0)->id, "lab-one-b");
    assert_string_equal (cml_servers_at (servers, 0)->name, "Lab  One (b)");
    assert_string_equal (cml_servers_at (servers, 0)->address, "10.0.0.1");
    assert_string_equal (cml_servers_at (servers, 1)->id, "two");
    assert_string_equal (cml_servers_at (servers, 2)->id, "bung-3");
}

static void
digest_is_of_the_servers_and_not_of_how_they_are_written (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_servers_destroy) cml_servers_t *none = cml_servers_new ("desks", "", &why);
    _cleanup_ (cml_servers_destroy) cml_servers_t *two = servers_of ("a 10.0.0.1\nb b.x\n", &why);
    _cleanup_ (cml_servers_destroy) cml_servers_t *same =
        servers_of ("# two\n  b\tb.x\n\na 10.0.0.1\n", &why);
    _cleanup_ (cml_servers_destroy) cml_servers_t *other = servers_of ("a 10.0.0.2\nb b.x\n", &why);

    assert_true (cml_servers_digest (none) == 0 && cml_servers_digest (two) != 0);
    assert_true (cml_servers_digest (two) == cml_servers_digest (same));
    assert_true (cml_servers_digest (two) != cml_servers_digest (other));
}

static void
only_what_is_listed_and_of_the_region_is_found (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_servers_destroy) cml_servers_t *servers = servers_of ("two 10.0.0.2\n", &why);
    const collector_worker_t listed = {.region = "desks", .instance_id = "two"};
    const collector_worker_t removed = {.region = "desks", .instance_id = "one"};
    const collector_worker_t instance = {.region = "us-east-1", .instance_id = "two"};

    assert_string_equal (cml_servers_find (servers, &listed)->address, "10.0.0.2");
    assert_null (cml_servers_find (servers, &removed));
    assert_null (cml_servers_find (servers, &instance));
}

static void
no_file_lists_nobody (void **state)
{
    (void) state;
    reason_t why = {0};
    _cleanup_ (cml_servers_destroy) cml_servers_t *servers = cml_servers_new ("cml", "", &why);

    assert_non_null (servers);
    assert_int_equal (cml_servers_count (servers), 0);
}

static void
wrong_line_is_named (void **state)
{
    (void) state;
    static const struct {
        const char *text, *said;
    } rows [] = {
        {"a 10.0.0.1\nalone\n", ":2: a line is"},
        {"a {public_ip}\n", ":1: a line is"},
        {"a public\n", ":1: a line is"},
        {"a http://x\n", ":1: a line is"},
        {"a x/y\n", ":1: a line is"},
        {"A 10.0.0.1\na 10.0.0.2\n", ":2: 'a'"},
        {"*** 10.0.0.1\n", ":1: '***' has no letter"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        reason_t why = {0};
        _cleanup_ (cml_servers_destroy) cml_servers_t *servers = servers_of (rows [i].text, &why);
        assert_null (servers);
        if (!strstr (why.text, rows [i].said)) {
            fail_msg ("'%s' does not say '%s'", why.text, rows [i].said);
        }
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (names_become_ids_that_are_the_same_after_any_restart),
        cmocka_unit_test (digest_is_of_the_servers_and_not_of_how_they_are_written),
        cmocka_unit_test (only_what_is_listed_and_of_the_region_is_found),
        cmocka_unit_test (no_file_lists_nobody),
        cmocka_unit_test (wrong_line_is_named),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
