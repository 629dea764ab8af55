#include "../../../common/sequence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define ONE "11111111"
#define TWO "22222222"

static void
stream_heard_from_its_start_has_no_gap (void **state)
{
    (void) state;
    sequence_t sequence = {0};
    uint64_t missed = 9;

    assert_int_equal (sequence_next (&sequence, ONE, 1, &missed), SEQUENCE_FIRST);
    assert_int_equal (missed, 0);
    for (uint64_t number = 2; number < 100; number++) {
        missed = 9;
        assert_int_equal (sequence_next (&sequence, ONE, number, &missed), SEQUENCE_NEXT);
        assert_int_equal (missed, 0);
    }
    assert_int_equal (sequence.last, 99);
}

static void
joining_in_the_middle_misses_nothing (void **state)
{
    (void) state;
    sequence_t sequence = {0};
    uint64_t missed = 9;

    assert_int_equal (sequence_next (&sequence, ONE, 1000, &missed), SEQUENCE_FIRST);
    assert_int_equal (missed, 0);
    assert_int_equal (sequence_next (&sequence, ONE, 1001, &missed), SEQUENCE_NEXT);
}

static void
gap_says_how_many_are_missing_and_is_told_once (void **state)
{
    (void) state;
    sequence_t sequence = {0};
    uint64_t missed;
    sequence_next (&sequence, ONE, 1, &missed);

    assert_int_equal (sequence_next (&sequence, ONE, 5, &missed), SEQUENCE_GAP);
    assert_int_equal (missed, 3);
    assert_int_equal (sequence_next (&sequence, ONE, 6, &missed), SEQUENCE_NEXT);
    assert_int_equal (missed, 0);
}

static void
number_at_or_before_the_last_is_a_duplicate_and_changes_nothing (void **state)
{
    (void) state;
    sequence_t sequence = {0};
    uint64_t missed = 9;
    sequence_next (&sequence, ONE, 7, &missed);

    assert_int_equal (sequence_next (&sequence, ONE, 7, &missed), SEQUENCE_DUPLICATE);
    assert_int_equal (sequence_next (&sequence, ONE, 3, &missed), SEQUENCE_DUPLICATE);
    assert_int_equal (sequence_next (&sequence, ONE, 0, &missed), SEQUENCE_DUPLICATE);
    assert_int_equal (missed, 0);
    assert_int_equal (sequence_next (&sequence, ONE, 8, &missed), SEQUENCE_NEXT);
}

static void
new_epoch_is_a_restart_also_with_a_higher_number (void **state)
{
    (void) state;
    sequence_t sequence = {0};
    uint64_t missed = 9;
    sequence_next (&sequence, ONE, 50, &missed);

    assert_int_equal (sequence_next (&sequence, TWO, 1, &missed), SEQUENCE_RESTARTED);
    assert_int_equal (missed, 0);
    assert_int_equal (sequence_next (&sequence, TWO, 2, &missed), SEQUENCE_NEXT);
    assert_int_equal (sequence_next (&sequence, ONE, 51, &missed), SEQUENCE_RESTARTED);
    assert_int_equal (missed, 50);
}

static void
restart_not_heard_from_its_first_says_what_was_missed (void **state)
{
    (void) state;
    sequence_t sequence = {0};
    uint64_t missed;
    sequence_next (&sequence, ONE, 1, &missed);

    assert_int_equal (sequence_next (&sequence, TWO, 4, &missed), SEQUENCE_RESTARTED);
    assert_int_equal (missed, 3);
    assert_int_equal (sequence_next (&sequence, TWO, 5, &missed), SEQUENCE_NEXT);
}

static void
last_number_told_shows_the_loss_at_the_tail_once (void **state)
{
    (void) state;
    sequence_t sequence = {0};
    uint64_t missed;
    sequence_next (&sequence, ONE, 10, &missed);

    assert_int_equal (sequence_expect (&sequence, ONE, 10), 0);
    assert_int_equal (sequence_expect (&sequence, ONE, 12), 2);
    assert_int_equal (sequence_expect (&sequence, ONE, 12), 0);
    assert_int_equal (sequence_next (&sequence, ONE, 12, &missed), SEQUENCE_DUPLICATE);
    assert_int_equal (sequence_next (&sequence, ONE, 13, &missed), SEQUENCE_NEXT);
}

static void
last_number_of_another_epoch_or_an_older_one_tells_nothing (void **state)
{
    (void) state;
    sequence_t sequence = {0}, silent = {0};
    uint64_t missed;
    sequence_next (&sequence, ONE, 10, &missed);

    assert_int_equal (sequence_expect (&sequence, TWO, 100), 0);
    assert_int_equal (sequence_expect (&sequence, ONE, 3), 0);
    assert_int_equal (sequence_expect (&silent, ONE, 100), 0);
    assert_int_equal (sequence_next (&sequence, ONE, 11, &missed), SEQUENCE_NEXT);
    assert_int_equal (sequence_next (&silent, ONE, 5, &missed), SEQUENCE_FIRST);
}

static void
numbers_at_the_end_of_their_range_do_not_wrap (void **state)
{
    (void) state;
    sequence_t sequence = {0};
    uint64_t missed;
    sequence_next (&sequence, ONE, 1, &missed);

    assert_int_equal (sequence_next (&sequence, ONE, UINT64_MAX, &missed), SEQUENCE_GAP);
    assert_true (missed == UINT64_MAX - 2);
    assert_int_equal (sequence_next (&sequence, ONE, 0, &missed), SEQUENCE_DUPLICATE);
    assert_int_equal (sequence_next (&sequence, TWO, 0, &missed), SEQUENCE_RESTARTED);
    assert_int_equal (missed, 0);
    assert_int_equal (sequence_next (&sequence, TWO, 1, &missed), SEQUENCE_NEXT);
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (stream_heard_from_its_start_has_no_gap),
        cmocka_unit_test (joining_in_the_middle_misses_nothing),
        cmocka_unit_test (gap_says_how_many_are_missing_and_is_told_once),
        cmocka_unit_test (number_at_or_before_the_last_is_a_duplicate_and_changes_nothing),
        cmocka_unit_test (new_epoch_is_a_restart_also_with_a_higher_number),
        cmocka_unit_test (restart_not_heard_from_its_first_says_what_was_missed),
        cmocka_unit_test (last_number_told_shows_the_loss_at_the_tail_once),
        cmocka_unit_test (last_number_of_another_epoch_or_an_older_one_tells_nothing),
        cmocka_unit_test (numbers_at_the_end_of_their_range_do_not_wrap),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
