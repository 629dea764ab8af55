#include "../../../gateway/filter.h"

#include "gateway_rig.h"

static filter_t
filter_with (const char *name, const char *value)
{
    filter_t filter;
    reason_t why = {""};

    filter_init (&filter, 30);
    if (filter_set (&filter, name, value, &why) != 0) {
        fail_msg ("%s=%s: %s", name, value, why.text);
    }
    return filter;
}

static void
everything_is_wanted_unless_something_is_said (void **state)
{
    (void) state;
    filter_t filter;

    filter_init (&filter, 30);

    for (int type = 0; type < EVENT_TYPE_COUNT; type++) {
        assert_true (filter_wants (&filter, (event_type_t) type, "us-east-1", WORKER_A));
    }
    assert_true (filter.state);
    assert_int_equal (filter.heartbeat_seconds, 30);
}

static void
types_are_wanted_by_name_by_prefix_and_by_topic (void **state)
{
    (void) state;
    static const struct {
        const char *name, *value;
        event_type_t type;
        bool wanted;
    } ROWS [] = {
        {"event_types", "worker.created", EVENT_WORKER_CREATED, true},
        {"event_types", "worker.created", EVENT_WORKER_SNAPSHOT, false},
        {"event_types", "worker.created,system.stats", EVENT_SYSTEM_STATS, true},
        {"event_types", "worker.*", EVENT_WORKER_SNAPSHOT, true},
        {"event_types", "worker.*", EVENT_SYSTEM_STATS, false},
        {"event_types", "worker.lab*", EVENT_WORKER_LABS_UPDATED, true},
        {"topics", "workers", EVENT_WORKER_CREATED, true},
        {"topics", "workers", EVENT_SYSTEM_STATS, false},
        {"topics", "system_stats,workers", EVENT_SYSTEM_STATS, true},
        {"topics", "jobs", EVENT_JOB_SUBMITTED, true},
        {"topics", "jobs", EVENT_WORKER_CREATED, false},
        {"topics", "jobs:progress", EVENT_JOB_SUBMITTED, false},
        {"topics", "jobs:status", EVENT_JOB_CANCELLED, true},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        filter_t filter = filter_with (ROWS [i].name, ROWS [i].value);

        if (filter_wants (&filter, ROWS [i].type, "us-east-1", WORKER_A) != ROWS [i].wanted) {
            fail_msg ("%s=%s: %s", ROWS [i].name, ROWS [i].value, event_type_name (ROWS [i].type));
        }
    }
}

static void
regions_and_workers_choose_what_is_of_a_worker_and_leave_the_rest (void **state)
{
    (void) state;
    filter_t regions = filter_with ("regions", "eu-west-1,us-east-1");
    filter_t workers = filter_with ("worker_ids", WORKER_A);

    assert_true (filter_wants (&regions, EVENT_WORKER_CREATED, "us-east-1", WORKER_B));
    assert_false (filter_wants (&regions, EVENT_WORKER_CREATED, "us-east-2", WORKER_B));
    assert_true (filter_wants (&workers, EVENT_WORKER_CREATED, "us-east-2", WORKER_A));
    assert_false (filter_wants (&workers, EVENT_WORKER_CREATED, "us-east-2", WORKER_B));
    assert_true (filter_wants (&regions, EVENT_SYSTEM_STATS, "", ""));
    assert_true (filter_wants (&workers, EVENT_SYSTEM_STATS, "", ""));
}

static void
heartbeat_and_state_are_read (void **state)
{
    (void) state;

    assert_int_equal (filter_with ("heartbeat", "1").heartbeat_seconds, 1);
    assert_int_equal (filter_with ("heartbeat", "60").heartbeat_seconds, 60);
    assert_false (filter_with ("state", "0").state);
    assert_true (filter_with ("state", "1").state);
    assert_string_equal (filter_with ("client", "wall 3").client, "wall 3");
}

static void
bad_parameter_is_named (void **state)
{
    (void) state;
    static const struct {
        const char *name, *value;
    } ROWS [] = {{"event_types", "worker.exploded"},
                 {"event_types", "instance.observed"},
                 {"event_types", ""},
                 {"topics", "everything"},
                 {"topics", ""},
                 {"worker_ids", "i-0abc"},
                 {"worker_ids", ""},
                 {"regions", ""},
                 {"heartbeat", "0"},
                 {"heartbeat", "61"},
                 {"heartbeat", "5s"},
                 {"heartbeat", ""},
                 {"state", "maybe"},
                 {"nonsense", "1"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        filter_t filter;
        reason_t why = {""};
        filter_init (&filter, 30);

        int rc = filter_set (&filter, ROWS [i].name, ROWS [i].value, &why);

        if (rc >= 0 || !strstr (why.text, ROWS [i].name)) {
            fail_msg ("%s=%s: %d %s", ROWS [i].name, ROWS [i].value, rc, why.text);
        }
    }
}

static void
names_are_bounded (void **state)
{
    (void) state;
    filter_t filter;
    reason_t why = {""};
    char regions [2000] = "r0";

    for (int i = 1; i <= FILTER_NAMES_MAX; i++) {
        size_t used = strlen (regions);
        snprintf (regions + used, sizeof regions - used, ",r%d", i);
    }
    filter_init (&filter, 30);

    assert_true (filter_set (&filter, "regions", regions, &why) < 0);
    assert_non_null (strstr (why.text, "64"));
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (everything_is_wanted_unless_something_is_said),
        cmocka_unit_test (types_are_wanted_by_name_by_prefix_and_by_topic),
        cmocka_unit_test (regions_and_workers_choose_what_is_of_a_worker_and_leave_the_rest),
        cmocka_unit_test (heartbeat_and_state_are_read),
        cmocka_unit_test (bad_parameter_is_named),
        cmocka_unit_test (names_are_bounded)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
