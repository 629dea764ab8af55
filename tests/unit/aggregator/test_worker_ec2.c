#include "worker_rig.h"

#define FULL                                                                                    \
    "{'state':'running','name':'cml-1','instance_type':'c5.2xlarge','image_id':'ami-1',"        \
    "'image_name':'cml','image_description':'CML "                                              \
    "2.9','image_creation_date':'2023-01-02T03:04:05Z',"                                        \
    "'public_ip':'203.0.113.7','private_ip':'10.0.0.7','detailed_monitoring':true,"             \
    "'tags':{'Name':'cml-1','team':'a'},'system_status':'ok','instance_status':'initializing'," \
    "'interval_seconds':30}"

static void
new_worker_has_its_identity_and_knows_nothing_else (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    char id [WORKER_ID_SIZE], text [WORKER_ID_SIZE + 2];
    worker_id_make (id, "us-east-1", "i-0abc");
    snprintf (text, sizeof text, "'%s'", id);

    assert_field (worker, worker_id, text);
    assert_field (worker, id, text);
    assert_field (worker, name, "'i-0abc'");
    assert_field (worker, region, "'us-east-1'");
    assert_field (worker, aws_instance_id, "'i-0abc'");
    assert_field (worker, status, "'unknown'");
    assert_field (worker, service_status, "'unavailable'");
    assert_field (worker, cpu_utilization, "null");
    assert_field (worker, cml_labs_count, "null");
    assert_field (worker, cml_ready, "null");
    assert_field (worker, ec2_freshness, "'absent'");
    assert_field (worker, created_at, AT_TEXT ("13:20"));
    assert_field (worker, auto_pause_count, "0");
    assert_false (worker_has_address (worker));
    assert_string_equal (worker_labs (worker), "[]");
}

static void
state_of_ec2_becomes_the_status_of_the_worker (void **state)
{
    (void) state;
    static const struct {
        const char *state, *status, *service;
        worker_status_t value;
    } ROWS [] = {
        {"pending", "'pending'", "'unavailable'", WORKER_PENDING},
        {"running", "'running'", "'starting'", WORKER_RUNNING},
        {"stopping", "'stopping'", "'unavailable'", WORKER_STOPPING},
        {"stopped", "'stopped'", "'unavailable'", WORKER_STOPPED},
        {"shutting-down", "'shutting-down'", "'unavailable'", WORKER_SHUTTING_DOWN},
        {"terminated", "'terminated'", "'unavailable'", WORKER_TERMINATED},
        {"rebooting-into-space", "'unknown'", "'unavailable'", WORKER_UNKNOWN},
        {"RUNNING", "'unknown'", "'unavailable'", WORKER_UNKNOWN},
        {"", "'unknown'", "'unavailable'", WORKER_UNKNOWN},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
        char data [64];
        snprintf (data, sizeof data, "{'state':'%s'}", ROWS [i].state);

        worker_change_t change = tell (worker, INSTANCE_OBSERVED, data, 10);

        assert_int_equal (change.verdict, WORKER_APPLIED);
        assert_int_equal (change.old_status, WORKER_UNKNOWN);
        assert_int_equal (worker_status (worker), ROWS [i].value);
        assert_field (worker, status, ROWS [i].status);
        assert_field (worker, service_status, ROWS [i].service);
    }
}

static void
every_status_has_a_name_of_its_own (void **state)
{
    (void) state;

    for (int status = 0; status < WORKER_STATUS_COUNT; status++) {
        const char *name = worker_status_name ((worker_status_t) status);
        assert_int_equal (worker_status_parse (name), status);
    }
    assert_int_equal (worker_status_parse ("Running"), WORKER_STATUS_COUNT);
}

static void
listing_tells_identity_image_network_and_checks (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();

    tell (worker, INSTANCE_OBSERVED, FULL, 10);

    assert_field (worker, name, "'cml-1'");
    assert_field (worker, instance_type, "'c5.2xlarge'");
    assert_field (worker, ami_id, "'ami-1'");
    assert_field (worker, ami_name, "'cml'");
    assert_field (worker, ami_description, "'CML 2.9'");
    assert_field (worker, ami_creation_date, "'2023-01-02T03:04:05.000Z'");
    assert_field (worker, public_ip, "'203.0.113.7'");
    assert_field (worker, private_ip, "'10.0.0.7'");
    assert_field (worker, aws_tags, "{'Name':'cml-1','team':'a'}");
    assert_field (worker, ec2_system_status_check, "'ok'");
    assert_field (worker, ec2_instance_state_detail, "'initializing'");
    assert_field (worker, cloudwatch_detailed_monitoring_enabled, "true");
    assert_field (worker, ec2_last_checked_at, AT_TEXT ("13:30"));
    assert_field (worker, ec2_freshness, "'fresh'");
    assert_field (worker, poll_interval, "30");
    assert_field (worker, next_refresh_at, AT_TEXT ("14:00"));
    assert_field (worker, updated_at, AT_TEXT ("13:30"));
}

static void
what_a_listing_leaves_out_stays_and_what_it_tells_replaces (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell (worker, INSTANCE_OBSERVED, FULL, 10);

    worker_change_t change =
        tell (worker, INSTANCE_OBSERVED, "{'instance_type':'m5.large','image_id':'ami-2'}", 20);

    assert_field (worker, instance_type, "'m5.large'");
    assert_field (worker, ami_id, "'ami-2'");
    assert_field (worker, ami_name, "'cml'");
    assert_field (worker, name, "'cml-1'");
    assert_field (worker, status, "'running'");
    assert_field (worker, public_ip, "'203.0.113.7'");
    assert_field (worker, aws_tags, "{'Name':'cml-1','team':'a'}");
    assert_true (field_set_has (&change.fields, SNAPSHOT_instance_type));
    assert_false (field_set_has (&change.fields, SNAPSHOT_ami_name));
}

static void
empty_name_is_no_name (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();

    tell (worker, INSTANCE_OBSERVED, "{'state':'running','name':''}", 10);

    assert_field (worker, name, "'i-0abc'");
}

static void
older_observation_never_overwrites_newer (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell (worker, INSTANCE_OBSERVED, FULL, 10);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    worker_change_t change = tell (worker, INSTANCE_OBSERVED,
                                   "{'state':'stopped','name':'old','interval_seconds':5}", 9);

    assert_int_equal (change.verdict, WORKER_NOT_NEWER);
    assert_true (field_set_is_empty (&change.fields));
    assert_unchanged (worker, before);
}

static void
second_copy_changes_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell (worker, INSTANCE_OBSERVED, FULL, 10);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    worker_change_t change = tell (worker, INSTANCE_OBSERVED, FULL, 10);

    assert_int_equal (change.verdict, WORKER_NOT_NEWER);
    assert_unchanged (worker, before);
}

static void
same_words_later_move_only_the_times_of_reading (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell (worker, INSTANCE_OBSERVED, FULL, 10);

    worker_change_t change = tell (worker, INSTANCE_OBSERVED, FULL, 40);

    field_set_t times = {0};
    field_set_add (&times, SNAPSHOT_ec2_last_checked_at);
    field_set_add (&times, SNAPSHOT_next_refresh_at);
    assert_memory_equal (&change.fields, &times, sizeof times);
    assert_field (worker, updated_at, AT_TEXT ("13:30"));
    assert_field (worker, ec2_last_checked_at, AT_TEXT ("14:00"));
}

static void
address_comes_and_goes_with_the_listing (void **state)
{
    (void) state;
    static const struct {
        const char *data;
        bool has;
        const char *public_ip, *private_ip;
    } STEPS [] = {{"{'state':'pending'}", false, "null", "null"},
                  {"{'state':'pending','private_ip':'10.0.0.7'}", true, "null", "'10.0.0.7'"},
                  {"{'state':'running','public_ip':'203.0.113.7','private_ip':'10.0.0.7'}", true,
                   "'203.0.113.7'", "'10.0.0.7'"},
                  {"{'system_status':'ok'}", true, "'203.0.113.7'", "'10.0.0.7'"},
                  {"{'state':'running','public_ip':'203.0.113.8'}", true, "'203.0.113.8'", "null"},
                  {"{'state':'stopped','public_ip':'','private_ip':''}", false, "null", "null"}};
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();

    for (size_t i = 0; i < COUNT (STEPS); i++) {
        tell (worker, INSTANCE_OBSERVED, STEPS [i].data, 10 + (int64_t) i);

        assert_int_equal (worker_has_address (worker), STEPS [i].has);
        assert_field (worker, public_ip, STEPS [i].public_ip);
        assert_field (worker, private_ip, STEPS [i].private_ip);
    }
}

static void
transition_times_stand_while_the_transition_lasts (void **state)
{
    (void) state;
    static const struct {
        const char *state, *start, *stop, *terminated;
    } STEPS [] = {{"pending", AT_TEXT ("13:30"), "null", "null"},
                  {"pending", AT_TEXT ("13:30"), "null", "null"},
                  {"running", "null", "null", "null"},
                  {"stopping", "null", AT_TEXT ("13:33"), "null"},
                  {"stopping", "null", AT_TEXT ("13:33"), "null"},
                  {"stopped", "null", "null", "null"},
                  {"pending", AT_TEXT ("13:36"), "null", "null"},
                  {"stopping", "null", AT_TEXT ("13:37"), "null"},
                  {"shutting-down", "null", AT_TEXT ("13:37"), "null"},
                  {"terminated", "null", "null", AT_TEXT ("13:39")},
                  {"terminated", "null", "null", AT_TEXT ("13:39")},
                  {"pending", AT_TEXT ("13:41"), "null", "null"}};
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();

    for (size_t i = 0; i < COUNT (STEPS); i++) {
        char data [64];
        snprintf (data, sizeof data, "{'state':'%s'}", STEPS [i].state);

        tell (worker, INSTANCE_OBSERVED, data, 10 + (int64_t) i);

        assert_field (worker, start_initiated_at, STEPS [i].start);
        assert_field (worker, stop_initiated_at, STEPS [i].stop);
        assert_field (worker, terminated_at, STEPS [i].terminated);
    }
}

static void
stop_does_not_touch_what_cloudwatch_and_cml_said_last (void **state)
{
    (void) state;
    static const snapshot_group_t THEIRS [] = {
        SNAPSHOT_GROUP_CLOUDWATCH, SNAPSHOT_GROUP_CLOUDWATCH_QUIET, SNAPSHOT_GROUP_CML,
        SNAPSHOT_GROUP_CML_QUIET,  SNAPSHOT_GROUP_LICENSE,          SNAPSHOT_GROUP_ACTIVITY};
    static const char *const DOWN [] = {"stopping", "stopped", "shutting-down", "terminated"};

    for (size_t i = 0; i < COUNT (DOWN); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        char data [64];
        snprintf (data, sizeof data, "{'state':'%s'}", DOWN [i]);
        tell (worker, UTILIZATION_OBSERVED, "{'cpu_percent':12,'memory_percent':34}", 10);
        tell (worker, SYSTEM_OBSERVED,
              "{'endpoint':'https://a','version':'2.9.0','ready':true,'uptime_seconds':77,"
              "'system_health':{'valid':true},"
              "'licensing':{'registration':{'status':'EVALUATION'}}}",
              10);
        tell (worker, LABS_OBSERVED, "{'labs':[{'lab_id':'a','state':'STARTED'}]}", 10);

        worker_change_t change = tell (worker, INSTANCE_OBSERVED, data, 20);

        for (size_t j = 0; j < COUNT (THEIRS); j++) {
            assert_false (field_set_has_group (&change.fields, THEIRS [j]));
        }
        assert_false (change.labs);
        assert_field (worker, cloudwatch_cpu_utilization, "12");
        assert_field (worker, cml_version, "'2.9.0'");
        assert_field (worker, cml_ready, "true");
        assert_field (worker, cml_labs_count, "1");
        assert_field (worker, cpu_utilization, "null");
        assert_field (worker, https_endpoint, "null");
        assert_field (worker, cml_freshness, "'absent'");
        assert_field (worker, cloudwatch_freshness, "'absent'");
    }
}

static void
worker_that_is_gone_is_terminated (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_change_t change = worker_terminate (worker, AT (20));

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_int_equal (change.old_status, WORKER_RUNNING);
    assert_field (worker, status, "'terminated'");
    assert_field (worker, terminated_at, AT_TEXT ("13:40"));
    assert_field (worker, ec2_freshness, "'absent'");
    assert_int_equal (worker_stale_at (worker), INT64_MAX);
}

static void
absence_that_is_older_than_the_last_listing_is_no_end (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell (worker, INSTANCE_OBSERVED, FULL, 20);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    assert_int_equal (worker_terminate (worker, AT (19)).verdict, WORKER_NOT_NEWER);
    assert_int_equal (worker_terminate (worker, AT (20)).verdict, WORKER_NOT_NEWER);

    assert_unchanged (worker, before);
}

static void
listing_that_is_older_than_the_absence_brings_nobody_back (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_terminate (worker, AT (20));
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    worker_change_t change = tell (worker, INSTANCE_OBSERVED, FULL, 19);

    assert_int_equal (change.verdict, WORKER_NOT_NEWER);
    assert_unchanged (worker, before);
}

static void
worker_that_is_listed_again_was_not_terminated (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_terminate (worker, AT (20));

    worker_change_t change = tell (worker, INSTANCE_OBSERVED, FULL, 30);
    worker_spoke (worker, &change, 30, 0);

    assert_field (worker, status, "'running'");
    assert_field (worker, terminated_at, "null");
    assert_field (worker, ec2_freshness, "'fresh'");
    assert_int_equal (worker_stale_at (worker), 90 * SECOND_US);
}

static void
status_check_that_failed_keeps_the_last_and_the_listing_counts (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = new_worker ();
    tell (worker, INSTANCE_OBSERVED, FULL, 10);

    tell (worker, INSTANCE_OBSERVED,
          "{'state':'stopping','system_status':'impaired','error_code':'RequestLimitExceeded',"
          "'error_message':'slow down'}",
          20);

    assert_field (worker, status, "'stopping'");
    assert_field (worker, ec2_system_status_check, "'ok'");
    assert_field (worker, ec2_last_checked_at, AT_TEXT ("13:30"));
    assert_field (worker, ec2_freshness, "'error'");
    assert_string_equal (worker_source_error (worker, SOURCE_EC2),
                         "RequestLimitExceeded: slow down");
}

static void
action_of_ours_shows_before_ec2_tells_of_it (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_change_t change = worker_update_status (worker, WORKER_STOPPING, AT (20));

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_field (worker, status, "'stopping'");
    assert_field (worker, stop_initiated_at, AT_TEXT ("13:40"));
    assert_field (worker, ec2_last_checked_at, AT_TEXT ("13:21"));
    assert_int_equal (worker_update_status (worker, WORKER_RUNNING, AT (20)).verdict,
                      WORKER_NOT_NEWER);
    assert_field (worker, status, "'stopping'");
}

static void
listing_seen_before_our_action_does_not_undo_it (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    worker_update_status (worker, WORKER_STOPPING, AT (20));

    tell (worker, INSTANCE_OBSERVED, "{'state':'running','name':'cml-1'}", 19);

    assert_field (worker, status, "'stopping'");
    assert_field (worker, name, "'cml-1'");
    tell (worker, INSTANCE_OBSERVED, "{'state':'stopped'}", 21);
    assert_field (worker, status, "'stopped'");
}

static void
interval_that_cannot_be_is_not_believed (void **state)
{
    (void) state;
    static const char *const DATA [] = {"{'interval_seconds':0}", "{'interval_seconds':-30}",
                                        "{'interval_seconds':9223372036854775807}"};

    for (size_t i = 0; i < COUNT (DATA); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

        tell (worker, INSTANCE_OBSERVED, DATA [i], 10);

        assert_field (worker, poll_interval, "null");
        assert_field (worker, next_refresh_at, "null");
    }
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (new_worker_has_its_identity_and_knows_nothing_else),
        cmocka_unit_test (state_of_ec2_becomes_the_status_of_the_worker),
        cmocka_unit_test (every_status_has_a_name_of_its_own),
        cmocka_unit_test (listing_tells_identity_image_network_and_checks),
        cmocka_unit_test (what_a_listing_leaves_out_stays_and_what_it_tells_replaces),
        cmocka_unit_test (empty_name_is_no_name),
        cmocka_unit_test (older_observation_never_overwrites_newer),
        cmocka_unit_test (second_copy_changes_nothing),
        cmocka_unit_test (same_words_later_move_only_the_times_of_reading),
        cmocka_unit_test (address_comes_and_goes_with_the_listing),
        cmocka_unit_test (transition_times_stand_while_the_transition_lasts),
        cmocka_unit_test (stop_does_not_touch_what_cloudwatch_and_cml_said_last),
        cmocka_unit_test (worker_that_is_gone_is_terminated),
        cmocka_unit_test (absence_that_is_older_than_the_last_listing_is_no_end),
        cmocka_unit_test (listing_that_is_older_than_the_absence_brings_nobody_back),
        cmocka_unit_test (worker_that_is_listed_again_was_not_terminated),
        cmocka_unit_test (status_check_that_failed_keeps_the_last_and_the_listing_counts),
        cmocka_unit_test (action_of_ours_shows_before_ec2_tells_of_it),
        cmocka_unit_test (listing_seen_before_our_action_does_not_undo_it),
        cmocka_unit_test (interval_that_cannot_be_is_not_believed)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
