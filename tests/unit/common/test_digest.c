#include "../../../common/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static uint64_t
digest_of (const char *text)
{
    return digest_of_snapshot (text, strlen (text));
}

//  From the draft's own table of 64-bit FNV-1a vectors.
static void
hash_is_fnv_1a_as_everybody_computes_it (void **state)
{
    (void) state;

    assert_true (digest_of ("") == 0xcbf29ce484222325u);
    assert_true (digest_of ("a") == 0xaf63dc4c8601ec8cu);
    assert_true (digest_of ("foobar") == 0x85944171f73967e8u);
}

static void
freshness_and_what_follows_do_not_count (void **state)
{
    (void) state;

    assert_true (
        digest_of ("{\"name\":\"a\",\"ec2_freshness\":\"fresh\",\"x\":1}") ==
        digest_of ("{\"name\":\"a\",\"ec2_freshness\":\"stale\",\"x\":2,\"_reason\":\"y\"}"));
    assert_true (digest_of ("{\"name\":\"a\",\"ec2_freshness\":\"fresh\"}") !=
                 digest_of ("{\"name\":\"b\",\"ec2_freshness\":\"fresh\"}"));
}

static void
key_of_the_same_name_within_an_object_of_others_is_not_the_end (void **state)
{
    (void) state;

    assert_true (
        digest_of (
            "{\"aws_tags\":{\"x\":1,\"ec2_freshness\":1},\"b\":1,\"ec2_freshness\":\"a\"}") !=
        digest_of ("{\"aws_tags\":{\"x\":1,\"ec2_freshness\":1},\"b\":2,\"ec2_freshness\":\"a\"}"));
}

static void
terminated_worker_counts_nothing (void **state)
{
    (void) state;

    assert_true (digest_of ("{\"id\":\"a\",\"status\":\"terminated\",\"x\":1}") == 0);
    assert_true (digest_of ("{\"id\":\"a\",\"service_status\":\"terminated\",\"x\":1}") != 0);
    assert_true (
        digest_of ("{\"id\":\"a\",\"status\":\"running\",\"t\":{\"status\":\"terminated\"}}") != 0);
    assert_true (digest_of ("{\"status\":\"term") != 0);
}

static void
text_is_sixteen_hex_digits (void **state)
{
    char text [DIGEST_TEXT_SIZE];
    (void) state;

    digest_text (text, 0xabc);

    assert_string_equal (text, "0000000000000abc");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (hash_is_fnv_1a_as_everybody_computes_it),
        cmocka_unit_test (freshness_and_what_follows_do_not_count),
        cmocka_unit_test (key_of_the_same_name_within_an_object_of_others_is_not_the_end),
        cmocka_unit_test (terminated_worker_counts_nothing),
        cmocka_unit_test (text_is_sixteen_hex_digits),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
