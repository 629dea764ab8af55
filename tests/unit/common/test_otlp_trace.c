#include "../../../common/cleanup.h"
#include "../../../common/otlp_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

static trace_context_t
context_of (const char *text)
{
    trace_context_t context = {0};
    assert_true (trace_context_parse (&context, text));
    return context;
}

static void
assert_written (const span_t *span, const char *wanted)
{
    _cleanup_ (buffer_clear) buffer_t out = {0};
    json_writer_t json = json_writer (&out);

    otlp_trace_write_span (&json, span);

    assert_string_equal (out.data, wanted);
}

//  As in opentelemetry-proto's examples/trace.json: hex ids, numbers for enums, texts for 64 bits.
static void
span_is_written_as_otlp_has_it (void **state)
{
    (void) state;
    trace_context_t parent = context_of ("00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b173-01");
    span_t span = {.name = "I'm a \"server\"",
                   .kind = SPAN_SERVER,
                   .own = context_of ("00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01"),
                   .parent = &parent,
                   .parent_is_remote = true,
                   .start = 1544712660000001,
                   .end = 1544712661000000,
                   .attributes = {{"my.span.attr", "some value", 0}, {"a.number", NULL, -7}}};

    assert_written (
        &span, "{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\","
               "\"parentSpanId\":\"eee19b7ec3c1b173\",\"flags\":769,"
               "\"name\":\"I'm a \\\"server\\\"\",\"kind\":2,"
               "\"startTimeUnixNano\":\"1544712660000001000\","
               "\"endTimeUnixNano\":\"1544712661000000000\",\"attributes\":["
               "{\"key\":\"my.span.attr\",\"value\":{\"stringValue\":\"some value\"}},"
               "{\"key\":\"a.number\",\"value\":{\"intValue\":\"-7\"}}]}");
}

static void
root_that_failed_has_no_parent_and_a_status (void **state)
{
    (void) state;
    span_t span = {.name = "round",
                   .kind = SPAN_INTERNAL,
                   .own = context_of ("00-5b8efff798038103d269b633813fc60c-eee19b7ec3c1b174-01"),
                   .start = 2000000,
                   .end = 1000000,  //  the clock was set back
                   .error = "no answer"};

    assert_written (
        &span, "{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\","
               "\"flags\":257,\"name\":\"round\",\"kind\":1,\"startTimeUnixNano\":\"2000000000\","
               "\"endTimeUnixNano\":\"2000000000\",\"attributes\":[],"
               "\"status\":{\"message\":\"no answer\",\"code\":2}}");
}

static void
long_text_is_cut_between_characters (void **state)
{
    (void) state;
    char text [SPAN_TEXT_MAX + 10];
    _cleanup_ (buffer_clear) buffer_t out = {0}, wanted = {0};
    json_writer_t json = json_writer (&out);
    memset (text, 'x', sizeof text);
    memcpy (text + SPAN_TEXT_MAX - 1, "\xe2\x82\xac", 4);  //  the euro's sign goes over the bound
    span_t span = {.name = "n", .kind = SPAN_INTERNAL, .attributes = {{"k", text, 0}}};

    otlp_trace_write_span (&json, &span);

    buffer_format (&wanted, "{\"stringValue\":\"%.*s\"}", SPAN_TEXT_MAX - 1, text);
    assert_non_null (strstr (out.data, wanted.data));
}

static void
double_is_read_back_as_it_was (void **state)
{
    (void) state;
    static const struct {
        double value;
        const char *text;
    } ROWS [] = {{0, "0"},
                 {41.5, "41.5"},
                 {0.1, "0.1"},
                 {0.1 + 0.2, "0.30000000000000004"},
                 {1e300, "1e+300"},
                 {(double) NAN, "\"NaN\""},
                 {(double) INFINITY, "\"Infinity\""},
                 {-(double) INFINITY, "\"-Infinity\""}};

    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        _cleanup_ (buffer_clear) buffer_t out = {0};
        json_writer_t json = json_writer (&out);
        otlp_json_put_double (&json, ROWS [i].value);
        assert_string_equal (out.data, ROWS [i].text);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (span_is_written_as_otlp_has_it),
        cmocka_unit_test (root_that_failed_has_no_parent_and_a_status),
        cmocka_unit_test (long_text_is_cut_between_characters),
        cmocka_unit_test (double_is_read_back_as_it_was),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
