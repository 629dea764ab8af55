#include "worker_rig.h"

#define LABS                                                                                 \
    "{'labs':[{'lab_id':'a','title':'one','state':'STARTED','owner':'admin','node_count':3," \
    "'link_count':2,'created':null,'modified':null},{'lab_id':'b','state':'STOPPED'}]}"

static void
labs_are_listed_and_those_that_run_are_counted (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    assert_field (worker, cml_labs_count, "null");

    worker_change_t change = tell (worker, LABS_OBSERVED, LABS, 10);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_true (change.labs);
    assert_field (worker, cml_labs_count, "1");
    assert_field (worker, active_labs_count, "1");
    assert_int_equal (worker_labs_total (worker), 2);
    assert_int_equal (worker_labs_at (worker), AT (10));
    assert_non_null (strstr (worker_labs (worker), "\"title\":\"one\""));
    assert_field (worker, updated_at, AT_TEXT ("13:30"));
}

static void
lab_runs_by_its_state (void **state)
{
    (void) state;
    static const struct {
        const char *lab;
        const char *running;
    } ROWS [] = {{"{'state':'STARTED'}", "1"},
                 {"{'state':'BOOTED'}", "1"},
                 {"{'state':'QUEUED'}", "1"},
                 {"{'state':'STOPPED'}", "0"},
                 {"{'state':'DEFINED_ON_CORE'}", "0"},
                 {"{'state':'started'}", "0"},
                 {"{'state':null}", "0"},
                 {"{'state':5}", "0"},
                 {"{}", "0"},
                 {"'a'", "0"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        char data [100];
        snprintf (data, sizeof data, "{'labs':[%s]}", ROWS [i].lab);

        tell (worker, LABS_OBSERVED, data, 10);

        assert_field (worker, cml_labs_count, ROWS [i].running);
        assert_int_equal (worker_labs_total (worker), 1);
    }
}

static void
no_labs_is_a_count_of_0_and_not_unknown (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_change_t change = tell (worker, LABS_OBSERVED, "{'labs':[]}", 10);

    assert_true (change.labs);
    assert_field (worker, cml_labs_count, "0");
    assert_string_equal (worker_labs (worker), "[]");
}

static void
same_labs_later_are_no_news (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, LABS_OBSERVED, LABS, 10);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    worker_change_t change = tell (worker, LABS_OBSERVED, LABS, 20);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_false (change.labs);
    assert_true (field_set_is_empty (&change.fields));
    assert_unchanged (worker, before);
    assert_int_equal (worker_labs_at (worker), AT (20));
}

static void
older_labs_never_overwrite_newer (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, LABS_OBSERVED, LABS, 20);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    for (int64_t seconds = 19; seconds <= 20; seconds++) {
        worker_change_t change = tell (worker, LABS_OBSERVED, "{'labs':[]}", seconds);

        assert_int_equal (change.verdict, WORKER_NOT_NEWER);
        assert_false (change.labs);
    }
    assert_unchanged (worker, before);
    assert_int_equal (worker_labs_total (worker), 2);
}

static void
labs_that_could_not_be_read_stay (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, LABS_OBSERVED, LABS, 10);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    worker_change_t change = tell (worker, LABS_OBSERVED, "{'error_code':'http'}", 20);

    assert_int_equal (change.verdict, WORKER_NOT_SAID);
    assert_unchanged (worker, before);
    assert_int_equal (worker_labs_total (worker), 2);
    assert_int_equal (worker_labs_at (worker), AT (10));
}

static void
labs_and_system_have_each_their_own_order (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, SYSTEM_OBSERVED, "{'version':'2.9.0'}", 30);

    assert_int_equal (tell (worker, LABS_OBSERVED, LABS, 20).verdict, WORKER_APPLIED);

    assert_field (worker, cml_labs_count, "1");
    assert_field (worker, cml_last_synced_at, AT_TEXT ("13:50"));
}

static void
change_of_state_is_told_once_and_in_order_for_each_element (void **state)
{
    (void) state;
    static const struct {
        const char *data;
        int64_t seconds;
        worker_verdict_t verdict;
    } STEPS [] = {{"{'lab_id':'a','element_type':'node','element_id':'1','state':'QUEUED'}", 10,
                   WORKER_APPLIED},
                  {"{'lab_id':'a','element_type':'node','element_id':'1','state':'QUEUED'}", 10,
                   WORKER_NOT_NEWER},
                  {"{'lab_id':'a','element_type':'node','element_id':'1','state':'STOPPED'}", 9,
                   WORKER_NOT_NEWER},
                  {"{'lab_id':'a','element_type':'node','element_id':'2','state':'QUEUED'}", 10,
                   WORKER_APPLIED},
                  {"{'lab_id':'a','element_type':'link','element_id':'1','state':'STARTED'}", 10,
                   WORKER_APPLIED},
                  {"{'lab_id':'b','element_type':'node','element_id':'1','state':'QUEUED'}", 9,
                   WORKER_APPLIED},
                  {"{'lab_id':'a','element_type':'lab','state':'STARTED'}", 9, WORKER_APPLIED},
                  {"{'lab_id':'a','element_type':'node','element_id':'1','state':'BOOTED'}", 11,
                   WORKER_APPLIED}};
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    for (size_t i = 0; i < COUNT (STEPS); i++) {
        worker_change_t change =
            tell (worker, LAB_STATE_CHANGED, STEPS [i].data, STEPS [i].seconds);

        assert_int_equal (change.verdict, STEPS [i].verdict);
    }
    assert_unchanged (worker, before);
}

static void
last_elements_are_remembered_and_no_more (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    char data [64];

    for (int element = 0; element < WORKER_ELEMENTS; element++) {
        snprintf (data, sizeof data, "{'element_id':'%d'}", element);
        assert_int_equal (tell (worker, LAB_STATE_CHANGED, data, 10).verdict, WORKER_APPLIED);
    }
    for (int element = 0; element < WORKER_ELEMENTS; element++) {
        snprintf (data, sizeof data, "{'element_id':'%d'}", element);
        assert_int_equal (tell (worker, LAB_STATE_CHANGED, data, 10).verdict, WORKER_NOT_NEWER);
    }
    assert_int_equal (tell (worker, LAB_STATE_CHANGED, "{'element_id':'new'}", 10).verdict,
                      WORKER_APPLIED);

    //  The oldest made room.
    assert_int_equal (tell (worker, LAB_STATE_CHANGED, "{'element_id':'1'}", 10).verdict,
                      WORKER_NOT_NEWER);
    assert_int_equal (tell (worker, LAB_STATE_CHANGED, "{'element_id':'0'}", 10).verdict,
                      WORKER_APPLIED);
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (labs_are_listed_and_those_that_run_are_counted),
        cmocka_unit_test (lab_runs_by_its_state),
        cmocka_unit_test (no_labs_is_a_count_of_0_and_not_unknown),
        cmocka_unit_test (same_labs_later_are_no_news),
        cmocka_unit_test (older_labs_never_overwrite_newer),
        cmocka_unit_test (labs_that_could_not_be_read_stay),
        cmocka_unit_test (labs_and_system_have_each_their_own_order),
        cmocka_unit_test (change_of_state_is_told_once_and_in_order_for_each_element),
        cmocka_unit_test (last_elements_are_remembered_and_no_more)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
