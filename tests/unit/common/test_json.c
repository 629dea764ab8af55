#include "../../../common/cleanup.h"
#include "../../../common/json.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define ROOM ((size_t) 1 << 20)

//  The bytes are handed over without a NUL after them: a parser that reads on is found out.
static int
parse_bytes (struct json_object **value, const char *bytes, size_t size, reason_t *why)
{
    _cleanup_ (string_destroy) char *exact = malloc (size ? size : 1);

    memcpy (exact, bytes, size);
    return json_parse (value, exact, size, ROOM, why);
}

static int
parse (struct json_object **value, const char *text)
{
    return parse_bytes (value, text, strlen (text), NULL);
}

static void
one_value_of_any_type_is_taken_with_white_space_around_it (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        enum json_type type;
    } ROWS [] = {
        {"{}", json_type_object},           {" \t\r\n[1, 2]\n ", json_type_array},
        {"\"\"", json_type_string},         {"12", json_type_int},
        {"-0.5e3 ", json_type_double},      {"true", json_type_boolean},
        {"false\n", json_type_boolean},     {"null", json_type_null},
        {"{\"a\":{}}\n", json_type_object},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        _cleanup_ (json_destroy) struct json_object *value = NULL;
        assert_int_equal (parse (&value, ROWS [i].text), 0);
        assert_int_equal (json_object_get_type (value), ROWS [i].type);
    }
}

static void
what_is_not_json_is_refused_and_leaves_the_value_alone (void **state)
{
    (void) state;
    static const char *const WRONG [] = {
        " ",          "x",          "{\"a\":1",
        "{\"a\":",    "{\"a\"",     "{\"a",
        "[1,",        "[1 2]",      "[1,]",
        "{\"a\":1,}", "{a:1}",

        "tru",        "nul",        "\"open",
        "-",          "1e",         "01",
        "+1",         ".5",         "{}{}",
        "1 2",        "{} x",       "[] ]",

        "[nan]",      "[infinity]",

        "//c\n1",     "/*c*/1",     "\"\\x\"",
        "\"\\u12\"",  "TRUE",       "[True]",
        "nULL",       "}",          "{\"a\":1 \"b\":2}",
    };
    struct json_object *untouched = (struct json_object *) &state;
    int taken = 0;

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct json_object *value = untouched;
        int rc = parse (&value, WRONG [i]);
        if (rc != -EINVAL || value != untouched) {
            print_message ("taken: %s\n", WRONG [i]);
            taken++;
        }
    }
    assert_int_equal (taken, 0);
}

static void
nothing_is_not_json (void **state)
{
    (void) state;
    struct json_object *value = NULL;
    reason_t why = {0};

    assert_int_equal (json_parse (&value, NULL, 0, ROOM, &why), -EINVAL);
    assert_non_null (strstr (why.text, "empty"));
}

static void
nul_byte_after_or_within_the_value_is_refused (void **state)
{
    (void) state;
    struct json_object *value = NULL;

    assert_int_equal (parse_bytes (&value, "{}\0", 3, NULL), -EINVAL);
    assert_int_equal (parse_bytes (&value, "{}\0{}", 5, NULL), -EINVAL);
    assert_int_equal (parse_bytes (&value, "[1\0,2]", 7, NULL), -EINVAL);
    assert_int_equal (parse_bytes (&value, "12\0", 3, NULL), -EINVAL);
}

static void
every_cut_of_a_document_is_refused_and_says_where (void **state)
{
    (void) state;
    static const char WHOLE [] = "{\"a\":[1,2.5,\"x\\u00e9\"],\"b\":{\"c\":null,\"d\":true}}";

    for (size_t size = 1; size < sizeof WHOLE - 1; size++) {
        struct json_object *value = NULL;
        reason_t why = {0};
        assert_int_equal (parse_bytes (&value, WHOLE, size, &why), -EINVAL);
        assert_non_null (strstr (why.text, "at byte"));
    }
    _cleanup_ (json_destroy) struct json_object *value = NULL;
    assert_int_equal (parse (&value, WHOLE), 0);
}

static void
size_is_bounded_before_a_byte_is_read (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *value = NULL;
    reason_t why = {0};

    assert_int_equal (json_parse (&value, "[1,2]", 5, 5, NULL), 0);
    struct json_object *none = NULL;
    assert_int_equal (json_parse (&none, "[1,2]", 5, 4, &why), -E2BIG);
    assert_non_null (strstr (why.text, "at most 4"));
    assert_int_equal (json_parse (&none, "", (size_t) 1 << 40, SIZE_MAX, NULL), -E2BIG);
    assert_null (none);
}

static void
nesting_is_bounded (void **state)
{
    (void) state;
    char deep [2 * 5000 + 1];

    for (size_t depth = 1; depth <= 5000; depth += depth < 40 ? 1 : 620) {
        _cleanup_ (json_destroy) struct json_object *value = NULL;
        memset (deep, '[', depth);
        memset (deep + depth, ']', depth);
        int rc = parse_bytes (&value, deep, 2 * depth, NULL);
        if (depth < JSON_DEPTH_MAX) {
            assert_int_equal (rc, 0);
        } else if (depth > JSON_DEPTH_MAX) {
            assert_int_equal (rc, -EINVAL);
        }
    }
}

static void
member_of_another_type_is_no_member (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    static const char *const KEYS [] = {"n", "t", "i", "d", "b", "o", "a", "absent"};
    double number;
    int64_t integer;
    bool flag;

    assert_int_equal (parse (&tree, "{\"n\":null,\"t\":\"1\",\"i\":1,\"d\":1.5,\"b\":true,"
                                    "\"o\":{},\"a\":[]}"),
                      0);
    for (size_t i = 0; i < sizeof KEYS / sizeof *KEYS; i++) {
        const char *key = KEYS [i];
        assert_int_equal (json_get_text (tree, key) != NULL, *key == 't');
        assert_int_equal (json_get_object (tree, key) != NULL, *key == 'o');
        assert_int_equal (json_get_array (tree, key) != NULL, i == 6);
        assert_int_equal (json_get_number (tree, key, &number), *key == 'i' || *key == 'd');
        assert_int_equal (json_get_integer (tree, key, &integer), *key == 'i');
        assert_int_equal (json_get_bool (tree, key, &flag), *key == 'b');
    }
    assert_null (json_get (tree, "n"));
}

static void
text_with_a_nul_within_is_no_text (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *tree = NULL;

    assert_int_equal (parse (&tree, "{\"a\":\"x\\u0000y\",\"b\":\"\\u0000\",\"c\":\"\"}"), 0);

    assert_null (json_get_text (tree, "a"));
    assert_null (json_get_text (tree, "b"));
    assert_string_equal (json_get_text (tree, "c"), "");
}

static void
what_is_no_object_has_no_members (void **state)
{
    (void) state;
    static const char *const OTHERS [] = {"null", "1", "\"a\"", "[{\"a\":1}]", "true"};
    int64_t value;

    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS; i++) {
        _cleanup_ (json_destroy) struct json_object *tree = NULL;
        assert_int_equal (parse (&tree, OTHERS [i]), 0);
        assert_null (json_get (tree, "a"));
        assert_null (json_get_text (tree, "a"));
        assert_false (json_get_integer (tree, "a", &value));
    }
}

static void
integers_are_whole_and_within_64_bits (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        bool taken;
        int64_t value;
    } ROWS [] = {
        {"0", true, 0},
        {"-7", true, -7},
        {"3.0", true, 3},
        {"1e3", true, 1000},
        {"9223372036854775807", true, INT64_MAX},
        {"3.5", false, 0},
        {"1e300", false, 0},
        {"1e999", false, 0},
        {"9223372036854775808", false, 0},
        {"18446744073709551615", false, 0},
        {"99999999999999999999999", false, 0},
        {"-9223372036854775808", false, 0},  //  INTEGER_UNKNOWN: nobody may say it
        {"-99999999999999999999999", false, 0},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        _cleanup_ (buffer_clear) buffer_t text = {0};
        _cleanup_ (json_destroy) struct json_object *tree = NULL;
        int64_t value = 42;
        buffer_format (&text, "{\"v\":%s}", ROWS [i].text);
        assert_int_equal (parse (&tree, text.data), 0);
        if (json_get_integer (tree, "v", &value) != ROWS [i].taken) {
            fail_msg ("%s", ROWS [i].text);
        }
        assert_true (value == (ROWS [i].taken ? ROWS [i].value : 42));
    }
}

static void
last_of_two_members_of_one_name_counts (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    int64_t value;

    assert_int_equal (parse (&tree, "{\"a\":1,\"a\":2}"), 0);

    assert_true (json_get_integer (tree, "a", &value));
    assert_int_equal (value, 2);
}

static void
times_are_texts_of_rfc_3339 (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    time_us_t wall = 42;

    assert_int_equal (parse (&tree, "{\"t\":\"1970-01-01T00:00:01Z\",\"n\":1,\"x\":\"soon\"}"), 0);

    assert_false (json_get_time (tree, "n", &wall));
    assert_false (json_get_time (tree, "x", &wall));
    assert_true (wall == 42);
    assert_true (json_get_time (tree, "t", &wall));
    assert_true (wall == SECOND_US);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (one_value_of_any_type_is_taken_with_white_space_around_it),
        cmocka_unit_test (what_is_not_json_is_refused_and_leaves_the_value_alone),
        cmocka_unit_test (nothing_is_not_json),
        cmocka_unit_test (nul_byte_after_or_within_the_value_is_refused),
        cmocka_unit_test (every_cut_of_a_document_is_refused_and_says_where),
        cmocka_unit_test (size_is_bounded_before_a_byte_is_read),
        cmocka_unit_test (nesting_is_bounded),
        cmocka_unit_test (member_of_another_type_is_no_member),
        cmocka_unit_test (text_with_a_nul_within_is_no_text),
        cmocka_unit_test (what_is_no_object_has_no_members),
        cmocka_unit_test (integers_are_whole_and_within_64_bits),
        cmocka_unit_test (last_of_two_members_of_one_name_counts),
        cmocka_unit_test (times_are_texts_of_rfc_3339),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
