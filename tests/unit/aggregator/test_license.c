#include "../../../aggregator/license.h"

#include "worker_rig.h"

static json_doc_t
parse (const char *text)
{
    char json [512];
    json_doc_t doc;
    reason_t why;

    snprintf (json, sizeof json, "%s", text);
    swap_quotes (json, strlen (json));
    assert_int_equal (json_doc_read (&doc, json, strlen (json), sizeof json, &why), 0);
    return doc;
}

static void
words_of_cml_become_words_of_ours (void **state)
{
    (void) state;
    static const struct {
        const char *registration, *authorization, *status;  //  null: left out
    } ROWS [] = {{"COMPLETED", "IN_COMPLIANCE", "registered"},
                 {"completed", "In_Compliance", "registered"},
                 {"COMPLETED", "OUT_OF_COMPLIANCE", "invalid"},
                 {"COMPLETED", "", "invalid"},
                 {"COMPLETED", NULL, "invalid"},
                 {"FAILED", "IN_COMPLIANCE", "invalid"},
                 {"RETRY_FAILED", NULL, "invalid"},
                 {"IN_PROGRESS", NULL, "invalid"},
                 {"SOMETHING_NEW", "SOMETHING_ELSE", "invalid"},
                 {"EXPIRED", "IN_COMPLIANCE", "expired"},
                 {"COMPLETED", "AUTHORIZATION_EXPIRED", "expired"},
                 {"EXPIRED", "EVAL_MODE", "expired"},
                 {"NOT_REGISTERED", "EVAL_EXPIRED", "expired"},
                 {"EVALUATION", NULL, "evaluation"},
                 {"NOT_REGISTERED", "EVAL_MODE", "evaluation"},
                 {"evaluation", "", "evaluation"},
                 {"NOT_REGISTERED", NULL, "unregistered"},
                 {"NOT_REGISTERED", "IN_COMPLIANCE", "unregistered"},
                 {"UNREGISTERED", NULL, "unregistered"},
                 {"", "", "unregistered"},
                 {NULL, NULL, "unregistered"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        char text [200];
        int size = snprintf (text, sizeof text, "{'transport':{}");
        if (ROWS [i].registration) {
            size += snprintf (text + size, sizeof text - (size_t) size,
                              ",'registration':{'status':'%s'}", ROWS [i].registration);
        }
        if (ROWS [i].authorization) {
            size += snprintf (text + size, sizeof text - (size_t) size,
                              ",'authorization':{'status':'%s'}", ROWS [i].authorization);
        }
        snprintf (text + size, sizeof text - (size_t) size, "}");
        _cleanup_ (json_doc_clear) json_doc_t doc = parse (text);
        const json_node_t *licensing = json_doc_root (&doc);

        const char *status = license_status (licensing);

        if (strcmp (status, ROWS [i].status) != 0) {
            fail_msg ("%s is %s, not %s", text, status, ROWS [i].status);
        }
    }
}

static void
answer_of_another_shape_is_not_a_registration (void **state)
{
    (void) state;
    static const char *const SHAPES [] = {
        "{}", "{'registration':null}", "{'registration':'COMPLETED','authorization':[]}",
        "{'registration':{'status':5},'authorization':{'status':true}}"};

    for (size_t i = 0; i < COUNT (SHAPES); i++) {
        _cleanup_ (json_doc_clear) json_doc_t doc = parse (SHAPES [i]);
        const json_node_t *licensing = json_doc_root (&doc);

        assert_string_equal (license_status (licensing), "unregistered");
    }
}

static void
token_is_masked_but_for_its_last_4_also_in_the_tree (void **state)
{
    (void) state;
    static const struct {
        const char *licensing, *masked;
    } ROWS [] = {{"{'token':'ABCDEFGH-12345678-WXYZ'}", "****WXYZ"},
                 {"{'token':'123456789'}", "****6789"},
                 {"{'token':'12345678'}", "****"},
                 {"{'token':'abc'}", "****"},
                 {"{'token':''}", "****"}};

    for (size_t i = 0; i < COUNT (ROWS); i++) {
        _cleanup_ (json_doc_clear) json_doc_t doc = parse (ROWS [i].licensing);
        const json_node_t *licensing = json_doc_root (&doc);
        char masked [LICENSE_TOKEN_SIZE];

        assert_string_equal (license_mask_token (licensing, masked), ROWS [i].masked);
        assert_string_equal (json_node_get_text (licensing, "token"), ROWS [i].masked);
    }
}

static void
no_token_is_null (void **state)
{
    (void) state;
    static const char *const SHAPES [] = {"{}", "{'token':null}", "{'token':5}", "{'token':{}}"};

    for (size_t i = 0; i < COUNT (SHAPES); i++) {
        _cleanup_ (json_doc_clear) json_doc_t doc = parse (SHAPES [i]);
        const json_node_t *licensing = json_doc_root (&doc);
        char masked [LICENSE_TOKEN_SIZE];

        assert_null (license_mask_token (licensing, masked));
    }
}

static void
token_of_a_worker_is_nowhere_in_its_snapshot (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();

    tell (worker, SYSTEM_OBSERVED,
          "{'licensing':{'token':'SECRET-SECRET-1234','registration':{'status':'COMPLETED'},"
          "'authorization':{'status':'IN_COMPLIANCE'}}}",
          10);
    _cleanup_ (string_destroy) char *text = snapshot_text (worker);

    assert_null (strstr (text, "SECRET"));
    assert_field (worker, license_token, "'****1234'");
    assert_field (worker, license_status, "'registered'");
    assert_field (worker, cml_license_info,
                  "{'token':'****1234','registration':{'status':'COMPLETED'},"
                  "'authorization':{'status':'IN_COMPLIANCE'}}");
}

static void
licence_that_was_not_read_stays_as_it_was (void **state)
{
    (void) state;
    _cleanup_ (worker_destroy) worker_t *worker = running_worker ();
    assert_field (worker, license_status, "null");

    tell (worker, SYSTEM_OBSERVED, "{'licensing':{'registration':{'status':'EVALUATION'}}}", 10);
    tell (worker, SYSTEM_OBSERVED, "{'version':'2.9.0'}", 20);

    assert_field (worker, license_status, "'evaluation'");
    assert_field (worker, cml_license_info, "{'registration':{'status':'EVALUATION'}}");
}

int
main (void)
{
    static const struct CMUnitTest TESTS [] = {
        cmocka_unit_test (words_of_cml_become_words_of_ours),
        cmocka_unit_test (answer_of_another_shape_is_not_a_registration),
        cmocka_unit_test (token_is_masked_but_for_its_last_4_also_in_the_tree),
        cmocka_unit_test (no_token_is_null),
        cmocka_unit_test (token_of_a_worker_is_nowhere_in_its_snapshot),
        cmocka_unit_test (licence_that_was_not_read_stays_as_it_was)};

    return cmocka_run_group_tests (TESTS, NULL, NULL);
}
