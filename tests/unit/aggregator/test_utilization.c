#include "../../../aggregator/utilization.h"

#include "worker_rig.h"

//  One compute with these stats.
#define ONE(stats)         "{'computes':{'c1':{'stats':{" stats "}}}}"
#define TWO(first, second) "{'computes':{'c1':{'stats':{" first "}},'c2':{'stats':{" second "}}}}"

typedef struct row {
    const char *what, *stats;
    const char *cpu, *memory, *storage;  //  as JSON
} row_t;

static void
check_value (const row_t *row, const char *name, double value, const char *wanted)
{
    _cleanup_ (buffer_clear) buffer_t text = {0};
    json_writer_t json = json_writer (&text);

    json_put_number (&json, value);
    if (strcmp (text.data, wanted) != 0) {
        fail_msg ("%s: %s is %s, not %s", row->what, name, text.data, wanted);
    }
}

static void
check_rows (const row_t *rows, size_t count)
{
    for (const row_t *row = rows; row < rows + count; row++) {
        char stats [512];
        snprintf (stats, sizeof stats, "%s", row->stats);
        swap_quotes (stats, strlen (stats));
        _cleanup_ (json_doc_clear) json_doc_t doc = {0};
        reason_t why;
        assert_int_equal (json_doc_read (&doc, stats, strlen (stats), sizeof stats, &why), 0);

        utilization_t load = utilization_of_stats (json_doc_root (&doc));

        check_value (row, "cpu", load.cpu, row->cpu);
        check_value (row, "memory", load.memory, row->memory);
        check_value (row, "storage", load.storage, row->storage);
    }
}

static void
cpu_is_user_and_system_else_percent (void **state)
{
    (void) state;
    static const row_t ROWS [] = {
        {"sum", ONE ("'cpu':{'user_percent':5.3,'system_percent':2.625}"), "7.925", "null", "null"},
        {"sum before percent", ONE ("'cpu':{'user_percent':1,'system_percent':2,'percent':90}"),
         "3", "null", "null"},
        {"percent alone", ONE ("'cpu':{'count':48,'percent':7.9}"), "7.9", "null", "null"},
        {"user without system", ONE ("'cpu':{'user_percent':40,'percent':50}"), "50", "null",
         "null"},
        {"system without user", ONE ("'cpu':{'system_percent':40,'percent':50}"), "50", "null",
         "null"},
        {"half of the sum only", ONE ("'cpu':{'user_percent':40}"), "null", "null", "null"},
        {"user is null", ONE ("'cpu':{'user_percent':null,'system_percent':1,'percent':2}"), "2",
         "null", "null"},
        {"a measured zero", ONE ("'cpu':{'user_percent':0,'system_percent':0}"), "0", "null",
         "null"},
        {"nothing of it", ONE ("'cpu':{'count':48,'model':'Intel'}"), "null", "null", "null"}};

    check_rows (ROWS, COUNT (ROWS));
}

static void
memory_is_what_is_not_available_else_what_is_used (void **state)
{
    (void) state;
    static const row_t ROWS [] = {
        {"available", ONE ("'memory':{'total':200,'available':150}"), "null", "25", "null"},
        {"available before used", ONE ("'memory':{'total':200,'available':150,'used':180}"), "null",
         "25", "null"},
        {"used", ONE ("'memory':{'total':200,'used':30,'free':170}"), "null", "15", "null"},
        {"in KB", ONE ("'memory':{'total_kb':1000,'available_kb':900}"), "null", "10", "null"},
        {"total alone", ONE ("'memory':{'total':200}"), "null", "null", "null"},
        {"free is not available", ONE ("'memory':{'total':200,'free':100}"), "null", "null",
         "null"},
        {"no total", ONE ("'memory':{'used':30,'available':10}"), "null", "null", "null"},
        {"total of zero", ONE ("'memory':{'total':0,'used':0}"), "null", "null", "null"},
        {"total below zero", ONE ("'memory':{'total':-5,'used':1}"), "null", "null", "null"},
        {"all of it", ONE ("'memory':{'total':7,'available':0}"), "null", "100", "null"},
        {"none of it", ONE ("'memory':{'total':7,'available':7}"), "null", "0", "null"}};

    check_rows (ROWS, COUNT (ROWS));
}

static void
storage_is_what_is_used_of_the_disk (void **state)
{
    (void) state;
    static const row_t ROWS [] = {
        {"used", ONE ("'disk':{'total':400,'used':100,'free':300}"), "null", "null", "25"},
        {"capacity", ONE ("'disk':{'capacity_kb':1000,'size_kb':333}"), "null", "null", "33.3"},
        {"free alone", ONE ("'disk':{'total':400,'free':300}"), "null", "null", "null"},
        {"no total", ONE ("'disk':{'used':100}"), "null", "null", "null"},
        {"a third has three decimals", ONE ("'disk':{'total':3,'used':1}"), "null", "null",
         "33.333"}};

    check_rows (ROWS, COUNT (ROWS));
}

static void
several_computes_count_by_their_size (void **state)
{
    (void) state;
    static const row_t ROWS [] = {
        {"cpu by count", TWO ("'cpu':{'count':30,'percent':10}", "'cpu':{'count':10,'percent':50}"),
         "20", "null", "null"},
        {"no count is one", TWO ("'cpu':{'percent':10}", "'cpu':{'count':3,'percent':50}"), "40",
         "null", "null"},
        {"count of zero is one",
         TWO ("'cpu':{'count':0,'percent':10}", "'cpu':{'count':1,'percent':50}"), "30", "null",
         "null"},
        {"both ways of saying it",
         TWO ("'cpu':{'count':1,'user_percent':20,'system_percent':10}",
              "'cpu':{'count':1,'percent':50}"),
         "40", "null", "null"},
        {"memory by total",
         TWO ("'memory':{'total':300,'available':300}", "'memory':{'total':100,'used':100}"),
         "null", "25", "null"},
        {"disk by total", TWO ("'disk':{'total':900,'used':90}", "'disk':{'total':100,'used':60}"),
         "null", "null", "15"},
        {"one says nothing", TWO ("'cpu':{'count':99}", "'cpu':{'count':1,'percent':50}"), "50",
         "null", "null"},
        {"each says another thing", TWO ("'cpu':{'percent':5}", "'memory':{'total':2,'used':1}"),
         "5", "50", "null"}};

    check_rows (ROWS, COUNT (ROWS));
}

static void
result_is_never_outside_0_to_100 (void **state)
{
    (void) state;
    static const row_t ROWS [] = {{"too much",
                                   ONE ("'cpu':{'percent':250},'memory':{'total':1,'used':2},"
                                        "'disk':{'total':10,'used':10.001}"),
                                   "100", "100", "100"},
                                  {"too little",
                                   ONE ("'cpu':{'percent':-0.5},'memory':{'total':1,'available':2},"
                                        "'disk':{'total':10,'used':-1}"),
                                   "0", "0", "0"},
                                  {"huge",
                                   ONE ("'cpu':{'user_percent':1e308,'system_percent':1e308}"),
                                   "100", "null", "null"}};

    check_rows (ROWS, COUNT (ROWS));
}

static void
what_is_no_number_is_not_there (void **state)
{
    (void) state;
    static const row_t ROWS [] = {
        {"texts",
         ONE ("'cpu':{'percent':'50'},'memory':{'total':'2','used':'1'},"
              "'disk':{'total':2,'used':'1'}"),
         "null", "null", "null"},
        {"flags", ONE ("'cpu':{'percent':true},'disk':{'total':true,'used':true}"), "null", "null",
         "null"},
        {"a text for the sum", ONE ("'cpu':{'user_percent':'1','system_percent':2,'percent':9}"),
         "9", "null", "null"},
        {"a text for the count",
         TWO ("'cpu':{'count':'9','percent':0}", "'cpu':{'count':1,'percent':50}"), "25", "null",
         "null"},
        {"NaN", ONE ("'cpu':{'percent':NaN},'memory':{'total':Infinity,'used':1}"), "null", "null",
         "null"},
        {"arrays", ONE ("'cpu':[50],'memory':[],'disk':[1,2]"), "null", "null", "null"},
        {"nulls", ONE ("'cpu':null,'memory':null,'disk':null"), "null", "null", "null"}};

    check_rows (ROWS, COUNT (ROWS));
}

static void
absent_is_null_and_never_0 (void **state)
{
    (void) state;
    static const row_t ROWS [] = {
        {"empty", "{}", "null", "null", "null"},
        {"no computes", "{'computes':{}}", "null", "null", "null"},
        {"computes is an array", "{'computes':[{'stats':{'cpu':{'percent':5}}}]}", "null", "null",
         "null"},
        {"computes is null", "{'computes':null}", "null", "null", "null"},
        {"a compute is null", "{'computes':{'c1':null}}", "null", "null", "null"},
        {"a compute without stats", "{'computes':{'c1':{'hostname':'cml'}}}", "null", "null",
         "null"},
        {"empty stats", ONE (""), "null", "null", "null"},
        {"only the sum of all", "{'all':{'cpu':{'percent':7.9}}}", "null", "null", "null"},
        {"not an object", "[1,2]", "null", "null", "null"}};

    check_rows (ROWS, COUNT (ROWS));
    utilization_t load = utilization_of_stats (NULL);
    assert_true (isnan (load.cpu) && isnan (load.memory) && isnan (load.storage));
}

static void
clamp_leaves_unknown_unknown (void **state)
{
    (void) state;

    assert_true (isnan (utilization_clamp (UNKNOWN)));
    assert_float_equal (utilization_clamp (-0.001), 0, 0);
    assert_float_equal (utilization_clamp (100.001), 100, 0);
    assert_float_equal (utilization_clamp (7.925), 7.925, 0);
}

static void
percentage_is_written_as_it_was_measured (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    tell (worker, SYSTEM_OBSERVED,
          "{'system_stats':" ONE ("'cpu':{'count':48,'user_percent':5.3,'system_percent':2.625}"
                                  ",'memory':{'total':1000,'available':920.75}"
                                  ",'disk':{'total':1000,'used':79.25}") "}",
          10);

    assert_field (worker, cpu_utilization, "7.925");
    assert_field (worker, memory_utilization, "7.925");
    assert_field (worker, storage_utilization, "7.925");
    assert_field (worker, disk_utilization, "7.925");
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (cpu_is_user_and_system_else_percent),
        cmocka_unit_test (memory_is_what_is_not_available_else_what_is_used),
        cmocka_unit_test (storage_is_what_is_used_of_the_disk),
        cmocka_unit_test (several_computes_count_by_their_size),
        cmocka_unit_test (result_is_never_outside_0_to_100),
        cmocka_unit_test (what_is_no_number_is_not_there),
        cmocka_unit_test (absent_is_null_and_never_0),
        cmocka_unit_test (clamp_leaves_unknown_unknown),
        cmocka_unit_test (percentage_is_written_as_it_was_measured)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
