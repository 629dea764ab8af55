#include "worker_rig.h"

#define STATS "{'system_stats':{'computes':{'c':{'stats':{'cpu':{'percent':1}}}}}}"

//  Steady time of the fake clock; it has nothing to do with the wall's.
#define STEADY(seconds) ((time_us_t) (seconds) *SECOND_US)

//  The source speaks, as the aggregator hears it at that steady time.
static worker_verdict_t
speak (worker_t *worker, event_type_t type, const char *data, int64_t interval, int64_t seconds)
{
    worker_change_t change = tell_from (worker, "cloudwatch", type, data, seconds);

    worker_spoke (worker, &change, interval, STEADY (seconds));
    return change.verdict;
}

#define EC2_SAYS(worker, data, seconds) speak (worker, EVENT_INSTANCE_OBSERVED, data, 30, seconds)
#define CLOUDWATCH_SAYS(worker, data, seconds) \
    speak (worker, EVENT_UTILIZATION_OBSERVED, data, 60, seconds)
#define CML_SAYS(worker, data, seconds) speak (worker, EVENT_SYSTEM_OBSERVED, data, 15, seconds)

static worker_change_t
pass_time (worker_t *worker, int64_t seconds)
{
    return worker_become_stale (worker,
                                (moment_t){.wall = AT (seconds), .steady = STEADY (seconds)});
}

static worker_t *
all_three_spoke_at_0 (void)
{
    worker_t *worker = new_worker ();

    EC2_SAYS (worker, "{'state':'running'}", 0);
    CLOUDWATCH_SAYS (worker, "{'cpu_percent':11}", 0);
    CML_SAYS (worker, STATS, 0);
    return worker;
}

static void
new_worker_has_no_deadline (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();

    assert_int_equal (worker_stale_at (worker), INT64_MAX);
    assert_int_equal (pass_time (worker, 1000000).verdict, WORKER_NOT_SAID);
}

static void
source_is_stale_after_three_missed_intervals_and_not_before (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();
    assert_int_equal (worker_stale_at (worker), STEADY (45));

    worker_change_t early =
        worker_become_stale (worker, (moment_t){.wall = AT (45), .steady = STEADY (45) - 1});
    assert_int_equal (early.verdict, WORKER_NOT_SAID);
    assert_field (worker, cml_freshness, "'fresh'");
    worker_change_t change = pass_time (worker, 45);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_int_equal (change.by, SOURCE_CML);
    assert_int_equal (change.old_freshness [SOURCE_CML], FRESH_FRESH);
    assert_true (field_set_has (&change.fields, SNAPSHOT_cml_freshness));
    assert_field (worker, cml_freshness, "'stale'");
    assert_field (worker, ec2_freshness, "'fresh'");
    assert_field (worker, cloudwatch_freshness, "'fresh'");
    assert_field (worker, updated_at, AT_TEXT ("14:05"));
    assert_int_equal (worker_stale_at (worker), STEADY (90));
}

static void
stale_source_keeps_its_last_values (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();

    pass_time (worker, 45);

    assert_field (worker, cpu_utilization, "1");
    assert_field (worker, cml_last_synced_at, AT_TEXT ("13:20"));
    assert_int_equal (worker_last_seen (worker, SOURCE_CML), AT (0));
}

static void
each_source_that_is_due_is_told_once (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();
    int told [SOURCE_COUNT] = {0};

    for (int i = 0; i < 5; i++) {
        worker_change_t change = pass_time (worker, 100000);
        if (change.verdict == WORKER_APPLIED) {
            told [change.by]++;
        }
    }

    assert_int_equal (told [SOURCE_EC2], 1);
    assert_int_equal (told [SOURCE_CLOUDWATCH], 1);
    assert_int_equal (told [SOURCE_CML], 1);
    assert_int_equal (worker_stale_at (worker), INT64_MAX);
}

static void
word_of_the_source_makes_it_fresh_again (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();
    pass_time (worker, 45);

    CML_SAYS (worker, STATS, 50);

    assert_field (worker, cml_freshness, "'fresh'");
    assert_int_equal (worker_stale_at (worker), STEADY (90));  //  EC2's: 3 * 30
    EC2_SAYS (worker, "{}", 60);
    assert_int_equal (worker_stale_at (worker), STEADY (95));  //  CML's: 50 + 3 * 15
}

static void
source_failing_for_an_hour_is_no_matter_of_the_others (void **state)
{
    (void) state;
    static const struct {
        worker_source_t failing;
        const char *freshness [SOURCE_COUNT];
    } ROWS [] = {{SOURCE_EC2, {"error", "fresh", "fresh"}},
                 {SOURCE_CLOUDWATCH, {"fresh", "error", "fresh"}},
                 {SOURCE_CML, {"fresh", "fresh", "error"}}};
    static const char *const FAILED = "{'error_code':'timeout'}";

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();

        for (int64_t seconds = 15; seconds <= 3600; seconds += 15) {
            CML_SAYS (worker, ROWS [i].failing == SOURCE_CML ? FAILED : STATS, seconds);
            if (seconds % 30 == 0) {
                EC2_SAYS (worker, ROWS [i].failing == SOURCE_EC2 ? FAILED : "{}", seconds);
            }
            if (seconds % 60 == 0) {
                CLOUDWATCH_SAYS (
                    worker, ROWS [i].failing == SOURCE_CLOUDWATCH ? FAILED : "{'cpu_percent':11}",
                    seconds);
            }
            assert_int_equal (pass_time (worker, seconds).verdict, WORKER_NOT_SAID);
        }

        for (int source = 0; source < SOURCE_COUNT; source++) {
            worker_source_t each = (worker_source_t) source;
            assert_string_equal (freshness_name (worker_freshness (worker, each)),
                                 ROWS [i].freshness [source]);
            assert_int_equal (worker_last_seen (worker, each),
                              each == ROWS [i].failing ? AT (0) : AT (3600));
        }
        assert_field (worker, cloudwatch_cpu_utilization, "11");
        assert_field (worker, cpu_utilization, "1");
        assert_field (worker, status, "'running'");
    }
}

static void
source_silent_for_an_hour_is_stale_alone (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();
    int told = 0;

    for (int64_t seconds = 15; seconds <= 3600; seconds += 15) {
        CML_SAYS (worker, STATS, seconds);
        EC2_SAYS (worker, "{}", seconds);
        told += pass_time (worker, seconds).verdict == WORKER_APPLIED;
    }

    assert_int_equal (told, 1);
    assert_field (worker, cloudwatch_freshness, "'stale'");
    assert_field (worker, cml_freshness, "'fresh'");
    assert_field (worker, ec2_freshness, "'fresh'");
}

static void
failing_source_that_falls_silent_becomes_stale (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();
    CML_SAYS (worker, "{'error_code':'timeout','error_message':'5 s'}", 15);
    assert_field (worker, cml_freshness, "'error'");

    pass_time (worker, 60);

    assert_field (worker, cml_freshness, "'stale'");
    assert_string_equal (worker_source_error (worker, SOURCE_CML), "timeout: 5 s");
}

static void
wall_clock_makes_and_unmakes_no_staleness (void **state)
{
    (void) state;
    static const int64_t WALLS [] = {-86400, 0, 1, 44, 1000000};

    for (size_t i = 0; i < COUNT (WALLS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();
        moment_t early = {.wall = AT (WALLS [i]), .steady = STEADY (44)};
        moment_t late = {.wall = AT (WALLS [i]), .steady = STEADY (45)};

        assert_int_equal (worker_become_stale (worker, early).verdict, WORKER_NOT_SAID);
        assert_field (worker, cml_freshness, "'fresh'");
        assert_int_equal (worker_become_stale (worker, late).verdict, WORKER_APPLIED);
        assert_field (worker, cml_freshness, "'stale'");
        assert_field (worker, ec2_freshness, "'fresh'");
        assert_true (worker_snapshot (worker).updated_at >= AT (0));
    }
}

static void
old_news_does_not_move_the_deadline (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();

    worker_change_t copy = tell (worker, SYSTEM_OBSERVED, STATS, 0);
    worker_spoke (worker, &copy, 15, STEADY (40));

    assert_int_equal (copy.verdict, WORKER_NOT_NEWER);
    assert_int_equal (worker_stale_at (worker), STEADY (45));
}

static void
interval_is_the_last_that_was_told_and_within_reason (void **state)
{
    (void) state;
    static const struct {
        int64_t first, then, deadline;  //  of EC2, the second time at 10 s
    } ROWS [] = {{30, 30, 10 + 90},
                 {30, 300, 10 + 900},
                 {30, INTEGER_UNKNOWN, 10 + 90},
                 {30, 0, 10 + 90},
                 {INTEGER_UNKNOWN, INTEGER_UNKNOWN, 10 + 180},
                 {30, INT64_MAX, 10 + (int64_t) 3 * 86400}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = new_worker ();

        speak (worker, EVENT_INSTANCE_OBSERVED, "{'state':'running'}", ROWS [i].first, 0);
        speak (worker, EVENT_INSTANCE_OBSERVED, "{}", ROWS [i].then, 10);

        assert_int_equal (worker_stale_at (worker), STEADY (ROWS [i].deadline));
    }
}

static void
stopped_worker_has_no_stale_source_but_ec2 (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();

    EC2_SAYS (worker, "{'state':'stopped'}", 30);
    CML_SAYS (worker, STATS, 31);
    CLOUDWATCH_SAYS (worker, "{'cpu_percent':5}", 31);

    assert_field (worker, cml_freshness, "'absent'");
    assert_field (worker, cloudwatch_freshness, "'absent'");
    assert_int_equal (worker_stale_at (worker), STEADY (120));
    assert_int_equal (pass_time (worker, 119).verdict, WORKER_NOT_SAID);
    assert_int_equal (pass_time (worker, 120).by, SOURCE_EC2);
    assert_int_equal (worker_stale_at (worker), INT64_MAX);
}

static void
stop_takes_staleness_and_error_away (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();
    CLOUDWATCH_SAYS (worker, "{'error_code':'Throttling'}", 10);
    pass_time (worker, 45);
    assert_field (worker, cml_freshness, "'stale'");

    EC2_SAYS (worker, "{'state':'stopping'}", 46);

    assert_field (worker, cml_freshness, "'absent'");
    assert_field (worker, cloudwatch_freshness, "'absent'");
    assert_string_equal (worker_source_error (worker, SOURCE_CLOUDWATCH), "");
}

static void
terminated_worker_has_no_deadline_at_all (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = all_three_spoke_at_0 ();

    EC2_SAYS (worker, "{'state':'terminated'}", 30);
    EC2_SAYS (worker, "{'state':'terminated'}", 60);  //  listed for an hour

    assert_field (worker, ec2_freshness, "'absent'");
    assert_int_equal (worker_stale_at (worker), INT64_MAX);
}

static void
other_kind_that_is_silent_ceases_to_count (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    EC2_SAYS (worker, "{'state':'running'}", 0);
    worker_change_t change =
        tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, "{'cpu_percent':21}", 0);
    worker_spoke (worker, &change, 10, STEADY (0));
    assert_int_equal (worker_stale_at (worker), STEADY (30));

    assert_int_equal (pass_time (worker, 29).verdict, WORKER_NOT_SAID);
    worker_change_t silent = pass_time (worker, 30);

    assert_int_equal (silent.by, SOURCE_OTHER);
    assert_string_equal (silent.by_kind, "agent");
    assert_field (worker, cpu_utilization, "null");
    assert_int_equal (pass_time (worker, 31).verdict, WORKER_NOT_SAID);
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (new_worker_has_no_deadline),
        cmocka_unit_test (source_is_stale_after_three_missed_intervals_and_not_before),
        cmocka_unit_test (stale_source_keeps_its_last_values),
        cmocka_unit_test (each_source_that_is_due_is_told_once),
        cmocka_unit_test (word_of_the_source_makes_it_fresh_again),
        cmocka_unit_test (source_failing_for_an_hour_is_no_matter_of_the_others),
        cmocka_unit_test (source_silent_for_an_hour_is_stale_alone),
        cmocka_unit_test (failing_source_that_falls_silent_becomes_stale),
        cmocka_unit_test (wall_clock_makes_and_unmakes_no_staleness),
        cmocka_unit_test (old_news_does_not_move_the_deadline),
        cmocka_unit_test (interval_is_the_last_that_was_told_and_within_reason),
        cmocka_unit_test (stopped_worker_has_no_stale_source_but_ec2),
        cmocka_unit_test (stop_takes_staleness_and_error_away),
        cmocka_unit_test (terminated_worker_has_no_deadline_at_all),
        cmocka_unit_test (other_kind_that_is_silent_ceases_to_count)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
