#include "../../../aggregator/losses.h"

#include "worker_rig.h"

#define SOURCE "/collector/ec2/host-1"
#define EPOCH  "0badcafe"
#define WAIT   (10 * SECOND_US)

static void
write_range (void *argument, uint64_t from, uint64_t to)
{
    buffer_format (argument, "%d-%d ", (int) from, (int) to);
}

static void
write_lost (void *argument, const char *source, uint64_t count)
{
    buffer_format (argument, "%s %d;", source, (int) count);
}

static void
check_asked (losses_t *losses, const char *source, time_us_t steady, const char *wanted)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};

    buffer_text (&text, "");
    losses_ask (losses, source, steady, write_range, &text);
    assert_string_equal (text.data, wanted);
}

static void
check_lost (losses_t *losses, time_us_t steady, const char *wanted)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};

    buffer_text (&text, "");
    losses_expire (losses, steady, write_lost, &text);
    assert_string_equal (text.data, wanted);
}

static void
gap_is_asked_for_by_its_own_source_and_again_when_it_does_not_come (void **state)
{
    (void) state;
    _cleanup_ (losses_destroy) losses_t *losses = losses_new (WAIT);

    assert_int_equal (losses_note (losses, SOURCE, EPOCH, 5, 9, 0), 0);
    assert_int_equal (losses_note (losses, SOURCE, EPOCH, 12, 12, 0), 0);

    check_asked (losses, "/collector/ec2/host-2", 0, "");
    check_asked (losses, SOURCE, 0, "5-9 12-12 ");
    check_asked (losses, SOURCE, WAIT / 3 - 1, "");
    assert_true (losses_came (losses, SOURCE, EPOCH, 12));
    check_asked (losses, SOURCE, WAIT / 3, "5-9 ");
    check_asked (losses, SOURCE, WAIT / 3, "");
}

static void
what_came_is_not_lost (void **state)
{
    (void) state;
    _cleanup_ (losses_destroy) losses_t *losses = losses_new (WAIT);
    losses_note (losses, SOURCE, EPOCH, 5, 9, 0);

    assert_true (losses_came (losses, SOURCE, EPOCH, 5));
    assert_true (losses_came (losses, SOURCE, EPOCH, 7));
    assert_true (losses_came (losses, SOURCE, EPOCH, 9));
    assert_false (losses_came (losses, SOURCE, EPOCH, 7));
    assert_false (losses_came (losses, SOURCE, EPOCH, 4));
    assert_false (losses_came (losses, SOURCE, "12345678", 6));
    assert_false (losses_came (losses, "/collector/ec2/host-2", EPOCH, 6));

    check_lost (losses, WAIT, "");
    check_lost (losses, WAIT + 1, SOURCE " 2;");
    check_lost (losses, 2 * WAIT, "");
}

static void
source_begins_anew_once_after_a_loss_and_not_when_all_came (void **state)
{
    (void) state;
    _cleanup_ (losses_destroy) losses_t *losses = losses_new (WAIT);
    losses_note (losses, SOURCE, EPOCH, 1, 1, 0);
    losses_note (losses, "whole", EPOCH, 1, 1, 0);

    losses_came (losses, "whole", EPOCH, 1);
    check_lost (losses, WAIT + 1, SOURCE " 1;");

    assert_true (losses_takes_fresh (losses, SOURCE));
    assert_false (losses_takes_fresh (losses, SOURCE));
    assert_false (losses_takes_fresh (losses, "whole"));
}

static void
source_that_began_anew_misses_nothing_of_before (void **state)
{
    (void) state;
    _cleanup_ (losses_destroy) losses_t *losses = losses_new (WAIT);
    losses_note (losses, SOURCE, EPOCH, 5, 9, 0);

    losses_note (losses, SOURCE, "12345678", 1, 2, 0);

    check_asked (losses, SOURCE, 0, "1-2 ");
    check_lost (losses, WAIT + 1, SOURCE " 2;");
}

static void
gaps_beyond_the_bound_are_lost_at_once (void **state)
{
    (void) state;
    _cleanup_ (losses_destroy) losses_t *losses = losses_new (WAIT);

    for (uint64_t i = 0; i < LOSSES_RANGES_MAX; i++) {
        assert_int_equal (losses_note (losses, SOURCE, EPOCH, 10 * i + 1, 10 * i + 3, 0), 0);
    }

    assert_int_equal (losses_note (losses, SOURCE, EPOCH, 1000, 1004, 0), 5);
    assert_true (losses_takes_fresh (losses, SOURCE));
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (gap_is_asked_for_by_its_own_source_and_again_when_it_does_not_come),
        cmocka_unit_test (what_came_is_not_lost),
        cmocka_unit_test (source_begins_anew_once_after_a_loss_and_not_when_all_came),
        cmocka_unit_test (source_that_began_anew_misses_nothing_of_before),
        cmocka_unit_test (gaps_beyond_the_bound_are_lost_at_once)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
