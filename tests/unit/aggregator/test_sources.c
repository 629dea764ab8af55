//  Whose messages are followed, and who makes room.
#include "../../../aggregator/sources.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define T0 SECOND_US

static void
source_is_known_by_its_name (void **state)
{
    (void) state;
    _cleanup_ (sources_destroy) sources_t *sources = sources_new (2, NULL);

    assert_null (sources_find (sources, "/collector/ec2/a"));
    source_t *source = sources_hear (sources, "/collector/ec2/a", T0);
    source->sequence.last = 7;

    assert_ptr_equal (sources_hear (sources, "/collector/ec2/a", T0 + 1), source);
    assert_int_equal (sources_find (sources, "/collector/ec2/a")->sequence.last, 7);
}

static void
longest_silent_makes_room_for_a_new_one (void **state)
{
    (void) state;
    _cleanup_ (sources_destroy) sources_t *sources = sources_new (3, NULL);

    sources_hear (sources, "second", T0 + 2);
    sources_hear (sources, "first", T0 + 1);
    sources_hear (sources, "heard", T0);
    sources_hear (sources, "heard", T0 + SOURCES_SILENT_US);

    assert_non_null (sources_hear (sources, "new", T0 + SOURCES_SILENT_US + 3));
    assert_null (sources_find (sources, "first"));
    assert_non_null (sources_find (sources, "second"));
    assert_non_null (sources_hear (sources, "newer", T0 + SOURCES_SILENT_US + 3));
    assert_null (sources_find (sources, "second"));
    assert_non_null (sources_find (sources, "heard"));
}

static void
who_is_heard_is_not_pushed_out (void **state)
{
    (void) state;
    _cleanup_ (sources_destroy) sources_t *sources = sources_new (2, NULL);

    sources_hear (sources, "a", T0);
    sources_hear (sources, "b", T0);

    assert_null (sources_hear (sources, "c", T0 + SOURCES_SILENT_US));
    assert_non_null (sources_hear (sources, "a", T0 + SOURCES_SILENT_US));
    assert_non_null (sources_find (sources, "b"));
    assert_null (sources_hear (sources, "c", T0 + SOURCES_SILENT_US));

    assert_non_null (sources_hear (sources, "c", T0 + SOURCES_SILENT_US + 1));
    assert_null (sources_find (sources, "b"));
    assert_non_null (sources_find (sources, "a"));
}

int
main (void)
{
    const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (source_is_known_by_its_name),
        cmocka_unit_test (longest_silent_makes_room_for_a_new_one),
        cmocka_unit_test (who_is_heard_is_not_pushed_out),
    };

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
