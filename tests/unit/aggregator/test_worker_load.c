#include "worker_rig.h"

#define CML_SAYS(stats) "{'system_stats':{'computes':{'c':{'stats':{" stats "}}}}}"
#define CML_ALL \
    CML_SAYS ("'cpu':{'percent':1},'memory':{'total':100,'used':2},'disk':{'total':100,'used':3}")
#define CLOUDWATCH_ALL "{'cpu_percent':11,'memory_percent':12,'disk_percent':13}"
#define OTHER_ALL      "{'cpu_percent':21,'memory_percent':22,'disk_percent':23}"

static char *
others_of (const worker_t *worker)
{
    buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    worker_write_others (worker, &json);
    swap_quotes (text.data, text.size);
    return text.data;
}

static void
cloudwatch_tells_its_fields (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_change_t change = tell (worker, UTILIZATION_OBSERVED, CLOUDWATCH_ALL, 10);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_int_equal (change.by, SOURCE_CLOUDWATCH);
    assert_field (worker, cloudwatch_cpu_utilization, "11");
    assert_field (worker, cloudwatch_memory_utilization, "12");
    assert_field (worker, cloudwatch_last_collected_at, AT_TEXT ("13:30"));
    assert_field (worker, cloudwatch_freshness, "'fresh'");
    assert_field (worker, cpu_utilization, "11");
    assert_field (worker, memory_utilization, "12");
    assert_field (worker, storage_utilization, "13");
    assert_field (worker, disk_utilization, "13");
}

static void
value_that_was_not_measured_is_null (void **state)
{
    (void) state;
    static const struct {
        const char *data, *cpu, *memory, *storage;
    } ROWS [] = {
        {"{}", "null", "null", "null"},
        {"{'cpu_percent':null,'memory_percent':null}", "null", "null", "null"},
        {"{'cpu_percent':0}", "0", "null", "null"},
        {"{'memory_percent':40.1254}", "null", "40.125", "null"},
        {"{'disk_percent':7.925}", "null", "null", "7.925"},
        {"{'cpu_percent':100.4,'memory_percent':-3,'disk_percent':1e300}", "100", "0", "100"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

        tell (worker, UTILIZATION_OBSERVED, ROWS [i].data, 10);

        assert_field (worker, cloudwatch_cpu_utilization, ROWS [i].cpu);
        assert_field (worker, cloudwatch_memory_utilization, ROWS [i].memory);
        assert_field (worker, cpu_utilization, ROWS [i].cpu);
        assert_field (worker, memory_utilization, ROWS [i].memory);
        assert_field (worker, storage_utilization, ROWS [i].storage);
        assert_field (worker, cloudwatch_freshness, "'fresh'");
    }
}

static void
value_that_is_not_measured_any_more_becomes_null (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, UTILIZATION_OBSERVED, CLOUDWATCH_ALL, 10);

    tell (worker, UTILIZATION_OBSERVED, "{'cpu_percent':15}", 20);

    assert_field (worker, cloudwatch_cpu_utilization, "15");
    assert_field (worker, cloudwatch_memory_utilization, "null");
    assert_field (worker, memory_utilization, "null");
    assert_field (worker, storage_utilization, "null");
}

static void
failed_read_of_cloudwatch_leaves_its_last_values (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, UTILIZATION_OBSERVED, CLOUDWATCH_ALL, 10);

    tell (worker, UTILIZATION_OBSERVED, "{'error_code':'Throttling','cpu_percent':99}", 20);

    assert_field (worker, cloudwatch_cpu_utilization, "11");
    assert_field (worker, cloudwatch_memory_utilization, "12");
    assert_field (worker, cpu_utilization, "11");
    assert_field (worker, cloudwatch_last_collected_at, AT_TEXT ("13:30"));
    assert_field (worker, cloudwatch_freshness, "'error'");
    assert_string_equal (worker_source_error (worker, SOURCE_CLOUDWATCH), "Throttling");
}

static void
older_or_second_word_of_cloudwatch_changes_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, UTILIZATION_OBSERVED, CLOUDWATCH_ALL, 20);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    for (int64_t seconds = 19; seconds <= 20; seconds++) {
        worker_change_t change = tell (worker, UTILIZATION_OBSERVED, "{'cpu_percent':1}", seconds);
        assert_int_equal (change.verdict, WORKER_NOT_NEWER);
    }
    assert_unchanged (worker, before);
}

static void
late_word_about_a_stopped_worker_changes_nothing (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, INSTANCE_OBSERVED, "{'state':'stopped'}", 10);
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);

    worker_change_t watched = tell (worker, UTILIZATION_OBSERVED, CLOUDWATCH_ALL, 20);
    worker_change_t other = tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, OTHER_ALL, 20);

    assert_int_equal (watched.verdict, WORKER_NOT_RUNNING);
    assert_int_equal (other.verdict, WORKER_NOT_RUNNING);
    assert_unchanged (worker, before);
}

static void
cml_comes_first_then_cloudwatch_then_others (void **state)
{
    (void) state;
    static const struct {
        const char *cml, *cloudwatch, *other;  //  null: silent
        const char *cpu, *memory, *storage;
    } ROWS [] = {//  all
                 {CML_ALL, CLOUDWATCH_ALL, OTHER_ALL, "1", "2", "3"},
                 //  no cml
                 {NULL, CLOUDWATCH_ALL, OTHER_ALL, "11", "12", "13"},
                 //  only another
                 {NULL, NULL, OTHER_ALL, "21", "22", "23"},
                 //  only cml
                 {CML_ALL, NULL, NULL, "1", "2", "3"},
                 //  nobody
                 {NULL, NULL, NULL, "null", "null", "null"},
                 //  cml without stats
                 {"{'version':'2.9.0'}", CLOUDWATCH_ALL, NULL, "11", "12", "13"},
                 //  each a part
                 {CML_SAYS ("'cpu':{'percent':1}"), "{'memory_percent':12}", "{'disk_percent':23}",
                  "1", "12", "23"},
                 //  a measured zero counts
                 {CML_SAYS ("'cpu':{'percent':0}"), CLOUDWATCH_ALL, OTHER_ALL, "0", "12", "13"},
                 //  cloudwatch says nothing
                 {NULL, "{}", OTHER_ALL, "21", "22", "23"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        if (ROWS [i].other) {
            tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, ROWS [i].other, 10);
        }
        if (ROWS [i].cloudwatch) {
            tell (worker, UTILIZATION_OBSERVED, ROWS [i].cloudwatch, 10);
        }
        if (ROWS [i].cml) {
            tell (worker, SYSTEM_OBSERVED, ROWS [i].cml, 10);
        }

        assert_field (worker, cpu_utilization, ROWS [i].cpu);
        assert_field (worker, memory_utilization, ROWS [i].memory);
        assert_field (worker, storage_utilization, ROWS [i].storage);
    }
}

static void
configured_order_is_followed (void **state)
{
    (void) state;
    static const struct {
        const char *order, *cpu;
    } ROWS [] = {{"cml, cloudwatch, *", "1"},
                 {"cloudwatch, cml, *", "11"},
                 {"*, cml", "21"},
                 {"agent2, cml, *", "31"},
                 {"*", "21"},
                 {"cloudwatch", "11"},
                 {"nobody, agent2, *", "31"},
                 {"nobody", "null"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        worker_rules_t rules = {.idle = IDLE_RULES_DEFAULT, .service_failures = 2};
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        assert_int_equal (load_order_parse (&rules.load_order, ROWS [i].order, NULL), 0);
        worker_set_rules (worker, &rules);

        tell (worker, SYSTEM_OBSERVED, CML_ALL, 10);
        tell (worker, UTILIZATION_OBSERVED, CLOUDWATCH_ALL, 10);
        tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, OTHER_ALL, 10);
        tell_from (worker, "agent2", EVENT_UTILIZATION_OBSERVED, "{'cpu_percent':31}", 10);

        assert_field (worker, cpu_utilization, ROWS [i].cpu);
    }
}

static void
another_kind_is_kept_apart (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_change_t change = tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, OTHER_ALL, 10);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_int_equal (change.by, SOURCE_OTHER);
    assert_string_equal (change.by_kind, "agent");
    assert_field (worker, cpu_utilization, "21");
    assert_field (worker, cloudwatch_cpu_utilization, "null");
    assert_field (worker, cloudwatch_freshness, "'absent'");
    _cleanup_ (string_destroy) char *others = others_of (worker);
    assert_string_equal (
        others, "[{'kind':'agent','cpu_utilization':21,'memory_utilization':22,"
                "'storage_utilization':23,'observed_at':" AT_TEXT ("13:30") ",'counts':true}]");
}

static void
each_other_kind_has_its_own_order_in_time (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, "{'cpu_percent':21}", 20);

    worker_change_t older =
        tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, "{'cpu_percent':99}", 19);
    worker_change_t same =
        tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, "{'cpu_percent':99}", 20);
    worker_change_t another =
        tell_from (worker, "agent2", EVENT_UTILIZATION_OBSERVED, "{'memory_percent':32}", 5);

    assert_int_equal (older.verdict, WORKER_NOT_NEWER);
    assert_int_equal (same.verdict, WORKER_NOT_NEWER);
    assert_int_equal (another.verdict, WORKER_APPLIED);
    assert_field (worker, cpu_utilization, "21");
    assert_field (worker, memory_utilization, "32");
}

static void
failed_read_of_another_kind_leaves_its_last_value (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, OTHER_ALL, 10);

    tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, "{'error_code':'x'}", 20);

    assert_field (worker, cpu_utilization, "21");
}

static void
other_kinds_are_bounded (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    char kind [16];

    for (int i = 0; i < WORKER_KINDS_MAX; i++) {
        snprintf (kind, sizeof kind, "agent%d", i);
        assert_int_equal (
            tell_from (worker, kind, EVENT_UTILIZATION_OBSERVED, "{'disk_percent':1}", 10).verdict,
            WORKER_APPLIED);
    }
    _cleanup_ (string_destroy) char *before = snapshot_text (worker);
    worker_change_t refused =
        tell_from (worker, "one-more", EVENT_UTILIZATION_OBSERVED, OTHER_ALL, 20);
    worker_change_t known = tell_from (worker, "agent0", EVENT_UTILIZATION_OBSERVED, "{}", 20);

    assert_int_equal (refused.verdict, WORKER_NOT_SAID);
    assert_int_equal (known.verdict, WORKER_APPLIED);
    assert_unchanged (worker, before);
}

static void
others_count_again_only_when_they_spoke_after_a_stop (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, OTHER_ALL, 10);
    tell (worker, UTILIZATION_OBSERVED, CLOUDWATCH_ALL, 10);
    tell (worker, INSTANCE_OBSERVED, "{'state':'stopped'}", 20);
    tell (worker, INSTANCE_OBSERVED, "{'state':'running'}", 30);
    assert_field (worker, cpu_utilization, "null");

    tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, "{'error_code':'x'}", 40);
    tell (worker, UTILIZATION_OBSERVED, "{'error_code':'Throttling'}", 40);
    assert_field (worker, cpu_utilization, "null");
    assert_field (worker, cloudwatch_cpu_utilization, "11");
    tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED, OTHER_ALL, 50);

    assert_field (worker, cpu_utilization, "21");
}

static void
telemetry_of_old_agents_counts_as_cloudwatch (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    worker_change_t change =
        tell (worker, WORKER_TELEMETRY_OBSERVED,
              "{'cpu_utilization':7.925,'memory_utilization':40,'active_labs_count':3}", 10);

    assert_int_equal (change.verdict, WORKER_APPLIED);
    assert_field (worker, cloudwatch_cpu_utilization, "7.925");
    assert_field (worker, cloudwatch_memory_utilization, "40");
    assert_field (worker, cpu_utilization, "7.925");
    assert_field (worker, cml_labs_count, "3");
    assert_field (worker, active_labs_count, "3");
    assert_field (worker, cml_freshness, "'absent'");
}

static void
telemetry_never_overrules_the_labs_that_cml_told (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, LABS_OBSERVED, "{'labs':[]}", 10);

    tell (worker, WORKER_TELEMETRY_OBSERVED, "{'cpu_utilization':1,'active_labs_count':3}", 20);

    assert_field (worker, cml_labs_count, "0");
    assert_field (worker, cpu_utilization, "1");
}

static void
failed_telemetry_leaves_the_last_values (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, WORKER_TELEMETRY_OBSERVED, "{'cpu_utilization':5,'active_labs_count':3}", 10);

    tell (worker, WORKER_TELEMETRY_OBSERVED, "{'error_code':'timeout','error_message':'5 s'}", 20);

    assert_field (worker, cloudwatch_cpu_utilization, "5");
    assert_field (worker, cpu_utilization, "5");
    assert_field (worker, cml_labs_count, "3");
    assert_field (worker, cloudwatch_freshness, "'error'");
    assert_string_equal (worker_source_error (worker, SOURCE_CLOUDWATCH), "timeout: 5 s");
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (cloudwatch_tells_its_fields),
        cmocka_unit_test (value_that_was_not_measured_is_null),
        cmocka_unit_test (value_that_is_not_measured_any_more_becomes_null),
        cmocka_unit_test (failed_read_of_cloudwatch_leaves_its_last_values),
        cmocka_unit_test (older_or_second_word_of_cloudwatch_changes_nothing),
        cmocka_unit_test (late_word_about_a_stopped_worker_changes_nothing),
        cmocka_unit_test (cml_comes_first_then_cloudwatch_then_others),
        cmocka_unit_test (configured_order_is_followed),
        cmocka_unit_test (another_kind_is_kept_apart),
        cmocka_unit_test (each_other_kind_has_its_own_order_in_time),
        cmocka_unit_test (failed_read_of_another_kind_leaves_its_last_value),
        cmocka_unit_test (other_kinds_are_bounded),
        cmocka_unit_test (others_count_again_only_when_they_spoke_after_a_stop),
        cmocka_unit_test (telemetry_of_old_agents_counts_as_cloudwatch),
        cmocka_unit_test (telemetry_never_overrules_the_labs_that_cml_told),
        cmocka_unit_test (failed_telemetry_leaves_the_last_values)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
