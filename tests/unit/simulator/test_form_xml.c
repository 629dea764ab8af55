// test_form_xml.c - what comes in as a form and goes out as XML.

#include "../../simulator/form.h"
#include "../../simulator/xml.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>  //  needs the four above it

#include <string.h>

static form_t *
form_of (const char *text, reason_t *why)
{
    return form_new (text, strlen (text), why);
}

static void
fields_are_decoded_and_found_by_a_formatted_name (void **state)
{
    (void) state;
    _cleanup_ (form_destroy) form_t *form =
        form_of ("Action=X&Filter.12.Name=tag%3AName&Filter.12.Value.1=a+b%26c&Empty=&Bare", NULL);

    assert_string_equal (form_get (form, "Filter.%d.Name", 12), "tag:Name");
    assert_string_equal (form_get (form, "Filter.%d.Value.%d", 12, 1), "a b&c");
    assert_string_equal (form_get (form, "Empty"), "");
    assert_string_equal (form_get (form, "Bare"), "");
    assert_null (form_get (form, "action"));
}

static void
a_malformed_escape_is_refused (void **state)
{
    (void) state;
    reason_t why = {0};

    assert_null (form_of ("A=1&B=%zz", &why));

    assert_non_null (strstr (why.text, "parameter 2 has a malformed escape"));
}

static void
an_empty_form_has_no_fields (void **state)
{
    (void) state;
    _cleanup_ (form_destroy) form_t *form = form_of ("", NULL);

    assert_null (form_get (form, "Action"));
}

static void
a_number_outside_its_range_is_named (void **state)
{
    (void) state;
    _cleanup_ (form_destroy) form_t *form = form_of ("MaxResults=4&Word=many", NULL);
    reason_t why = {0};
    int64_t value = 0;

    assert_int_not_equal (form_integer (form, "MaxResults", 5, 1000, 7, &value, &why), 0);
    assert_non_null (strstr (why.text, "Value ( 4 ) for parameter MaxResults is invalid"));
    assert_int_not_equal (form_integer (form, "Word", 5, 1000, 7, &value, &why), 0);
    assert_int_equal (form_integer (form, "Other", 5, 1000, 7, &value, &why), 0);
    assert_int_equal (value, 7);
}

static void
a_fingerprint_leaves_the_token_out_and_nothing_else (void **state)
{
    (void) state;
    _cleanup_ (form_destroy) form_t *first = form_of ("A=1&B=2", NULL);
    _cleanup_ (form_destroy) form_t *next = form_of ("B=2&NextToken=x&A=1", NULL);
    _cleanup_ (form_destroy) form_t *other = form_of ("A=1&B=3", NULL);

    assert_int_equal (form_fingerprint (first, "NextToken"), form_fingerprint (next, "NextToken"));
    assert_int_not_equal (form_fingerprint (first, "NextToken"),
                          form_fingerprint (other, "NextToken"));
}

static void
text_is_escaped_and_never_breaks_the_document (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    xml_text (&out, "name", "a<b> & \"c\" 'd' \x01");

    assert_string_equal (out.data, "<name>a&lt;b&gt; &amp; &quot;c&quot; &apos;d&apos;  </name>");
}

static void
what_is_empty_is_an_empty_element (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    xml_text (&out, "reason", "");
    xml_text (&out, "dnsName", NULL);
    xml_time (&out, "launchTime", TIME_UNKNOWN);

    assert_string_equal (out.data, "<reason/><dnsName/>");
}

static void
times_have_the_form_of_their_service (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t out = {0};

    xml_time (&out, "a", 1440938160123456);
    xml_second (&out, "b", 1440938160123456);

    assert_string_equal (out.data, "<a>2015-08-30T12:36:00.123Z</a><b>2015-08-30T12:36:00Z</b>");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (fields_are_decoded_and_found_by_a_formatted_name),
        cmocka_unit_test (a_malformed_escape_is_refused),
        cmocka_unit_test (an_empty_form_has_no_fields),
        cmocka_unit_test (a_number_outside_its_range_is_named),
        cmocka_unit_test (a_fingerprint_leaves_the_token_out_and_nothing_else),
        cmocka_unit_test (text_is_escaped_and_never_breaks_the_document),
        cmocka_unit_test (what_is_empty_is_an_empty_element),
        cmocka_unit_test (times_have_the_form_of_their_service),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
