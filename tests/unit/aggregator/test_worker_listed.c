//  A server that a collector of CML lists, and no EC2 knows.

#include "worker_rig.h"

#define LISTED "{'state':'running','name':'Lab One','interval_seconds':10}"

static void
listed_server_runs_and_ec2_stays_absent (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();

    worker_change_t change = tell_from (worker, "cml", EVENT_INSTANCE_OBSERVED, LISTED, 10);
    worker_spoke (worker, &change, 10, 0);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_true (worker_is_listed (worker));
    assert_field (worker, name, "'Lab One'");
    assert_field (worker, status, "'running'");
    assert_field (worker, ec2_freshness, "'absent'");
    assert_field (worker, ec2_last_checked_at, "null");
    assert_field (worker, poll_interval, "null");
    assert_int_equal (worker_stale_at (worker), INT64_MAX);
}

static void
list_that_is_told_again_changes_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell_from (worker, "cml", EVENT_INSTANCE_OBSERVED, LISTED, 10);

    worker_change_t again = tell_from (worker, "cml", EVENT_INSTANCE_OBSERVED, LISTED, 20);
    worker_change_t older = tell_from (worker, "cml", EVENT_INSTANCE_OBSERVED, LISTED, 15);

    assert_true (field_set_is_empty (&again.fields));
    assert_int_equal (older.verdict, WORKER_NOT_NEWER);
}

static void
list_says_nothing_of_what_ec2_tells (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell (worker, INSTANCE_OBSERVED, "{'state':'stopped','name':'ours'}", 10);

    worker_change_t change = tell_from (worker, "cml", EVENT_INSTANCE_OBSERVED, LISTED, 20);

    assert_int_equal (change.verdict, WORKER_NOT_SAID);
    assert_false (worker_is_listed (worker));
    assert_field (worker, status, "'stopped'");
    assert_field (worker, name, "'ours'");
}

static void
listed_server_that_is_gone_is_terminated_and_comes_back_when_listed_again (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell_from (worker, "cml", EVENT_INSTANCE_OBSERVED, LISTED, 10);

    worker_terminate (worker, AT (20));
    assert_field (worker, status, "'terminated'");
    assert_false (worker_is_listed (worker));

    tell_from (worker, "cml", EVENT_INSTANCE_OBSERVED, LISTED, 30);
    assert_field (worker, status, "'running'");
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (listed_server_runs_and_ec2_stays_absent),
        cmocka_unit_test (list_that_is_told_again_changes_nothing),
        cmocka_unit_test (list_says_nothing_of_what_ec2_tells),
        cmocka_unit_test (
            listed_server_that_is_gone_is_terminated_and_comes_back_when_listed_again),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
