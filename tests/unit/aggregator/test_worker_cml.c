#include "worker_rig.h"

#define READY "{'endpoint':'https://203.0.113.7','reachable':true,'version':'2.9.0','ready':true}"
#define DOWN  "{'reachable':false,'error_code':'timeout','error_message':'no answer in 5 s'}"

static void
round_of_cml_tells_what_it_read (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_change_t change =
        tell (worker, SYSTEM_OBSERVED,
              "{'endpoint':'https://203.0.113.7','version':'2.9.0','ready':true,"
              "'uptime_seconds':77,'system_health':{'valid':true,'is_licensed':null},"
              "'system_stats':{'computes':{}},'interval_seconds':15}",
              10);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_field (worker, https_endpoint, "'https://203.0.113.7'");
    assert_field (worker, cml_version, "'2.9.0'");
    assert_field (worker, cml_ready, "true");
    assert_field (worker, cml_uptime_seconds, "77");
    assert_field (worker, cml_system_health, "{'valid':true,'is_licensed':null}");
    assert_field (worker, cml_system_info, "{'computes':{}}");
    assert_field (worker, cml_last_synced_at, AT_TEXT ("13:30"));
    assert_field (worker, cml_freshness, "'fresh'");
    assert_field (worker, cpu_utilization, "null");
    assert_field (worker, updated_at, AT_TEXT ("13:30"));
}

static void
what_a_round_leaves_out_stays (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, SYSTEM_OBSERVED, READY, 10);
    tell (worker, SYSTEM_OBSERVED, "{'system_health':{'valid':true}}", 20);

    worker_change_t change = tell (worker, SYSTEM_OBSERVED, "{'uptime_seconds':5}", 30);

    assert_field (worker, cml_version, "'2.9.0'");
    assert_field (worker, cml_ready, "true");
    assert_field (worker, cml_system_health, "{'valid':true}");
    assert_false (field_set_has_group (&change.fields, SNAPSHOT_GROUP_CML));
    assert_field (worker, updated_at, AT_TEXT ("13:40"));
}

static void
service_follows_readiness_and_reach (void **state)
{
    (void) state;
    static const struct {
        const char *what, *data, *service;
        bool connected;
    } ROWS [] = {
        {"ready", READY, "available", true},
        {"not ready", "{'reachable':true,'ready':false}", "starting", true},
        {"nothing of readiness", "{'reachable':true}", "available", true},
        {"not reached", DOWN, "unavailable", false},
        {"not let in", "{'reachable':true,'error_code':'login'}", "error", true},
        {"reach not said, an answer", "{'version':'2.9.0'}", "available", true},
        {"reach not said, a part failed", "{'system_stats':{},'error_code':'json'}", "available",
         true},
        {"reach not said, nothing answered", "{'error_code':'unreachable'}", "unavailable", false}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        tell (worker, SYSTEM_OBSERVED, READY, 10);

        tell (worker, SYSTEM_OBSERVED, ROWS [i].data, 20);
        tell (worker, SYSTEM_OBSERVED, ROWS [i].data, 30);

        const char *service = worker_service_name (worker_service (worker));
        if (strcmp (service, ROWS [i].service) != 0 ||
            worker_is_connected (worker) != ROWS [i].connected) {
            fail_msg ("%s: %s, %s", ROWS [i].what, service,
                      worker_is_connected (worker) ? "connected" : "not connected");
        }
    }
}

static void
worse_is_believed_at_the_second_round_and_better_at_once (void **state)
{
    (void) state;
    static const struct {
        const char *data;
        worker_service_t service;
        bool connected;
    } STEPS [] = {
        {DOWN, SERVICE_STARTING, false},     //  the first: it may still start
        {READY, SERVICE_AVAILABLE, true},    //  better at once
        {DOWN, SERVICE_AVAILABLE, true},     //  a hiccup
        {READY, SERVICE_AVAILABLE, true},    //  which is forgotten
        {DOWN, SERVICE_AVAILABLE, true},     //  so this is the first again
        {DOWN, SERVICE_UNAVAILABLE, false},  //  and the second
        {"{'reachable':true,'ready':false}", SERVICE_STARTING, true},
        {READY, SERVICE_AVAILABLE, true},
        {"{'reachable':true,'ready':false}", SERVICE_AVAILABLE, true},
        {DOWN, SERVICE_UNAVAILABLE, false},  //  two that are worse, each in its way
    };
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    for (size_t i = 0; i < COUNT (STEPS); i++) {
        bool before = worker_is_connected (worker);

        worker_change_t change = tell (worker, SYSTEM_OBSERVED, STEPS [i].data, 10 + (int64_t) i);

        assert_int_equal (worker_service (worker), STEPS [i].service);
        assert_int_equal (worker_is_connected (worker), STEPS [i].connected);
        assert_int_equal (change.old_connected, before);
    }
}

static void
rules_say_how_many_rounds_make_it_worse (void **state)
{
    (void) state;
    worker_rules_t rules = {.idle = IDLE_RULES_DEFAULT, .service_failures = 4};
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_set_rules (worker, &rules);
    tell (worker, SYSTEM_OBSERVED, READY, 10);

    for (int64_t seconds = 11; seconds < 14; seconds++) {
        tell (worker, SYSTEM_OBSERVED, DOWN, seconds);
        assert_int_equal (worker_service (worker), SERVICE_AVAILABLE);
    }
    tell (worker, SYSTEM_OBSERVED, DOWN, 14);

    assert_int_equal (worker_service (worker), SERVICE_UNAVAILABLE);
}

static void
failed_read_leaves_the_last_values_and_tells_the_error (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, SYSTEM_OBSERVED,
          "{'endpoint':'https://203.0.113.7','version':'2.9.0','ready':true,"
          "'system_stats':{'computes':{'c':{'stats':{'cpu':{'percent':7.9}}}}}}",
          10);

    worker_change_t change = tell (worker, SYSTEM_OBSERVED, DOWN, 20);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_false (field_set_has_group (&change.fields, SNAPSHOT_GROUP_CML));
    assert_false (field_set_has_group (&change.fields, SNAPSHOT_GROUP_CALCULATED));
    assert_field (worker, cml_version, "'2.9.0'");
    assert_field (worker, cml_ready, "true");
    assert_field (worker, cpu_utilization, "7.9");
    assert_field (worker, cml_last_synced_at, AT_TEXT ("13:30"));
    assert_field (worker, cml_freshness, "'error'");
    assert_string_equal (worker_source_error (worker, SOURCE_CML), "timeout: no answer in 5 s");
    assert_int_equal (worker_last_seen (worker, SOURCE_CML), AT (10));
    assert_field (worker, ec2_freshness, "'fresh'");
}

static void
good_read_after_a_failed_one_takes_the_error_away (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, SYSTEM_OBSERVED, DOWN, 10);

    tell (worker, SYSTEM_OBSERVED, READY, 20);

    assert_field (worker, cml_freshness, "'fresh'");
    assert_string_equal (worker_source_error (worker, SOURCE_CML), "");
}

static void
part_that_was_read_counts_when_another_failed (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    tell (worker, SYSTEM_OBSERVED,
          "{'reachable':true,'version':'2.9.0','ready':true,'error_code':'http'}", 10);

    assert_field (worker, cml_version, "'2.9.0'");
    assert_field (worker, service_status, "'available'");
    assert_field (worker, cml_freshness, "'error'");
    assert_field (worker, cml_last_synced_at, "null");
    assert_string_equal (worker_source_error (worker, SOURCE_CML), "http");
}

static void
older_or_second_word_of_cml_changes_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, SYSTEM_OBSERVED, READY, 20);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);
    static const char *const DATA [] = {READY, "{'version':'2.5.0','ready':false}", DOWN};

    for (size_t i = 0; i < COUNT (DATA); i++) {
        for (int64_t seconds = 19; seconds <= 20; seconds++) {
            worker_change_t change = tell (worker, SYSTEM_OBSERVED, DATA [i], seconds);

            assert_int_equal (change.verdict, WORKER_NOT_NEWER);
            assert_true (field_set_is_empty (&change.fields));
        }
    }

    assert_unchanged (worker, before);
    assert_string_equal (worker_source_error (worker, SOURCE_CML), "");
}

static void
late_words_about_a_stopped_worker_change_nothing (void **state)
{
    (void) state;
    static const char *const DOWN_STATES [] = {"pending", "stopping", "stopped", "shutting-down",
                                               "terminated"};

    for (size_t i = 0; i < COUNT (DOWN_STATES); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        char data [64];
        snprintf (data, sizeof data, "{'state':'%s'}", DOWN_STATES [i]);
        tell (worker, SYSTEM_OBSERVED, READY, 10);
        tell (worker, INSTANCE_OBSERVED, data, 20);
        _cleanup_ (string_destroy) char *before = snapshot_text (worker);

        assert_int_equal (tell (worker, SYSTEM_OBSERVED, READY, 25).verdict, WORKER_NOT_RUNNING);
        assert_int_equal (tell (worker, SYSTEM_OBSERVED, DOWN, 26).verdict, WORKER_NOT_RUNNING);
        assert_int_equal (tell (worker, LABS_OBSERVED, "{'labs':[{}]}", 25).verdict,
                          WORKER_NOT_RUNNING);
        assert_int_equal (tell (worker, LAB_STATE_CHANGED, "{'lab_id':'a'}", 25).verdict,
                          WORKER_NOT_RUNNING);

        assert_unchanged (worker, before);
        assert_string_equal (worker_labs (worker), "[]");
        assert_false (worker_is_connected (worker));
    }
}

static void
load_from_before_a_stop_is_not_the_load_after_it (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, SYSTEM_OBSERVED,
          "{'system_stats':{'computes':{'c':{'stats':{'cpu':{'percent':88}}}}}}", 10);
    tell (worker, INSTANCE_OBSERVED, "{'state':'stopped'}", 20);
    tell (worker, INSTANCE_OBSERVED, "{'state':'running'}", 30);
    assert_field (worker, service_status, "'starting'");
    assert_field (worker, cpu_utilization, "null");

    tell (worker, SYSTEM_OBSERVED, READY, 40);

    assert_field (worker, cml_freshness, "'fresh'");
    assert_field (worker, cpu_utilization, "null");
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (round_of_cml_tells_what_it_read),
        cmocka_unit_test (what_a_round_leaves_out_stays),
        cmocka_unit_test (service_follows_readiness_and_reach),
        cmocka_unit_test (worse_is_believed_at_the_second_round_and_better_at_once),
        cmocka_unit_test (rules_say_how_many_rounds_make_it_worse),
        cmocka_unit_test (failed_read_leaves_the_last_values_and_tells_the_error),
        cmocka_unit_test (good_read_after_a_failed_one_takes_the_error_away),
        cmocka_unit_test (part_that_was_read_counts_when_another_failed),
        cmocka_unit_test (older_or_second_word_of_cml_changes_nothing),
        cmocka_unit_test (late_words_about_a_stopped_worker_change_nothing),
        cmocka_unit_test (load_from_before_a_stop_is_not_the_load_after_it)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
