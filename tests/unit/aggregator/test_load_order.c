#include "../../../aggregator/load_order.h"

#include "worker_rig.h"

static void
order_is_read_with_or_without_blanks (void **state)
{
    (void) state;
    static const char *const TEXTS [] = {"cml, cloudwatch, *", "cml,cloudwatch,*",
                                         "  cml ,\tcloudwatch , * "};

    for (size_t i = 0; i < COUNT (TEXTS); i++) {
        load_order_t order = {0};
        reason_t why = {""};

        assert_int_equal (load_order_parse (&order, TEXTS [i], &why), 0);

        assert_int_equal (order.count, 3);
        assert_string_equal (order.kinds [0], "cml");
        assert_string_equal (order.kinds [1], "cloudwatch");
        assert_string_equal (order.kinds [2], "*");
    }
}

static void
wrong_order_is_named_and_changes_nothing (void **state)
{
    (void) state;
    static const struct {
        const char *text, *says;
    } ROWS [] = {{"", "is no kind"},
                 {"cml,", "is no kind"},
                 {"cml,,*", "is no kind"},
                 {"cml cloudwatch", "comma"},
                 {"cml,cml", "twice"},
                 {"a,b,c,d,e,f,g,h,i", "more than 8"},
                 {"a-kind-of-collector-with-a-much-too-long-name", "is no kind"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        load_order_t order = {.count = 1, .kinds = {"cml"}};
        reason_t why = {""};

        int rc = load_order_parse (&order, ROWS [i].text, &why);

        assert_true (rc < 0);
        if (!strstr (why.text, ROWS [i].says) || !strstr (why.text, "utilization_precedence")) {
            fail_msg ("%s: %s", ROWS [i].text, why.text);
        }
        assert_int_equal (order.count, 1);
    }
}

static void
first_of_the_order_that_knows_a_value_gives_it (void **state)
{
    (void) state;
    static const struct {
        const char *order, *cpu, *memory, *storage;
    } ROWS [] = {{"cml, cloudwatch, *", "50", "20", "70"}, {"cloudwatch, cml, *", "30", "20", "70"},
                 {"*, cloudwatch, cml", "11", "20", "70"}, {"agent, cml", "11", "null", "70"},
                 {"cloudwatch", "30", "20", "null"},       {"nobody", "null", "null", "null"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        worker_rules_t rules = {.idle = IDLE_RULES_DEFAULT, .service_failures = 2};
        reason_t why = {""};
        assert_int_equal (load_order_parse (&rules.load_order, ROWS [i].order, &why), 0);
        _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
        worker_set_rules (worker, &rules);

        tell (
            worker, SYSTEM_OBSERVED,
            "{'reachable':true,'system_stats':{'computes':{'a':{'stats':{'cpu':{'percent':50}}}}}}",
            2);
        tell (worker, UTILIZATION_OBSERVED, "{'cpu_percent':30,'memory_percent':20}", 3);
        tell_from (worker, "agent", EVENT_UTILIZATION_OBSERVED,
                   "{'cpu_percent':11,'disk_percent':70}", 4);

        assert_field (worker, cpu_utilization, ROWS [i].cpu);
        assert_field (worker, memory_utilization, ROWS [i].memory);
        assert_field (worker, storage_utilization, ROWS [i].storage);
    }
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (order_is_read_with_or_without_blanks),
        cmocka_unit_test (wrong_order_is_named_and_changes_nothing),
        cmocka_unit_test (first_of_the_order_that_knows_a_value_gives_it)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
