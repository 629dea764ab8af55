#include "../../../common/cleanup.h"
#include "../../../common/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static void
all_but_the_unreserved_is_encoded_in_upper_case (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    url_encode (&out, "Az09-_.~ /:*+%&=é");

    assert_string_equal (out.data, "Az09-_.~%20%2F%3A%2A%2B%25%26%3D%C3%A9");
}

static void
fields_are_joined_by_ampersands (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    url_add_field (&out, "Action", "DescribeInstances");
    url_add_field (&out, "Filter.1.Name", "tag:Owner");
    url_add_field (&out, "Empty", "");

    assert_string_equal (out.data, "Action=DescribeInstances&Filter.1.Name=tag%3AOwner&Empty=");
}

static void
every_byte_comes_back_as_it_went (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    char all [256], back [256];
    for (int i = 1; i < 256; i++) {
        all [i - 1] = (char) i;
    }
    all [255] = '\0';

    url_encode (&out, all);

    assert_int_equal (url_decode (back, out.data, out.size), 255);
    assert_string_equal (back, all);
}

static void
plus_is_a_space_and_either_case_of_hex_is_read (void **state)
{
    (void) state;
    char text [32];

    assert_int_equal (url_decode (text, "a+b%2fc%2F", 10), 6);
    assert_string_equal (text, "a b/c/");
    assert_int_equal (url_decode (text, "", 0), 0);
    assert_string_equal (text, "");
}

static void
malformed_escapes_and_nuls_are_refused (void **state)
{
    (void) state;
    static const char *const WRONG [] = {"%", "a%4", "%zz", "%4g", "%00", "ok%"};
    char text [32];

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        assert_int_equal (url_decode (text, WRONG [i], strlen (WRONG [i])), -1);
    }
    assert_int_equal (url_decode (text, "a\0b", 3), -1);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (all_but_the_unreserved_is_encoded_in_upper_case),
        cmocka_unit_test (fields_are_joined_by_ampersands),
        cmocka_unit_test (every_byte_comes_back_as_it_went),
        cmocka_unit_test (plus_is_a_space_and_either_case_of_hex_is_read),
        cmocka_unit_test (malformed_escapes_and_nuls_are_refused),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
