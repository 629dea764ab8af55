#include "../../../aggregator/alert_rules.h"

#include "worker_rig.h"

#include <stdlib.h>
#include <unistd.h>

//  The rules of this text, in a file; null and why.
static alert_rules_t *
rules_of (const char *text, reason_t *why)
{
    char path [] = "/tmp/cmlwatch-rules-XXXXXX";
    int fd = mkstemp (path);

    assert_true (fd >= 0);
    assert_int_equal (write (fd, text, strlen (text)), strlen (text));
    close (fd);
    alert_rules_t *rules = alert_rules_new (path, why);
    unlink (path);
    return rules;
}

static void
usual_rules_of_a_fleet_are_built_in (void **state)
{
    (void) state;
    static const char *const NAMES [] = {"check-impaired", "cml-unavailable", "cpu-high",
                                         "disk-full",      "data-stale",      "idle-running"};
    reason_t why = {""};
    _cleanup_ (alert_rules_destroy) alert_rules_t *rules = alert_rules_new ("", &why);

    assert_non_null (rules);
    assert_int_equal (rules->count, COUNT (NAMES));
    for (size_t i = 0; i < COUNT (NAMES); i++) {
        const alert_rule_t *rule = &rules->rows [alert_rules_find (rules, NAMES [i])];
        assert_string_equal (rule->name, NAMES [i]);
        assert_true (rule->is_enabled && rule->is_built_in && rule->when && *rule->message);
    }
}

static void
file_adds_rules_and_changes_built_in_ones_key_by_key (void **state)
{
    (void) state;
    reason_t why = {""};
    _cleanup_ (alert_rules_destroy) alert_rules_t *rules =
        rules_of ("# ours\n[cpu-high]\nfor = 90s\n\n[data-stale]\nenabled = no\n"
                  "[many-down]\nwhen = service_status = unavailable\nat_least = 3\nfor = 2h\n"
                  "clear_after = 1d\nseverity = critical\nmessage = {value} CMLs are down\n",
                  &why);
    if (!rules) {
        fail_msg ("%s", why.text);
        return;
    }
    const alert_rule_t *cpu = &rules->rows [alert_rules_find (rules, "cpu-high")];
    const alert_rule_t *stale = &rules->rows [alert_rules_find (rules, "data-stale")];
    const alert_rule_t *ours = &rules->rows [alert_rules_find (rules, "many-down")];
    char words [200];

    assert_int_equal (cpu->for_seconds, 90);
    assert_int_equal (cpu->clear_seconds, 120);
    assert_true (cpu->is_enabled);
    assert_false (stale->is_enabled);
    assert_int_equal (ours->at_least, 3);
    assert_int_equal (ours->for_seconds, 7200);
    assert_int_equal (ours->clear_seconds, 86400);
    assert_int_equal (ours->severity, ALERT_CRITICAL);
    assert_false (ours->is_built_in);
    alert_rule_words (ours, words, sizeof words);
    assert_string_equal (words, "at least 3 workers: service_status = unavailable for 2h");
    alert_rule_words (cpu, words, sizeof words);
    assert_string_equal (words, "cpu_utilization > 90 and status = running for 90s");
}

static void
wrong_file_is_refused_with_its_line_and_what_would_be_right (void **state)
{
    (void) state;
    static const struct {
        const char *text, *says;
    } ROWS [] = {
        {"[a]\nwhen = cpu > 5\n", ":2: when: no worker has a field 'cpu'"},
        {"[a]\nfor = 5\n", ":2: for: '5' is no duration"},
        {"[a]\nfor = m\n", "is no duration"},
        {"[a]\nfor = -5m\n", "is no duration"},
        {"[a]\nfor = 5 m\n", "is no duration"},
        {"[a]\nfor = 5ms\n", "is no duration"},
        {"[a]\nfor = 31d\n", "more than 30 days"},
        {"[a]\nfor = 99999999999999999999d\n", "more than 30 days"},
        {"[a]\nseverity = bad\n", "none of info, warning, critical"},
        {"[a]\nenabled = true\n", "neither yes nor no"},
        {"[a]\nat_least = many\n", "is not 0 to 1000000"},
        {"[a]\nat_least = -1\n", "is not 0 to 1000000"},
        {"[a]\nunless = x\n", ":2: 'unless' is none of when, for"},
        {"[a]\nseverity = info\n", "[a] has no 'when'"},
        {"[A b]\nwhen = status = running\n", "is no name of a rule"},
        {"[]\nwhen = status = running\n", "is no name of a rule"},
        {"when = status = running\n", "before any [section]"},
        {"[a\n", "is [section]"},
        {"[a]\nnonsense\n", "neither [section] nor key = value"},
    };

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        reason_t why = {""};
        assert_null (rules_of (ROWS [i].text, &why));
        if (!strstr (why.text, ROWS [i].says)) {
            fail_msg ("%s: %s", ROWS [i].text, why.text);
        }
    }
    reason_t why = {""};
    assert_null (alert_rules_new ("/nonexistent/rules", &why));
    assert_non_null (strstr (why.text, "/nonexistent/rules"));
}

static void
rules_are_bounded (void **state)
{
    (void) state;
    _cleanup_ (buffer_clear) buffer_t text = {0};
    reason_t why = {""};

    for (int i = 0; i <= ALERT_RULES_MAX; i++) {
        buffer_format (&text, "[rule-%d]\nwhen = status = running\n", i);
    }
    assert_null (rules_of (text.data, &why));
    assert_non_null (strstr (why.text, "one rule too many; at most 64"));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (usual_rules_of_a_fleet_are_built_in),
        cmocka_unit_test (file_adds_rules_and_changes_built_in_ones_key_by_key),
        cmocka_unit_test (wrong_file_is_refused_with_its_line_and_what_would_be_right),
        cmocka_unit_test (rules_are_bounded),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
