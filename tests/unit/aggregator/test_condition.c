#include "../../../aggregator/condition.h"

#include "worker_rig.h"

//  Runs, with a CPU of 95 %, a disk nobody has read, its CML not ready, one lab running.
static worker_t *
busy_worker (void)
{
    worker_t *worker = running_worker ();

    tell (worker, UTILIZATION_OBSERVED, "{'cpu_percent':95,'interval_seconds':60}", 2);
    return worker;
}

static bool
holds (const worker_t *worker, const char *text)
{
    reason_t why = {""};
    _cleanup_ (condition_destroy) condition_t *condition = condition_parse (text, &why);

    if (!condition) {
        fail_msg ("%s: %s", text, why.text);
        return false;
    }
    condition_facts_t facts = condition_facts (worker);
    return condition_holds (condition, &facts);
}

static void
condition_holds_when_each_of_its_terms_does (void **state)
{
    (void) state;
    static const struct {
        const char *text;
        bool holds;
    } ROWS [] = {
        {"cpu_utilization > 90", true},
        {"cpu_utilization > 95", false},
        {"cpu_utilization >= 95", true},
        {"cpu_utilization < 95.5", true},
        {"cpu_utilization <= 94", false},
        {"cpu_utilization = 95", true},
        {"cpu_utilization != 95", false},
        {"cpu_utilization>90", true},
        {"status = running", true},
        {"status = stopped|running", true},
        {"status != stopped|pending", true},
        {"status != running", false},
        {"status = runnin", false},
        {"region ~ us-*", true},
        {"region ~ eu-*|us-east-?", true},
        {"region ~ us", false},
        {"freshness = fresh", true},
        {"cpu_utilization > 90 and status = running and region = us-east-1", true},
        {"cpu_utilization > 90 and status = stopped", false},
        {"  cpu_utilization\t>  90   and  status =running ", true},
        {"is_idle_detection_enabled = yes", true},
        {"is_idle_detection_enabled = no", false},
        {"is_idle_detection_enabled != no", true},
    };
    _cleanup_ (worker_destroy) worker_t *worker = busy_worker ();

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        if (holds (worker, ROWS [i].text) != ROWS [i].holds) {
            fail_msg ("%s", ROWS [i].text);
        }
    }
}

static void
what_is_unknown_fulfils_no_term_whatever_its_operator (void **state)
{
    (void) state;
    static const char *const ROWS [] = {
        "storage_utilization > 0",    "storage_utilization < 100", "storage_utilization != 5",
        "storage_utilization = 0",    "cml_labs_count >= 0",       "cml_labs_count != 3",
        "license_status != expired",  "license_status ~ *",        "cml_ready = no",
        "cml_ready != yes",           "cml_ready != no",           "idle_minutes >= 0",
        "cml_uptime_seconds <= 1e18",
    };
    _cleanup_ (worker_destroy) worker_t *worker = busy_worker ();

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        if (holds (worker, ROWS [i])) {
            fail_msg ("%s", ROWS [i]);
        }
    }
}

static void
idle_minutes_are_counted_to_the_last_look (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    tell (worker, LABS_OBSERVED, "{'labs':[]}", 2);
    tell (worker, ACTIVITY_OBSERVED, "{'last_activity_at':" AT_TEXT ("13:20") "}", 3600);

    assert_true (holds (worker, "idle_minutes = 60"));

    tell (worker, LABS_OBSERVED, "{'labs':[{'lab_id':'a','state':'STARTED'}]}", 3700);
    assert_false (holds (worker, "idle_minutes >= 0"));
}

static void
freshness_is_the_worst_of_the_sources (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = busy_worker ();

    assert_true (holds (worker, "freshness = fresh"));
    tell (worker, UTILIZATION_OBSERVED, "{'error_code':'Throttling','error_message':'slower'}", 5);
    assert_true (holds (worker, "freshness = error"));
}

static void
what_cannot_be_understood_is_refused_with_what_would_be_right (void **state)
{
    (void) state;
    static const struct {
        const char *text, *says;
    } ROWS [] = {
        {"", "is no term"},
        {"   ", "is no term"},
        {"cpu > 90", "no worker has a field 'cpu'"},
        {"cpu_utilization", "must be one of = != > >= < <="},
        {"cpu_utilization ~ 9*", "must be one of = != > >= < <="},
        {"status > running", "must be one of = != ~"},
        {"cml_ready > yes", "must be one of = !="},
        {"cpu_utilization > high", "must be a number"},
        {"cpu_utilization > 90 %", "must be a number"},
        {"cpu_utilization > nan", "must be a number"},
        {"cpu_utilization > inf", "must be a number"},
        {"cpu_utilization >", "must be a number"},
        {"cml_ready = maybe", "yes or no"},
        {"status = ", "an empty word"},
        {"status = running|", "an empty word"},
        {"created_at > 5", "is a time"},
        {"aws_tags = a", "is an object"},
        {"status = running and", "is no term"},
        {"status = running and and status = running", "is no term"},
        {"status = running and region", "must be one of"},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        reason_t why = {""};
        _cleanup_ (condition_destroy) condition_t *condition =
            condition_parse (ROWS [i].text, &why);

        assert_null (condition);
        if (!strstr (why.text, ROWS [i].says)) {
            fail_msg ("%s: %s", ROWS [i].text, why.text);
        }
    }
}

static void
bounds_of_length_terms_and_words_hold (void **state)
{
    (void) state;
    char text [2 * CONDITION_BYTES_MAX] = "status = running";
    reason_t why;

    for (int i = 1; i < CONDITION_TERMS_MAX; i++) {
        strcat (text, " and status = running");
    }
    condition_t *most = condition_parse (text, &why);
    assert_non_null (most);
    condition_destroy (&most);
    strcat (text, " and status = running");
    assert_null (condition_parse (text, &why));
    assert_non_null (strstr (why.text, "more than 8 terms"));

    snprintf (text, sizeof text, "status = a|b|c|d|e|f|g|h|i|j|k|l|m|n|o|p|q");
    assert_null (condition_parse (text, &why));
    assert_non_null (strstr (why.text, "more than 16 words"));

    memset (text, ' ', CONDITION_BYTES_MAX + 1);
    text [CONDITION_BYTES_MAX + 1] = '\0';
    assert_null (condition_parse (text, &why));
    assert_non_null (strstr (why.text, "longer than 400"));
}

static void
subject_value_and_threshold_are_those_of_the_number_else_of_what_is_not_the_status (void **state)
{
    (void) state;
    static const struct {
        const char *text, *subject, *value, *threshold;
    } ROWS [] = {
        {"status = running and cpu_utilization > 90.5", "cpu_utilization", "95", "90.5"},
        {"status = running and region = a|us-east-1", "region", "\"us-east-1\"",
         "[\"a\",\"us-east-1\"]"},
        {"status = running", "status", "\"running\"", "[\"running\"]"},
        {"is_idle_detection_enabled = yes", "is_idle_detection_enabled", "true", "true"},
        {"storage_utilization > 90", "storage_utilization", "null", "90"},
    };
    _cleanup_ (worker_destroy) worker_t *worker = busy_worker ();
    condition_facts_t facts = condition_facts (worker);

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        reason_t why;
        _cleanup_ (condition_destroy) condition_t *condition =
            condition_parse (ROWS [i].text, &why);
        _cleanup_ (buffer_clear) buffer_t value = {0}, threshold = {0};
        json_writer_t json = json_writer (&value), limit = json_writer (&threshold);

        condition_write_value (condition, &facts, &json);
        condition_write_threshold (condition, &limit);

        assert_string_equal (condition_subject (condition), ROWS [i].subject);
        assert_string_equal (value.data, ROWS [i].value);
        assert_string_equal (threshold.data, ROWS [i].threshold);
        assert_string_equal (condition_text (condition), ROWS [i].text);
    }
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (condition_holds_when_each_of_its_terms_does),
        cmocka_unit_test (what_is_unknown_fulfils_no_term_whatever_its_operator),
        cmocka_unit_test (idle_minutes_are_counted_to_the_last_look),
        cmocka_unit_test (freshness_is_the_worst_of_the_sources),
        cmocka_unit_test (what_cannot_be_understood_is_refused_with_what_would_be_right),
        cmocka_unit_test (bounds_of_length_terms_and_words_hold),
        cmocka_unit_test (
            subject_value_and_threshold_are_those_of_the_number_else_of_what_is_not_the_status),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
