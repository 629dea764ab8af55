#include "../../../common/cleanup.h"
#include "../../../common/json_names.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define ROOM ((size_t) 1 << 20)

//  The bytes are handed over without a NUL after them: a parser that reads on is found out.
static int
read_bytes (json_doc_t *doc, const char *bytes, size_t size, reason_t *why)
{
    _cleanup_ (string_destroy) char *exact = malloc (size ? size : 1);

    memcpy (exact, bytes, size);
    return json_doc_read (doc, exact, size, ROOM, why);
}

static int
read_text (json_doc_t *doc, const char *text)
{
    return read_bytes (doc, text, strlen (text), NULL);
}

static char *
written (const json_doc_t *doc)
{
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    json_put_node (&json, json_doc_root (doc));
    assert_false (buffer_failed (&out));
    return out.data;
}

//  What json-c makes of the same; null: it refuses it.
static char *
written_by_json_c (const char *bytes, size_t size)
{
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    if (json_parse (&tree, bytes, size, ROOM, NULL) < 0) {
        return NULL;
    }
    json_put_tree (&json, tree);
    return out.data;
}

static void
what_is_json_is_read_as_json_c_reads_it (void **state)
{
    (void) state;
    static const char *const TEXTS [] = {"{}",
                                         " \t\r\n[1, 2]\n ",
                                         "\"\"",
                                         "12",
                                         "-0.5e3 ",
                                         "true",
                                         "false\n",
                                         "null",
                                         "0",
                                         "-0",
                                         "-1",
                                         "0.1",
                                         "1E5",
                                         "1e+2",
                                         "1e-7",
                                         "123456789012345678",
                                         "9223372036854775807",
                                         "-9223372036854775807",
                                         "0.30000000000000004",
                                         "1.7976931348623157e308",
                                         "5e-324",
                                         "1e999",
                                         "7.925",
                                         "100.0005",
                                         "2.675",
                                         "3.14159265358979323846",
                                         "[NaN,Infinity,-Infinity]",
                                         "[[]]",
                                         "[[],{},[{}]]",
                                         "{\"a\":{\"b\":[1,null,true,\"x\"]},\"c\":-1.5}",
                                         "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"",
                                         "\"\\u00e9\\u20ac\\ud83d\\ude00\"",
                                         "\"\\ud83d x\"",
                                         "\"\\ude00\"",
                                         "\"\\ud83d\\u0041\"",
                                         "\"a\\u0000b\"",
                                         "\"\\u0001\\u001f\"",
                                         "\"\x7f\"",
                                         "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"",
                                         "\"\xff\xc3\"",
                                         "\"tab\there\"",
                                         "{\"\":1,\"\\u0061\":2}",
                                         "[\"{\\\"a\\\":1}\"]"};

    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        _cleanup_ (json_doc_clear) json_doc_t doc = {0};
        if (read_text (&doc, TEXTS [i]) < 0) {
            fail_msg ("refused: %s", TEXTS [i]);
        }
        _cleanup_ (string_destroy) char *ours = written (&doc);
        _cleanup_ (string_destroy) char *theirs = written_by_json_c (TEXTS [i], strlen (TEXTS [i]));
        assert_string_equal (ours, theirs);
    }
}

static void
what_is_not_json_is_refused_and_leaves_the_document_alone (void **state)
{
    (void) state;
    static const char *const WRONG [] = {" ",
                                         "x",
                                         "{\"a\":1",
                                         "{\"a\":",
                                         "{\"a\"",
                                         "{\"a",
                                         "[1,",
                                         "[1 2]",
                                         "[1,]",
                                         "{\"a\":1,}",
                                         "{a:1}",
                                         "{'a':1}",
                                         "'a'",
                                         "tru",
                                         "nul",
                                         "\"open",
                                         "-",
                                         "1e",
                                         "1.",
                                         "01",
                                         "-01",
                                         "+1",
                                         ".5",
                                         "1.e5",
                                         "--1",
                                         "0x10",
                                         "{}{}",
                                         "1 2",
                                         "{} x",
                                         "[] ]",
                                         "[nan]",
                                         "[infinity]",
                                         "-inf",
                                         "//c\n1",
                                         "/*c*/1",
                                         "\"\\x\"",
                                         "\"\\u12\"",
                                         "\"\\u12g4\"",
                                         "\"\\",
                                         "TRUE",
                                         "nULL",
                                         "}",
                                         "{\"a\":1 \"b\":2}",
                                         "{\"a\" 1}",
                                         "{1:2}",
                                         "{,}",
                                         "[,]",
                                         "\xef\xbb\xbf{}"};

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        json_doc_t doc = {.count = 42};
        reason_t why = {0};
        if (read_bytes (&doc, WRONG [i], strlen (WRONG [i]), &why) != -EINVAL) {
            fail_msg ("taken: %s", WRONG [i]);
        }
        assert_non_null (strstr (why.text, "not JSON"));
        assert_true (doc.count == 42 && !doc.bytes);
    }
}

static void
every_cut_and_every_nul_is_refused (void **state)
{
    (void) state;
    static const char WHOLE [] = "{\"a\":[1,2.5,\"x\\u00e9\"],\"b\":{\"c\":null,\"d\":true}}";
    json_doc_t doc;

    for (size_t size = 1; size < sizeof WHOLE - 1; size++) {
        reason_t why = {0};
        char holed [sizeof WHOLE];
        assert_int_equal (read_bytes (&doc, WHOLE, size, &why), -EINVAL);
        assert_non_null (strstr (why.text, "at byte"));
        memcpy (holed, WHOLE, sizeof WHOLE);
        holed [size] = '\0';
        assert_int_equal (read_bytes (&doc, holed, sizeof WHOLE - 1, NULL), -EINVAL);
    }
    assert_int_equal (read_bytes (&doc, "", 0, NULL), -EINVAL);
    assert_int_equal (json_doc_read (&doc, "[1,2]", 5, 4, NULL), -E2BIG);
    assert_int_equal (read_text (&doc, WHOLE), 0);
    json_doc_clear (&doc);
}

static void
nesting_is_bounded (void **state)
{
    (void) state;
    char deep [2 * 5000 + 1];

    for (size_t depth = 1; depth <= 5000; depth += depth < 40 ? 1 : 620) {
        _cleanup_ (json_doc_clear) json_doc_t doc = {0};
        memset (deep, '[', depth);
        memset (deep + depth, ']', depth);
        assert_int_equal (read_bytes (&doc, deep, 2 * depth, NULL),
                          depth <= JSON_DEPTH_MAX ? 0 : -EINVAL);
    }
}

//  Few names are compared with each other, many by a table: both are tried.
static void
the_last_of_two_members_of_a_name_counts (void **state)
{
    (void) state;

    for (int others = 0; others < 100; others += 9) {
        _cleanup_ (buffer_clear) buffer_t text = {0};
        _cleanup_ (json_doc_clear) json_doc_t doc = {0};
        double value = 0;
        buffer_text (&text, "{\"a\":1,\"b\":{\"deep\":[1,2]},\"a\":2");
        for (int i = 0; i < others; i++) {
            buffer_format (&text, ",\"n%d\":[%d]", i, i);
        }
        buffer_text (&text, ",\"a\":3,\"b\":null}");

        assert_int_equal (read_text (&doc, text.data), 0);

        const json_node_t *root = json_doc_root (&doc);
        assert_int_equal (json_node_count (root), 2 + others);
        assert_true (json_node_number (json_node_get (root, "a"), &value) && value == 3);
        assert_null (json_node_get (root, "b"));
    }
}

#define MADE_STAGES 11
#define LOW_BITS    0xffffu

//  As json_names.c has them: the low bits of one hang on the low bits before it alone.
static uint32_t
hash_on (uint32_t hash, const char *text)
{
    for (; *text; text++) {
        hash = (hash ^ (unsigned char) *text) * 16777619u;
    }
    return hash & LOW_BITS;
}

//  Two texts of four letters that lead from these low bits to the same others.
static uint32_t
find_two (uint32_t hash, char two [2][9])
{
    static unsigned last [LOW_BITS + 1];

    memset (last, 0, sizeof last);
    for (unsigned i = 1; i <= LOW_BITS; i++) {
        snprintf (two [1], sizeof two [1], "%04x", i);
        uint32_t next = hash_on (hash, two [1]);
        if (last [next]) {
            snprintf (two [0], sizeof two [0], "%04x", last [next]);
            return next;
        }
        last [next] = i;
    }
    fail_msg ("no two texts");
    return 0;
}

//  An object of 2^MADE_STAGES names that all have the same low bits, the last of which is there twice.
static void
write_made_names (buffer_t *out)
{
    static char twos [MADE_STAGES][2][9];
    uint32_t hash = 2166136261u & LOW_BITS;

    for (int stage = 0; stage < MADE_STAGES; stage++) {
        hash = find_two (hash, twos [stage]);
    }
    for (unsigned name = 0; name <= 1u << MADE_STAGES; name++) {
        buffer_text (out, name == 0 ? "{\"" : ",\"");
        unsigned choice = name < 1u << MADE_STAGES ? name : name - 1;
        for (int stage = 0; stage < MADE_STAGES; stage++) {
            buffer_text (out, twos [stage][choice >> stage & 1]);
        }
        buffer_format (out, "\":%u", name);
    }
    buffer_text (out, "}");
}

static int
hide_again (json_doc_t *doc)
{
    for (size_t i = 0; i < doc->count; i++) {
        doc->nodes [i].hidden = false;
    }
    return json_names_hide (&doc->nodes [1], &doc->nodes [doc->count], doc->count - 1);
}

static void
names_made_to_fall_on_one_place_are_not_compared_each_with_each (void **state)
{
    (void) state;
    _cleanup_ (json_doc_clear) json_doc_t doc = {0}, chance = {0};
    _cleanup_ (buffer_clear) buffer_t made = {0}, names = {0};

    write_made_names (&made);
    assert_int_equal (read_text (&doc, made.data), 0);
    assert_int_equal (json_node_count (json_doc_root (&doc)), 1u << MADE_STAGES);
    assert_int_equal (hide_again (&doc), 1);
    assert_int_equal (json_node_count (json_doc_root (&doc)), 1u << MADE_STAGES);
    assert_true (doc.nodes [1u << MADE_STAGES].hidden);

    for (int name = 0; name <= 5000; name++) {
        buffer_format (&names, "%s\"name_%d\":0", name == 0 ? "{" : ",", name % 5000);
    }
    buffer_text (&names, "}");
    assert_int_equal (read_text (&chance, names.data), 0);
    assert_int_equal (hide_again (&chance), 0);
    assert_true (chance.nodes [1].hidden);
    assert_int_equal (json_node_count (json_doc_root (&chance)), 5000);
}

static void
members_are_had_by_name_and_type (void **state)
{
    (void) state;
    static const char TEXT [] =
        "{\"t\":\"x\",\"nul\":\"a\\u0000b\",\"i\":42,\"big\":18446744073709551615,\"whole\":5e2,"
        "\"d\":1.5,\"b\":true,\"o\":{\"k\":1},\"a\":[1,2,3],\"n\":null,"
        "\"at\":\"2026-11-20T10:30:00.5Z\"}";
    _cleanup_ (json_doc_clear) json_doc_t doc = {0};
    int64_t integer = 0;
    double number = 0;
    bool flag = false;
    time_us_t at = 0;

    assert_int_equal (read_text (&doc, TEXT), 0);
    const json_node_t *root = json_doc_root (&doc);

    assert_string_equal (json_node_get_text (root, "t"), "x");
    assert_null (json_node_get_text (root, "nul"));
    assert_null (json_node_get_text (root, "i"));
    assert_null (json_node_get (root, "n"));
    assert_null (json_node_get (root, "none"));
    assert_null (json_node_get (NULL, "t"));
    assert_null (json_node_get (json_node_get (root, "a"), "t"));
    assert_null (json_node_get_object (root, "a"));
    assert_int_equal (json_node_count (json_node_get_array (root, "a")), 3);
    assert_true (json_node_integer (json_node_get (root, "i"), &integer) && integer == 42);
    assert_true (json_node_integer (json_node_get (root, "whole"), &integer) && integer == 500);
    assert_false (json_node_integer (json_node_get (root, "big"), &integer));
    assert_false (json_node_integer (json_node_get (root, "d"), &integer));
    assert_true (json_node_number (json_node_get (root, "big"), &number) && number > 1.8e19);
    assert_true (json_node_bool (json_node_get (root, "b"), &flag) && flag);
    assert_false (json_node_bool (json_node_get (root, "i"), &flag));
    assert_true (json_node_time (json_node_get (root, "at"), &at) && at % SECOND_US == 500000);
    assert_false (json_node_time (json_node_get (root, "t"), &at));
}

static unsigned
chance (unsigned *seed, unsigned bound)
{
    *seed = *seed * 1103515245 + 12345;
    return *seed / 65536 % bound;
}

static void
write_random (buffer_t *out, unsigned *seed, int depth)
{
    static const char *const LEAVES [] = {"1",
                                          "-7",
                                          "2.5",
                                          "1e3",
                                          "0.001",
                                          "123456789.125",
                                          "\"x\"",
                                          "\"\\u00e9\\n\"",
                                          "\"\xc3\xa9\"",
                                          "true",
                                          "false",
                                          "null",
                                          "\"a longer text of plain bytes, over eight\"",
                                          "12345678901234"};
    unsigned kind = chance (seed, depth > 4 ? 1 : 4), count = chance (seed, depth == 0 ? 24 : 5);

    if (kind < 2) {
        buffer_text (out, LEAVES [chance (seed, sizeof LEAVES / sizeof *LEAVES)]);
        return;
    }
    buffer_text (out, kind == 2 ? "[" : "{");
    for (unsigned i = 0; i < count; i++) {
        buffer_text (out, i ? " ," : " ");
        if (kind == 3) {
            buffer_format (out, "\"k%u\" : ", i);
        }
        write_random (out, seed, depth + 1);
    }
    buffer_text (out, kind == 2 ? " ]" : "\n}");
}

//  Whole ones are read as json-c reads them; damaged ones are read alike, or refused.
static void
random_documents_are_read_as_json_c_reads_them (void **state)
{
    (void) state;
    static const char MARKS [] = "{}[]\",:\\0189.eE-+ntfu \n\x01\xff/'a";
    unsigned seed = 20261128, damaged_taken = 0;

    for (int round = 0; round < 2000; round++) {
        _cleanup_ (buffer_clear) buffer_t text = {0};
        _cleanup_ (json_doc_clear) json_doc_t doc = {0};
        bool damage = round % 2 == 1;
        write_random (&text, &seed, 0);
        for (unsigned i = 0; damage && i < 1 + chance (&seed, 2); i++) {
            text.data [chance (&seed, (unsigned) text.size)] =
                MARKS [chance (&seed, sizeof MARKS - 1)];
        }
        int rc = read_bytes (&doc, text.data, text.size, NULL);
        _cleanup_ (string_destroy) char *theirs = written_by_json_c (text.data, text.size);
        if (rc < 0) {
            //  json-c takes names in single quotes too, and numbers that are none.
            assert_true (damage);
            continue;
        }
        _cleanup_ (string_destroy) char *ours = written (&doc);
        if (!theirs || (strcmp (ours, theirs) != 0 && !strstr (text.data, "\\"))) {
            fail_msg ("%s\nours: %s\njson-c: %s", text.data, ours, theirs ? theirs : "refused");
        }
        damaged_taken += damage;
    }
    assert_in_range (damaged_taken, 50, 950);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (what_is_json_is_read_as_json_c_reads_it),
        cmocka_unit_test (what_is_not_json_is_refused_and_leaves_the_document_alone),
        cmocka_unit_test (every_cut_and_every_nul_is_refused),
        cmocka_unit_test (nesting_is_bounded),
        cmocka_unit_test (the_last_of_two_members_of_a_name_counts),
        cmocka_unit_test (names_made_to_fall_on_one_place_are_not_compared_each_with_each),
        cmocka_unit_test (members_are_had_by_name_and_type),
        cmocka_unit_test (random_documents_are_read_as_json_c_reads_them),
    };

    return cmocka_run_group_tests (tests, NULL, NULL);
}
