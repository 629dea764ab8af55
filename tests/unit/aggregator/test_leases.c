#include "../../../aggregator/leases.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define TTL   (6 * SECOND_US)
#define UNITS 2000
#define NONE  (-1)

static const char *const IDS [] = {"/collector/cml/a", "/collector/cml/b", "/collector/cml/c",
                                   "/collector/cml/d", "/collector/cml/e"};
#define IDS_COUNT ((int) (sizeof IDS / sizeof *IDS))

//  This many collectors of the kind cml, all heard at that time.
static leases_t *
leases_of (int collectors, time_us_t steady)
{
    leases_t *leases = leases_new (TTL, 16);

    assert_non_null (leases);
    for (int i = 0; i < collectors; i++) {
        assert_true (leases_renew (leases, IDS [i], "cml", steady));
    }
    return leases;
}

//  Who owns the unit, as an index of IDS; two owners are a failure.
static int
owner_of (const leases_t *leases, int unit)
{
    char name [32];
    int owner = NONE;

    snprintf (name, sizeof name, "worker-%d", unit);
    for (int i = 0; i < IDS_COUNT; i++) {
        if (leases_owns (leases, IDS [i], "cml", name)) {
            if (owner != NONE) {
                fail_msg ("%s is owned by %s and %s", name, IDS [owner], IDS [i]);
            }
            owner = i;
        }
    }
    return owner;
}

static void
every_unit_has_one_owner_and_all_have_about_their_share (void **state)
{
    (void) state;

    for (int collectors = 1; collectors <= IDS_COUNT; collectors++) {
        _cleanup_ (leases_destroy) leases_t *leases = leases_of (collectors, 0);
        int owned [IDS_COUNT] = {0};

        for (int unit = 0; unit < UNITS; unit++) {
            int owner = owner_of (leases, unit);
            assert_in_range (owner, 0, collectors - 1);
            owned [owner]++;
        }

        for (int i = 0; i < collectors; i++) {
            assert_in_range (owned [i], UNITS / collectors * 8 / 10, UNITS / collectors * 12 / 10);
        }
    }
}

static void
without_a_collector_nobody_owns_anything (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (0, 0);

    assert_int_equal (owner_of (leases, 1), NONE);
    assert_int_equal (leases_count (leases), 0);
}

static void
collector_that_joins_takes_its_share_and_moves_nothing_else (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *before = leases_of (3, 0);
    _cleanup_ (leases_destroy) leases_t *after = leases_of (4, 0);
    int moved = 0;

    for (int unit = 0; unit < UNITS; unit++) {
        int old = owner_of (before, unit), new = owner_of (after, unit);
        if (old != new) {
            assert_int_equal (new, 3);
            moved++;
        }
    }
    assert_in_range (moved, UNITS / 4 * 8 / 10, UNITS / 4 * 12 / 10);
}

static void
collector_that_leaves_gives_its_share_and_moves_nothing_else (void **state)
{
    (void) state;

    for (int leaver = 0; leaver < 4; leaver++) {
        _cleanup_ (leases_destroy) leases_t *before = leases_of (4, 0);
        _cleanup_ (leases_destroy) leases_t *after = leases_of (4, 0);
        assert_true (leases_leave (after, IDS [leaver]));

        for (int unit = 0; unit < UNITS; unit++) {
            int old = owner_of (before, unit), new = owner_of (after, unit);
            assert_int_not_equal (new, NONE);
            assert_int_not_equal (new, leaver);
            if (old != leaver) {
                assert_int_equal (new, old);
            }
        }
    }
}

static void
order_of_joining_does_not_matter (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *forward = leases_of (IDS_COUNT, 0);
    _cleanup_ (leases_destroy) leases_t *backward = leases_new (TTL, 16);
    for (int i = IDS_COUNT - 1; i >= 0; i--) {
        leases_renew (backward, IDS [i], "cml", i);
    }

    for (int unit = 0; unit < UNITS; unit++) {
        assert_int_equal (owner_of (forward, unit), owner_of (backward, unit));
    }
}

static void
work_is_shared_within_a_kind_alone (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (1, 0);
    leases_renew (leases, "/collector/ec2/a", "ec2", 0);
    leases_renew (leases, "/collector/ec2/b", "ec2", 0);

    for (int unit = 0; unit < 100; unit++) {
        char name [32];
        snprintf (name, sizeof name, "worker-%d", unit);

        assert_true (leases_owns (leases, IDS [0], "cml", name));
        assert_int_equal (leases_owns (leases, "/collector/ec2/a", "ec2", name) +
                              leases_owns (leases, "/collector/ec2/b", "ec2", name),
                          1);
    }
}

static void
silence_beyond_the_time_to_live_is_a_loss (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (2, 0);
    char id [201], kind [32];
    leases_renew (leases, IDS [1], "cml", 4 * SECOND_US);

    assert_false (leases_silent (leases, TTL, id, kind));
    assert_true (leases_silent (leases, TTL + 1, id, kind));
    assert_string_equal (id, IDS [0]);
    assert_string_equal (kind, "cml");
    assert_true (leases_leave (leases, id));
    assert_false (leases_silent (leases, TTL + 1, id, kind));

    for (int unit = 0; unit < 100; unit++) {
        assert_int_equal (owner_of (leases, unit), 1);
    }
    assert_true (leases_silent (leases, 4 * SECOND_US + TTL + 1, id, kind));
    assert_string_equal (id, IDS [1]);
}

static void
collector_that_renews_is_never_lost (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (1, 0);
    char id [201], kind [32];

    for (time_us_t steady = 2 * SECOND_US; steady < HOUR_US; steady += 2 * SECOND_US) {
        assert_false (leases_renew (leases, IDS [0], "cml", steady));
        assert_false (leases_silent (leases, steady + TTL, id, kind));
    }
    assert_int_equal (leases_count (leases), 1);
}

static void
revision_grows_when_one_comes_or_goes_and_only_then (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (1, 0);
    uint64_t first = leases_revision (leases);

    leases_renew (leases, IDS [0], "cml", SECOND_US);
    assert_false (leases_leave (leases, "nobody"));
    assert_int_equal (leases_revision (leases), first);
    leases_renew (leases, IDS [1], "cml", SECOND_US);
    uint64_t joined = leases_revision (leases);
    leases_leave (leases, IDS [1]);

    assert_true (joined > first);
    assert_true (leases_revision (leases) > joined);
}

static void
collectors_beyond_the_bound_get_nothing_until_one_goes (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_new (TTL, 2);
    leases_renew (leases, IDS [0], "cml", 0);
    leases_renew (leases, IDS [1], "cml", 0);

    assert_false (leases_renew (leases, IDS [2], "cml", 0));
    assert_int_equal (leases_count (leases), 2);
    for (int unit = 0; unit < 100; unit++) {
        assert_in_range (owner_of (leases, unit), 0, 1);
    }
    leases_leave (leases, IDS [0]);

    assert_true (leases_renew (leases, IDS [2], "cml", 0));
    for (int unit = 0; unit < 100; unit++) {
        assert_in_range (owner_of (leases, unit), 1, 2);
    }
}

static void
longest_name_is_kept_whole (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_new (TTL, 4);
    char longest [201], kind [32], id [201], of_kind [32];
    memset (longest, 'x', sizeof longest);
    memset (kind, 'k', sizeof kind);
    longest [200] = kind [31] = '\0';

    assert_true (leases_renew (leases, longest, kind, 0));
    assert_false (leases_renew (leases, longest, kind, 1));

    assert_true (leases_silent (leases, TTL + 2, id, of_kind));
    assert_string_equal (id, longest);
    assert_string_equal (of_kind, kind);
    assert_true (leases_owns (leases, longest, kind, "unit"));
}

//  How many of the units are read by nobody, and by more than one.
static void
count_readers (const leases_t *leases, int *nobody, int *many)
{
    char name [32];

    *nobody = *many = 0;
    for (int unit = 0; unit < UNITS; unit++) {
        snprintf (name, sizeof name, "worker-%d", unit);
        size_t readers = leases_readers (leases, "cml", name);
        *nobody += readers == 0;
        *many += readers > 1;
    }
}

static void
tell_all (leases_t *leases, int collectors)
{
    for (int i = 0; i < collectors; i++) {
        leases_told (leases, IDS [i]);
    }
}

static void
told_collectors_read_each_unit_once (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (3, 0);
    int nobody, many;

    count_readers (leases, &nobody, &many);
    assert_int_equal (nobody, UNITS);  //  none was answered yet
    tell_all (leases, 3);
    count_readers (leases, &nobody, &many);
    assert_int_equal (nobody, 0);
    assert_int_equal (many, 0);
}

static void
one_that_joins_reads_beside_the_old_owner_until_that_has_heard_of_it (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (2, 0);
    int nobody, many, share = 0;

    tell_all (leases, 2);
    leases_renew (leases, IDS [2], "cml", 1);
    leases_told (leases, IDS [2]);
    for (int unit = 0; unit < UNITS; unit++) {
        share += owner_of (leases, unit) == 2;
    }
    count_readers (leases, &nobody, &many);
    assert_int_equal (nobody, 0);
    assert_int_equal (many, share);
    tell_all (leases, 3);
    count_readers (leases, &nobody, &many);
    assert_int_equal (nobody, 0);
    assert_int_equal (many, 0);
}

static void
what_one_that_left_has_read_is_nobodys_until_its_heir_has_heard (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (3, 0);
    int nobody, many, share = 0;

    tell_all (leases, 3);
    for (int unit = 0; unit < UNITS; unit++) {
        share += owner_of (leases, unit) == 0;
    }
    assert_true (leases_leave (leases, IDS [0]));
    count_readers (leases, &nobody, &many);
    assert_int_equal (nobody, share);
    assert_int_equal (many, 0);
    tell_all (leases, 3);
    count_readers (leases, &nobody, &many);
    assert_int_equal (nobody, 0);
}

static void
kinds_that_ever_asked_are_known_each_once (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_new (TTL, 64);
    char id [32], kind [32];

    for (int i = 0; i < 2 * LEASES_KINDS_MOST; i++) {
        snprintf (id, sizeof id, "/collector/%d", i);
        snprintf (kind, sizeof kind, "kind%d", i);
        leases_renew (leases, id, kind, 0);
    }
    leases_renew (leases, "/collector/another", "kind0", 0);
    assert_int_equal (leases_kinds (leases), LEASES_KINDS_MOST);
    assert_string_equal (leases_kind (leases, 0), "kind0");
    assert_string_equal (leases_kind (leases, 1), "kind1");
}

static void
collectors_of_a_kind_with_other_lists_are_told_of_each_other_once (void **state)
{
    (void) state;
    _cleanup_ (leases_destroy) leases_t *leases = leases_of (3, 0);
    leases_renew (leases, "/collector/ec2/a", "ec2", 0);

    assert_null (leases_take_lists (leases, "/collector/ec2/a", "aa"));
    for (int i = 0; i < 3; i++) {
        leases_take_lists (leases, IDS [i], "aa");
    }
    assert_null (leases_take_lists (leases, "/collector/ec2/a", "bb"));
    assert_int_equal (leases_lists (leases, "cml"), 1);

    assert_string_equal (leases_take_lists (leases, IDS [1], "cc"), IDS [0]);
    assert_null (leases_take_lists (leases, IDS [1], "cc"));
    assert_int_equal (leases_lists (leases, "cml"), 2);
    assert_non_null (leases_take_lists (leases, IDS [2], ""));
    assert_int_equal (leases_lists (leases, "cml"), 3);
    assert_int_equal (leases_lists (leases, "ec2"), 1);

    leases_leave (leases, IDS [1]);
    assert_null (leases_take_lists (leases, IDS [2], "aa"));
    assert_int_equal (leases_lists (leases, "cml"), 1);
    assert_null (leases_take_lists (leases, "/collector/cml/nobody", "dd"));
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (every_unit_has_one_owner_and_all_have_about_their_share),
        cmocka_unit_test (without_a_collector_nobody_owns_anything),
        cmocka_unit_test (collector_that_joins_takes_its_share_and_moves_nothing_else),
        cmocka_unit_test (collector_that_leaves_gives_its_share_and_moves_nothing_else),
        cmocka_unit_test (order_of_joining_does_not_matter),
        cmocka_unit_test (work_is_shared_within_a_kind_alone),
        cmocka_unit_test (silence_beyond_the_time_to_live_is_a_loss),
        cmocka_unit_test (collector_that_renews_is_never_lost),
        cmocka_unit_test (revision_grows_when_one_comes_or_goes_and_only_then),
        cmocka_unit_test (collectors_beyond_the_bound_get_nothing_until_one_goes),
        cmocka_unit_test (longest_name_is_kept_whole),
        cmocka_unit_test (told_collectors_read_each_unit_once),
        cmocka_unit_test (one_that_joins_reads_beside_the_old_owner_until_that_has_heard_of_it),
        cmocka_unit_test (what_one_that_left_has_read_is_nobodys_until_its_heir_has_heard),
        cmocka_unit_test (collectors_of_a_kind_with_other_lists_are_told_of_each_other_once),
        cmocka_unit_test (kinds_that_ever_asked_are_known_each_once)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
