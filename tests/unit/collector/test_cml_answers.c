//  What an answer is worth (cml_fault), where it is asked (cml_server), what is said of it
//  (cml_observe, cml_told).

#include "../../../collector/cml/cml_observe.h"
#include "../../../collector/cml/cml_server.h"

#include "../../../common/cleanup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>  //  needs the three above it

#define URL "https://10.0.0.1/api/v0/system_stats"
#define NOW (1000 * SECOND_US)

//  --- answers

static http_answer_t
answer_of (int status, const char *content_type, const char *body)
{
    return (http_answer_t){.outcome = HTTP_ANSWERED,
                           .status = status,
                           .content_type = content_type,
                           .body = body,
                           .size = strlen (body),
                           .date = TIME_UNKNOWN,
                           .retry_after_seconds = -1};
}

//  The fault of an answer where an object was asked for; its sentence says all of the texts.
static cml_fault_t
fault_of (const http_answer_t *answer, const char *said, const char *also)
{
    _cleanup_ (json_destroy) struct json_object *json = NULL;
    reason_t why = {0};

    cml_fault_t fault = cml_fault_of (answer, URL, json_type_object, &json, &why);
    assert_true ((fault == CML_OK) == (json != NULL));
    if (fault != CML_OK &&
        !(strstr (why.text, URL) && strstr (why.text, said) && strstr (why.text, also))) {
        fail_msg ("'%s' does not say '%s' and '%s'", why.text, said, also);
    }
    return fault;
}

static void
object_is_taken (void **state)
{
    (void) state;
    http_answer_t answer = answer_of (200, "application/json", " {\"a\":1} ");

    assert_int_equal (fault_of (&answer, "", ""), CML_OK);
}

static void
answer_that_is_cut_or_no_json_says_where_and_how_long (void **state)
{
    (void) state;
    const char *const bodies [] = {"{\"computes\":{\"x\":", "", "{} {}", "it works"};

    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        http_answer_t answer = answer_of (200, "application/json", bodies [i]);
        assert_int_equal (fault_of (&answer, "not JSON", "bytes"), CML_JSON);
    }
}

static void
value_of_another_type_is_named (void **state)
{
    (void) state;
    http_answer_t answer = answer_of (200, "application/json", "[]");

    assert_int_equal (fault_of (&answer, "array", "object"), CML_JSON);
}

static void
page_of_html_is_told_from_other_nonsense (void **state)
{
    (void) state;
    http_answer_t by_type = answer_of (200, "text/html; charset=utf-8", "booting");
    http_answer_t by_look = answer_of (200, "application/json", "\n<!doctype html>");

    assert_int_equal (fault_of (&by_type, "HTML", ""), CML_PAGE);
    assert_int_equal (fault_of (&by_look, "HTML", ""), CML_PAGE);
}

static void
status_tells_the_kinds_apart_and_carries_the_servers_own_words (void **state)
{
    (void) state;
    static const struct {
        int status;
        cml_fault_t fault;
    } rows [] = {
        {500, CML_HTTP},     {401, CML_TOKEN},    {403, CML_DENIED},   {404, CML_MISSING},
        {502, CML_STARTING}, {503, CML_STARTING}, {504, CML_STARTING}, {302, CML_HTTP},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char number [8];
        snprintf (number, sizeof number, "%d", rows [i].status);
        http_answer_t answer = answer_of (rows [i].status, "application/json",
                                          "{\"code\":1,\"description\":\"so it is\"}");
        assert_int_equal (fault_of (&answer, number, "so it is"), rows [i].fault);
    }
}

static void
no_answer_is_a_fault_by_its_cause (void **state)
{
    (void) state;
    static const struct {
        http_outcome_t outcome;
        const char *code;
        bool ends_round;
    } rows [] = {
        {HTTP_UNREACHABLE, "unreachable", true},
        {HTTP_TIMED_OUT, "timeout", true},
        {HTTP_TLS_REFUSED, "tls", true},
        {HTTP_TOO_LARGE, "too_large", false},
        {HTTP_BROKEN, "http", false},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        http_answer_t answer = answer_of (0, "", "");
        answer.outcome = rows [i].outcome;
        reason_set (&answer.why, CML_REASON, "because");
        cml_fault_t fault = fault_of (&answer, "because", "");
        assert_string_equal (cml_fault_code (fault), rows [i].code);
        assert_int_equal (cml_fault_ends_round (fault), rows [i].ends_round);
    }
}

//  --- servers

static const collector_worker_t WORKER = {
    .region = "us-east-1",
    .instance_id = "i-1",
    .name = "lab 1",
    .public_ip = "203.0.113.7",
    .private_ip = "fd00::7",
    .subject = "us-east-1/i-1",
};

static cml_settings_t *
settings_new (const char *address, int64_t port, http_verify_t verify)
{
    cml_settings_t *settings = calloc (1, sizeof *settings);

    assert_non_null (settings);
    snprintf (settings->address, sizeof settings->address, "%s", address);
    settings->port = port;
    settings->verify = verify;
    snprintf (settings->fingerprints, sizeof settings->fingerprints, "/etc/pins");
    return settings;
}

DEFINE_CLEANUP (settings_free, cml_settings_t *, free)

//  With the one login "u".
static cml_fault_t
server_of (cml_server_t *server, const cml_settings_t *settings, const cml_pins_t *pins,
           const collector_worker_t *worker, reason_t *why)
{
    static cml_logins_t *logins;
    static cml_servers_t *servers;
    if (!logins) {
        logins = cml_logins_new ("u", "p", "", NULL);
        servers = cml_servers_new ("cml", "", NULL);
    }
    return cml_server_of (server, &(cml_tools_t){settings, logins, servers, pins, NULL}, worker,
                          why);
}

static void
endpoint_is_the_address_that_was_chosen_and_leaves_the_usual_port_out (void **state)
{
    (void) state;
    _cleanup_ (settings_free) cml_settings_t *settings =
        settings_new ("public", 443, HTTP_VERIFY_FULL);
    cml_server_t server;

    assert_int_equal (server_of (&server, settings, NULL, &WORKER, NULL), CML_OK);
    assert_string_equal (server.endpoint, "https://203.0.113.7");
    assert_null (server.pin);

    snprintf (settings->address, sizeof settings->address, "private");
    settings->port = 5543;
    assert_int_equal (server_of (&server, settings, NULL, &WORKER, NULL), CML_OK);
    assert_string_equal (server.endpoint, "https://[fd00::7]:5543");
}

static void
worker_without_that_address_is_unreachable_and_the_setting_is_named (void **state)
{
    (void) state;
    _cleanup_ (settings_free) cml_settings_t *settings =
        settings_new ("public", 443, HTTP_VERIFY_FULL);
    const char *const addresses [] = {"", "203.0.113.7/x@evil", "a b"};
    collector_worker_t worker = WORKER;

    for (size_t i = 0; i < sizeof addresses / sizeof *addresses; i++) {
        cml_server_t server;
        reason_t why = {0};
        worker.public_ip = addresses [i];
        assert_int_equal (server_of (&server, settings, NULL, &worker, &why), CML_UNREACHABLE);
        assert_non_null (strstr (why.text, "us-east-1/i-1"));
        assert_non_null (strstr (why.text, "`address`"));
    }
}

DEFINE_CLEANUP (file_close, FILE *, fclose)

static void
server_without_a_fingerprint_is_not_asked_and_the_file_is_named (void **state)
{
    (void) state;
    _cleanup_ (settings_free) cml_settings_t *settings =
        settings_new ("public", 443, HTTP_VERIFY_FINGERPRINT);
    static char text [] = "203.0.113.7 sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
    _cleanup_ (file_close) FILE *file = fmemopen (text, strlen (text), "r");
    _cleanup_ (cml_pins_destroy) cml_pins_t *pins = cml_pins_read_stream (file, "pins", NULL);
    collector_worker_t other = WORKER;
    cml_server_t server;
    reason_t why = {0};

    assert_int_equal (server_of (&server, settings, pins, &WORKER, &why), CML_OK);
    assert_non_null (server.pin);
    other.public_ip = "203.0.113.8";
    assert_int_equal (server_of (&server, settings, pins, &other, &why), CML_TLS);
    assert_non_null (strstr (why.text, "/etc/pins"));
}

//  --- what is said

static cml_found_t
found_of (const char *information, const char *stats, const char *health)
{
    return (cml_found_t){.information = information ? json_tokener_parse (information) : NULL,
                         .stats = stats ? json_tokener_parse (stats) : NULL,
                         .health = health ? json_tokener_parse (health) : NULL};
}

static system_observed_t
system_of (cml_found_t *found)
{
    observation_t observation;
    cml_told_t health = {0}, licensing = {0};

    observation_init (&observation, EVENT_SYSTEM_OBSERVED);
    cml_found_excuse (found);
    cml_observe_system (&observation.system_observed, found, &health, &licensing, NOW);
    return observation.system_observed;
}

static void
server_that_answers_is_told_as_it_is (void **state)
{
    (void) state;
    _cleanup_ (cml_found_clear) cml_found_t found = found_of (
        "{\"version\":\"2.9.0+build.6\",\"ready\":true}", "{\"all\":{}}", "{\"valid\":null}");

    system_observed_t out = system_of (&found);

    assert_int_equal (out.reachable, FLAG_YES);
    assert_int_equal (out.ready, FLAG_YES);
    assert_string_equal (out.version, "2.9.0+build.6");
    assert_ptr_equal (out.system_stats.tree, found.stats);
    assert_ptr_equal (out.system_health.tree, found.health);
    assert_null (out.licensing.tree);
    assert_null (out.error_code);
}

static void
server_that_does_not_answer_is_unreachable_with_its_fault (void **state)
{
    (void) state;
    _cleanup_ (cml_found_clear) cml_found_t found = {0};
    cml_found_note (&found, CML_TLS, "first");
    cml_found_note (&found, CML_HTTP, "second");

    system_observed_t out = system_of (&found);

    assert_int_equal (out.reachable, FLAG_NO);
    assert_int_equal (out.ready, FLAG_UNKNOWN);
    assert_string_equal (out.error_code, "tls");
    assert_string_equal (out.error_message, "first");
}

static void
server_that_boots_is_reachable_not_ready_and_no_fault (void **state)
{
    (void) state;
    const cml_fault_t faults [] = {CML_STARTING, CML_PAGE};

    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        _cleanup_ (cml_found_clear) cml_found_t found = {0};
        cml_found_note (&found, faults [i], "nginx");
        system_observed_t out = system_of (&found);
        assert_int_equal (out.reachable, FLAG_YES);
        assert_int_equal (out.ready, FLAG_NO);
        assert_null (out.error_code);
    }
}

static void
server_that_is_up_has_no_such_excuse (void **state)
{
    (void) state;
    _cleanup_ (cml_found_clear) cml_found_t ready = found_of ("{\"ready\":true}", NULL, NULL);
    _cleanup_ (cml_found_clear) cml_found_t page = found_of ("{\"ready\":false}", NULL, NULL);
    _cleanup_ (cml_found_clear) cml_found_t booting = found_of ("{\"ready\":false}", NULL, NULL);
    cml_found_note (&ready, CML_STARTING, "503");
    cml_found_note (&page, CML_PAGE, "html");
    cml_found_note (&booting, CML_STARTING, "503");

    assert_string_equal (system_of (&ready).error_code, "http");
    assert_string_equal (system_of (&page).error_code, "json");
    assert_null (system_of (&booting).error_code);
}

static void
members_of_another_type_are_unknown (void **state)
{
    (void) state;
    _cleanup_ (cml_found_clear) cml_found_t found =
        found_of ("{\"version\":[2,9],\"ready\":\"yes\"}", NULL, NULL);

    system_observed_t out = system_of (&found);

    assert_null (out.version);
    assert_int_equal (out.ready, FLAG_UNKNOWN);
}

static void
stats_that_no_message_holds_are_a_fault_not_a_lost_message (void **state)
{
    (void) state;
    _cleanup_ (cml_found_clear) cml_found_t found = found_of ("{\"ready\":true}", "{}", NULL);
    _cleanup_ (string_destroy) char *text = calloc (1, CML_CONTENT_MAX + 1);
    assert_non_null (text);
    memset (text, 'x', CML_CONTENT_MAX);
    json_object_object_add (found.stats, "x", json_object_new_string (text));

    system_observed_t out = system_of (&found);

    assert_null (out.system_stats.tree);
    assert_string_equal (out.error_code, "too_large");
    assert_int_equal (out.reachable, FLAG_YES);
}

static void
labs_are_told_only_when_all_are_known_and_a_failed_read_claims_none (void **state)
{
    (void) state;
    _cleanup_ (cml_labs_destroy) cml_labs_t *labs = cml_labs_new ();
    _cleanup_ (json_destroy) struct json_object *ids = json_tokener_parse ("[\"a\"]");
    _cleanup_ (json_destroy) struct json_object *lab = json_tokener_parse ("{}");
    _cleanup_ (json_destroy) struct json_object *owned = NULL;
    labs_observed_t out = {0};
    cml_found_t found = {0};
    cml_labs_list (labs, ids, NULL);

    assert_false (cml_observe_labs (&out, &found, labs, &owned));
    cml_labs_take (labs, "a", lab);
    assert_true (cml_observe_labs (&out, &found, labs, &owned));
    assert_int_equal (json_object_array_length (out.labs.tree), 1);

    out = (labs_observed_t){0};
    cml_found_note (&found, CML_TIMEOUT, "slow");
    assert_true (cml_observe_labs (&out, &found, labs, &owned));
    assert_null (out.labs.tree);
    assert_string_equal (out.error_code, "timeout");
}

static void
activity_log_that_a_version_lacks_is_not_spoken_of (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *owned = NULL;
    activity_observed_t out = {.last_activity_at = TIME_UNKNOWN};
    cml_found_t found = {0};

    assert_false (cml_observe_activity (&out, &found, "", &owned));
    cml_found_note (&found, CML_JSON, "cut");
    assert_true (cml_observe_activity (&out, &found, "", &owned));
    assert_string_equal (out.error_code, "json");
    assert_int_equal (out.last_activity_at, TIME_UNKNOWN);
}

static void
what_was_told_is_told_again_when_it_changes_is_forgotten_or_after_a_while (void **state)
{
    (void) state;
    _cleanup_ (json_destroy) struct json_object *one = json_tokener_parse ("{\"a\":1}");
    _cleanup_ (json_destroy) struct json_object *same = json_tokener_parse ("{ \"a\": 1 }");
    _cleanup_ (json_destroy) struct json_object *two = json_tokener_parse ("{\"a\":2}");
    cml_told_t told = {0};

    assert_true (cml_told_is_due (&told, one, NOW));
    assert_false (cml_told_is_due (&told, same, NOW + SECOND_US));
    assert_true (cml_told_is_due (&told, two, NOW + SECOND_US));
    assert_false (cml_told_is_due (&told, two, NOW + CML_TOLD_AGAIN_US));
    assert_true (cml_told_is_due (&told, two, NOW + SECOND_US + CML_TOLD_AGAIN_US));
    cml_told_forget (&told);
    assert_true (cml_told_is_due (&told, two, NOW + 2 * SECOND_US + CML_TOLD_AGAIN_US));
}

int
main (void)
{
    const struct CMUnitTest tests [] = {
        cmocka_unit_test (object_is_taken),
        cmocka_unit_test (answer_that_is_cut_or_no_json_says_where_and_how_long),
        cmocka_unit_test (value_of_another_type_is_named),
        cmocka_unit_test (page_of_html_is_told_from_other_nonsense),
        cmocka_unit_test (status_tells_the_kinds_apart_and_carries_the_servers_own_words),
        cmocka_unit_test (no_answer_is_a_fault_by_its_cause),
        cmocka_unit_test (endpoint_is_the_address_that_was_chosen_and_leaves_the_usual_port_out),
        cmocka_unit_test (worker_without_that_address_is_unreachable_and_the_setting_is_named),
        cmocka_unit_test (server_without_a_fingerprint_is_not_asked_and_the_file_is_named),
        cmocka_unit_test (server_that_answers_is_told_as_it_is),
        cmocka_unit_test (server_that_does_not_answer_is_unreachable_with_its_fault),
        cmocka_unit_test (server_that_boots_is_reachable_not_ready_and_no_fault),
        cmocka_unit_test (server_that_is_up_has_no_such_excuse),
        cmocka_unit_test (members_of_another_type_are_unknown),
        cmocka_unit_test (stats_that_no_message_holds_are_a_fault_not_a_lost_message),
        cmocka_unit_test (labs_are_told_only_when_all_are_known_and_a_failed_read_claims_none),
        cmocka_unit_test (activity_log_that_a_version_lacks_is_not_spoken_of),
        cmocka_unit_test (
            what_was_told_is_told_again_when_it_changes_is_forgotten_or_after_a_while),
    };
    return cmocka_run_group_tests (tests, NULL, NULL);
}
