#include "../../../collector/aws/xml.h"

#include "../../../common/buffer.h"
#include "../../../common/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

typedef struct heard {
    char text [256];
    int starts, ends;
} heard_t;

static int
on_start (void *argument, const xml_rule_t *rule, const char *text)
{
    heard_t *self = argument;
    (void) rule;
    assert_null (text);
    self->starts++;
    return 0;
}

static int
on_end (void *argument, const xml_rule_t *rule, const char *text)
{
    heard_t *self = argument;
    (void) rule;
    self->ends++;
    strncpy (self->text, text, sizeof self->text - 1);
    return 0;
}

static int
on_refuse (void *argument, const xml_rule_t *rule, const char *text)
{
    (void) argument, (void) rule, (void) text;
    return -ERANGE;
}

static const xml_rule_t RULES [] = {{.path = "set/item/id", .at_start = on_start, .at_end = on_end},
                                    {0}};

static int
read_text (const char *text, heard_t *heard, reason_t *why)
{
    return xml_read (text, strlen (text), "R", RULES, heard, why);
}

static void
text_is_found_by_its_whole_path_and_trimmed (void **state)
{
    (void) state;
    heard_t heard = {0};

    int rc =
        read_text ("<?xml version=\"1.0\"?>\n<R xmlns=\"http://x/\"><id>no</id><set><id>no</id>"
                   "<item><other><id>no</id></other><id>\n  i-1 \n</id></item></set></R>",
                   &heard, NULL);

    assert_int_equal (rc, 0);
    assert_int_equal (heard.ends, 1);
    assert_string_equal (heard.text, "i-1");
}

static void
empty_element_is_heard_as_empty_text (void **state)
{
    (void) state;
    heard_t heard = {.text = "before"};

    assert_int_equal (read_text ("<R><set><item><id/></item></set></R>", &heard, NULL), 0);

    assert_int_equal (heard.starts, 1);
    assert_string_equal (heard.text, "");
}

static void
predefined_entities_and_cdata_are_text (void **state)
{
    (void) state;
    heard_t heard = {0};

    read_text ("<R><set><item><id>a&amp;b<![CDATA[<c>]]>&#x41;</id></item></set></R>", &heard,
               NULL);

    assert_string_equal (heard.text, "a&b<c>A");
}

static void
cut_answer_says_so_and_where (void **state)
{
    (void) state;
    const char *whole = "<R><set><item><id>i-1</id></item></set></R>";
    heard_t heard = {0};

    for (size_t size = 0; size < strlen (whole); size++) {
        reason_t why = {0};
        assert_int_equal (xml_read (whole, size, "R", RULES, &heard, &why), -EBADMSG);
        assert_non_null (strstr (why.text, "at byte"));
    }
}

static void
answer_that_is_not_xml_is_refused (void **state)
{
    (void) state;
    const char *const texts [] = {"",          "{\"a\":1}",     "plain",           "<R>",
                                  "<R></S>",   "<R>&nbsp;</R>", "<R><a b=c/></R>", "<R/><R/>",
                                  "\xff\xfe<", "<R>\x01</R>"};

    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        heard_t heard = {0};
        reason_t why = {0};
        assert_int_equal (read_text (texts [i], &heard, &why), -EBADMSG);
        assert_true (why.text [0]);
    }
}

static void
page_of_html_is_named_by_its_root (void **state)
{
    (void) state;
    heard_t heard = {0};
    reason_t why = {0};

    assert_int_equal (read_text ("<html><body>Sign in</body></html>", &heard, &why), -EBADMSG);

    assert_non_null (strstr (why.text, "<html>"));
    assert_non_null (strstr (why.text, "<R>"));
}

static void
billion_laughs_are_refused_at_the_declaration (void **state)
{
    (void) state;
    heard_t heard = {0};
    reason_t why = {0};

    int rc = read_text ("<?xml version=\"1.0\"?><!DOCTYPE R [<!ENTITY a \"ha\">"
                        "<!ENTITY b \"&a;&a;&a;&a;\">]><R><set><item><id>&b;</id></item></set></R>",
                        &heard, &why);

    assert_int_equal (rc, -EPERM);
    assert_int_equal (heard.ends, 0);
    assert_non_null (strstr (why.text, "refused"));
}

static void
external_document_type_is_refused (void **state)
{
    (void) state;
    heard_t heard = {0};

    assert_int_equal (read_text ("<!DOCTYPE R SYSTEM \"file:///etc/passwd\"><R/>", &heard, NULL),
                      -EPERM);
}

static void
depth_has_a_bound (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t text = {0};
    reason_t why = {0};
    buffer_text (&text, "<R>");
    for (int i = 0; i < 100000; i++) {
        buffer_text (&text, "<a>");
    }

    assert_int_equal (xml_read (text.data, text.size, "R", RULES, NULL, &why), -E2BIG);
    assert_non_null (strstr (why.text, "deep"));
}

static void
names_have_a_bound (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t text = {0};
    reason_t why = {0};
    buffer_text (&text, "<R><");
    for (int i = 0; i < 2 * XML_PATH_MAX; i++) {
        buffer_text (&text, "n");
    }
    buffer_text (&text, "/></R>");

    assert_int_equal (xml_read (text.data, text.size, "R", RULES, NULL, &why), -E2BIG);
}

static void
text_of_an_element_that_is_read_has_a_bound_and_others_are_skipped (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t text = {0};
    heard_t heard = {0};
    reason_t why = {0};
    buffer_text (&text, "<R><set><item><no>");
    for (int i = 0; i < XML_TEXT_MAX; i++) {
        buffer_text (&text, "xy");
    }
    buffer_text (&text, "</no><id>i-1</id></item></set></R>");
    assert_int_equal (xml_read (text.data, text.size, "R", RULES, &heard, &why), 0);
    assert_string_equal (heard.text, "i-1");

    char *name = text.data;
    while ((name = strstr (name, "no>"))) {
        memcpy (name, "id>", 3);
    }

    assert_int_equal (xml_read (text.data, text.size, "R", RULES, &heard, &why), -E2BIG);
}

static void
refusal_of_a_rule_ends_the_reading_with_its_code (void **state)
{
    (void) state;
    const xml_rule_t rules [] = {{.path = "a", .at_end = on_refuse}, {0}};
    reason_t why = {0};

    assert_int_equal (xml_read ("<R><a>x</a><b></R>", 18, "R", rules, NULL, &why), -ERANGE);
    assert_non_null (strstr (why.text, "<a>"));
}

static void
rule_may_have_an_argument_of_its_own (void **state)
{
    (void) state;
    heard_t own = {0}, common = {0};
    const xml_rule_t rules [] = {
        {.path = "a", .at_end = on_end, .own = &own}, {.path = "b", .at_end = on_end}, {0}};

    xml_read ("<R><a>1</a><b>2</b></R>", 23, "R", rules, &common, NULL);

    assert_string_equal (own.text, "1");
    assert_string_equal (common.text, "2");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (text_is_found_by_its_whole_path_and_trimmed),
        cmocka_unit_test (empty_element_is_heard_as_empty_text),
        cmocka_unit_test (predefined_entities_and_cdata_are_text),
        cmocka_unit_test (cut_answer_says_so_and_where),
        cmocka_unit_test (answer_that_is_not_xml_is_refused),
        cmocka_unit_test (page_of_html_is_named_by_its_root),
        cmocka_unit_test (billion_laughs_are_refused_at_the_declaration),
        cmocka_unit_test (external_document_type_is_refused),
        cmocka_unit_test (depth_has_a_bound),
        cmocka_unit_test (names_have_a_bound),
        cmocka_unit_test (text_of_an_element_that_is_read_has_a_bound_and_others_are_skipped),
        cmocka_unit_test (refusal_of_a_rule_ends_the_reading_with_its_code),
        cmocka_unit_test (rule_may_have_an_argument_of_its_own),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
