#include "../../../common/cleanup.h"
#include "../../../common/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static struct json_object *
parsed (const char *text)
{
    struct json_object *tree = NULL;

    assert_int_equal (json_parse (&tree, text, strlen (text), strlen (text), NULL), 0);
    return tree;
}

static void
commas_and_colons_are_put_where_they_belong (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_object (&json);
    json_member_text (&json, "a", "x");
    json_key (&json, "b");
    json_open_array (&json);
    json_put_integer (&json, 1);
    json_open_object (&json);
    json_close_object (&json);
    json_open_array (&json);
    json_close_array (&json);
    json_put_null (&json);
    json_close_array (&json);
    json_member_bool (&json, "c", false);
    json_member_time (&json, "d", 1500);
    json_member_raw (&json, "e", "[7]+", 3);
    json_member_number (&json, "f", 0.25);
    json_close_object (&json);

    assert_string_equal (out.data, "{\"a\":\"x\",\"b\":[1,{},[],null],\"c\":false,"
                                   "\"d\":\"1970-01-01T00:00:00.001Z\",\"e\":[7],\"f\":0.25}");
}

static void
what_nobody_has_said_is_null (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_array (&json);
    json_put_integer (&json, INTEGER_UNKNOWN);
    json_put_number (&json, UNKNOWN);
    json_put_number (&json, (double) INFINITY);
    json_put_number (&json, -(double) INFINITY);
    json_put_flag (&json, FLAG_UNKNOWN);
    json_put_text (&json, NULL);
    json_put_time (&json, TIME_UNKNOWN);
    json_put_raw (&json, NULL, 5);
    json_put_raw (&json, "x", 0);
    json_put_tree (&json, NULL);
    json_put_flag (&json, FLAG_NO);
    json_put_flag (&json, FLAG_YES);
    json_close_array (&json);

    assert_string_equal (out.data,
                         "[null,null,null,null,null,null,null,null,null,null,false,true]");
}

//  Texts are looked at eight bytes at a time: a byte that is to be escaped is seen in each place of each length.
static void
what_is_escaped_is_found_wherever_it_stands (void **state)
{
    (void) state;
    static const char AS [] = "aaaaaaaaaaaaaaaaaaaaaaaaaa";
    char text [sizeof AS], expected [64];

    for (int size = 1; size <= 26; size++) {
        for (int at = 0; at <= size; at++) {  //  at the last: nothing to escape
            _cleanup_ (buffer_clear) buffer_t out = {0};
            json_writer_t json = json_writer (&out);
            memcpy (text, AS, sizeof text);
            if (at < size) {
                text [at] = '"';
            }
            json_put_text_n (&json, text, (size_t) size);
            snprintf (expected, sizeof expected, "\"%.*s%s%.*s\"", at, AS, at < size ? "\\\"" : "",
                      at < size ? size - at - 1 : 0, AS);
            assert_string_equal (out.data, expected);
        }
    }
}

static void
numbers_are_written_as_they_were_measured (void **state)
{
    (void) state;
    static const struct {
        double value;
        const char *text;
    } ROWS [] = {
        {7.925, "7.925"},   {7.9249999999999998, "7.925"},
        {0.1 + 0.2, "0.3"}, {100, "100"},
        {-0.0, "0"},        {-0.0004, "0"},
        {-0.5, "-0.5"},     {0.05, "0.05"},
        {0.005, "0.005"},   {-12.34, "-12.34"},
        {99.9996, "100"},   {1e14, "100000000000000"},
        {1e15, "1e+15"},    {-2.5e300, "-2.5e+300"},
        {1.0005, "1.001"},
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        json_writer_t json = json_writer (&out);
        json_put_number (&json, ROWS [i].value);
        assert_string_equal (out.data, ROWS [i].text);
    }
}

static void
integers_are_written_over_their_whole_range (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_open_array (&json);
    json_put_integer (&json, 0);
    json_put_integer (&json, INT64_MAX);
    json_put_integer (&json, INT64_MIN + 1);
    json_close_array (&json);

    assert_string_equal (out.data, "[0,9223372036854775807,-9223372036854775807]");
}

static void
text_is_escaped_and_bytes_that_are_not_utf8_are_replaced (void **state)
{
    (void) state;
#define GONE "\xef\xbf\xbd"
    static const struct {
        const char *text, *written;
    } ROWS [] = {
        {"", "\"\""},
        {"a\"b\\c/", "\"a\\\"b\\\\c/\""},
        {"\b\f\n\r\t\x01\x1f\x7f", "\"\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\""},
        {"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\""},
        {"a\xff", "\"a" GONE "\""},
        {"\xc3", "\"" GONE "\""},
        {"\x80z", "\"" GONE "z\""},
        {"\xc0\xaf", "\"" GONE GONE "\""},                    //  overlong
        {"\xe0\x80\xaf", "\"" GONE GONE GONE "\""},           //  overlong
        {"\xed\xa0\x80", "\"" GONE GONE GONE "\""},           //  a surrogate
        {"\xf4\x90\x80\x80", "\"" GONE GONE GONE GONE "\""},  //  beyond U+10FFFF
        {"\xe2\x82", "\"" GONE GONE "\""},                    //  cut
        {"\xc3\"", "\"" GONE "\\\"\""},                       //  cannot eat the quote
    };

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        json_writer_t json = json_writer (&out);
        json_put_text (&json, ROWS [i].text);
        assert_string_equal (out.data, ROWS [i].written);
    }
}

static void
nul_within_a_text_of_known_size_is_escaped (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_put_text_n (&json, "a\0b\xc3\xa9", 4);  //  and a sequence that the size cuts

    assert_string_equal (out.data, "\"a\\u0000b" GONE "\"");
}

static void
tree_comes_out_as_it_went_in (void **state)
{
    (void) state;
    static const char TEXT [] = "{\"a\\\"\\u0001\":[1,-2,7.925,true,false,null,\"\\u0000\"],"
                                "\"\":{\"x\":{},\"y\":[]},\"z\":9007199254740993}";
    _cleanup_ (json_destroy) struct json_object *tree = parsed (TEXT);
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_put_tree (&json, tree);

    assert_string_equal (out.data, TEXT);
}

static void
what_json_c_takes_beyond_json_leaves_as_json (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *tree =
        parsed ("{'a\"':NaN,\"b\":[Infinity,-Infinity,1e999],\"c\":\"\xff\n\"}");
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);
    int64_t integer;

    json_put_tree (&json, tree);

    assert_string_equal (out.data, "{\"a\\\"\":null,\"b\":[null,null,null],\"c\":\"" GONE "\\n\"}");
    assert_false (json_get_integer (tree, "a\"", &integer));
}

static void
tree_deeper_than_ours_ends_in_null_and_stays_json (void **state)
{
    (void) state;
    char deep [2 * JSON_DEPTH_MAX] = "";
    size_t depth = JSON_DEPTH_MAX - 1;
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    memset (deep, '[', depth);
    memset (deep + depth, ']', depth);
    _cleanup_ (json_destroy) struct json_object *tree = parsed (deep);
    json_open_object (&json);
    json_key (&json, "a");
    json_put_tree (&json, tree);
    json_member_integer (&json, "b", 1);
    json_close_object (&json);

    assert_non_null (strstr (out.data, "[null]"));
    _cleanup_ (json_destroy) struct json_object *again = parsed (out.data);
    assert_non_null (json_get_array (again, "a"));
    assert_non_null (json_get (again, "b"));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (commas_and_colons_are_put_where_they_belong),
        cmocka_unit_test (what_nobody_has_said_is_null),
        cmocka_unit_test (what_is_escaped_is_found_wherever_it_stands),
        cmocka_unit_test (numbers_are_written_as_they_were_measured),
        cmocka_unit_test (integers_are_written_over_their_whole_range),
        cmocka_unit_test (text_is_escaped_and_bytes_that_are_not_utf8_are_replaced),
        cmocka_unit_test (nul_within_a_text_of_known_size_is_escaped),
        cmocka_unit_test (tree_comes_out_as_it_went_in),
        cmocka_unit_test (what_json_c_takes_beyond_json_leaves_as_json),
        cmocka_unit_test (tree_deeper_than_ours_ends_in_null_and_stays_json),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
