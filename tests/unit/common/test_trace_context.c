#include "../../../common/trace_context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define EXAMPLE "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"  //  of the recommendation

static void
example_of_the_recommendation_is_read_and_written_again (void **state)
{
    (void) state;
    static const uint8_t TRACE [] = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6,
                                     0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36};
    static const uint8_t SPAN [] = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7};
    trace_context_t context = {0};
    char text [TRACEPARENT_SIZE];

    assert_true (trace_context_parse (&context, EXAMPLE));

    assert_memory_equal (context.trace_id, TRACE, sizeof TRACE);
    assert_memory_equal (context.span_id, SPAN, sizeof SPAN);
    assert_true (trace_context_is_sampled (&context));
    assert_string_equal (trace_context_write (&context, text), EXAMPLE);
}

static void
what_is_no_traceparent_is_refused_and_nothing_is_touched (void **state)
{
    (void) state;
    static const char *const WRONG [] = {
        NULL,
        "",
        "00",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-011",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01 ",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "0g-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-4BF92F3577B34DA6A3CE929D0E0E4736-00F067AA0BA902B7-01",
        "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        "00_4bf92f3577b34da6a3ce929d0e0e4736_00f067aa0ba902b7_01",
        "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x",
        "0x-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    };

    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        trace_context_t context, before;
        memset (&context, 0x55, sizeof context);
        before = context;
        assert_false (trace_context_parse (&context, WRONG [i]));
        assert_memory_equal (&context, &before, sizeof context);
    }
}

static void
later_version_is_read_as_far_as_this_one_goes_and_written_as_this_one (void **state)
{
    (void) state;
    trace_context_t context;
    char text [TRACEPARENT_SIZE];

    assert_true (trace_context_parse (
        &context, "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff-what-comes"));

    assert_string_equal (trace_context_write (&context, text), EXAMPLE);
}

static void
unsampled_is_set_and_not_sampled (void **state)
{
    (void) state;
    trace_context_t context;

    assert_true (
        trace_context_parse (&context, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-02"));

    assert_true (trace_context_is_set (&context));
    assert_false (trace_context_is_sampled (&context));
}

static void
none_is_written_as_nothing (void **state)
{
    (void) state;
    trace_context_t none = {0};
    char text [TRACEPARENT_SIZE] = "x";

    assert_false (trace_context_is_set (&none));
    assert_string_equal (trace_context_write (&none, text), "");
}

static void
child_has_its_parents_trace_and_flag_and_a_span_of_its_own (void **state)
{
    (void) state;
    trace_context_t parent = trace_context_begin (1);

    trace_context_t child = trace_context_child (&parent);

    assert_true (trace_context_is_sampled (&child));
    assert_memory_equal (child.trace_id, parent.trace_id, TRACE_ID_BYTES);
    assert_memory_not_equal (child.span_id, parent.span_id, SPAN_ID_BYTES);
}

static void
sampling_follows_the_last_56_bits_of_the_trace_id (void **state)
{
    (void) state;
    uint8_t least [TRACE_ID_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t most [TRACE_ID_BYTES], half [TRACE_ID_BYTES] = {1}, below [TRACE_ID_BYTES] = {1};
    memset (most, 0xff, sizeof most);
    half [9] = 0x80;
    memset (below + 9, 0xff, 7);
    below [9] = 0x7f;

    assert_true (trace_context_decide (least, 1) && trace_context_decide (most, 1));
    assert_false (trace_context_decide (least, 0) || trace_context_decide (most, 0));
    assert_true (trace_context_decide (half, 0.5));
    assert_false (trace_context_decide (below, 0.5));
    assert_false (trace_context_decide (least, 0.999999));
}

static void
begun_traces_differ_and_obey_the_ratio (void **state)
{
    (void) state;
    trace_context_t first = trace_context_begin (1), second = trace_context_begin (0);

    assert_memory_not_equal (first.trace_id, second.trace_id, TRACE_ID_BYTES);
    assert_true (trace_context_is_sampled (&first));
    assert_true (trace_context_is_set (&second) && !trace_context_is_sampled (&second));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (example_of_the_recommendation_is_read_and_written_again),
        cmocka_unit_test (what_is_no_traceparent_is_refused_and_nothing_is_touched),
        cmocka_unit_test (later_version_is_read_as_far_as_this_one_goes_and_written_as_this_one),
        cmocka_unit_test (unsampled_is_set_and_not_sampled),
        cmocka_unit_test (none_is_written_as_nothing),
        cmocka_unit_test (child_has_its_parents_trace_and_flag_and_a_span_of_its_own),
        cmocka_unit_test (sampling_follows_the_last_56_bits_of_the_trace_id),
        cmocka_unit_test (begun_traces_differ_and_obey_the_ratio),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
