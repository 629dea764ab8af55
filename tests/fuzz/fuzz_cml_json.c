//  Answers of a CML server: whatever one is asked for, it may answer anything. What is then said
//  of it is a message that the aggregator takes.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/cml/cml_activity.h"
#include "../../collector/cml/cml_observe.h"
#include "../../collector/cml/cml_token.h"
#include "../../common/cleanup.h"

static void
check_message (const observation_t *observation, event_type_t type)
{
    _cleanup_ (buffer_clear) buffer_t data = {0}, message = {0};
    observation_t again;
    reason_t why = {""};

    observation_write_data (&data, observation);
    envelope_write (&message, type, "/collector/cml/fuzz", "0badcafe", 1, "us-east-1/i-0", 1, NULL,
                    data.data, data.size);
    if (observation_decode (&again, message.data, message.size, 1 << 24, &why) < 0) {
        fprintf (stderr, "said: %s\nrefused: %s\n", message.data, why.text);
        abort ();
    }
    observation_clear (&again);
}

static void
on_node (void *argument, const char *lab_id, const char *node_id, const char *state)
{
    (void) argument;
    CHECK (lab_id && node_id && state);
}

static void
take_labs (struct json_object *answer, cml_found_t *found)
{
    cml_labs_t *labs = cml_labs_new ();
    const char *ids [16];
    size_t deferred = 0;
    reason_t why = {""};
    observation_t observation;
    struct json_object *owned = NULL;

    CHECK (labs);
    if (cml_labs_list (labs, answer, &why) < 0) {
        CHECK (why.text [0]);
        _cleanup_ (json_destroy) struct json_object *one = json_object_new_array ();
        json_object_array_add (one, json_object_new_string ("lab-1"));
        CHECK (cml_labs_list (labs, one, &why) == 0);
    }
    size_t count = cml_labs_choose (labs, ids, 16, &deferred);
    CHECK (count <= 16 && count + deferred == cml_labs_count (labs));
    for (size_t i = 0; i < count; i++) {
        (void) cml_labs_take (labs, ids [i], answer);
        (void) cml_labs_runs (cml_labs_state (labs, ids [i]));
        (void) cml_labs_take_nodes (labs, ids [i], answer, on_node, NULL);
        (void) cml_labs_take_nodes (labs, ids [i], answer, on_node, NULL);
    }
    observation_init (&observation, EVENT_LABS_OBSERVED);
    if (cml_observe_labs (&observation.labs_observed, found, labs, &owned)) {
        check_message (&observation, EVENT_LABS_OBSERVED);
    }
    json_destroy (&owned);
    cml_labs_destroy (&labs);
}

static void
observe (struct json_object *answer)
{
    cml_found_t found = {0};
    cml_told_t health = {0}, licensing = {0};
    observation_t observation;
    struct json_object *owned = NULL;

    if (json_object_is_type (answer, json_type_object)) {
        found.information = json_object_get (answer);
        found.stats = json_object_get (answer);
        found.health = json_object_get (answer);
        found.licensing = json_object_get (answer);
    } else if (json_object_is_type (answer, json_type_array)) {
        found.events = json_object_get (answer);
    }
    take_labs (answer, &found);
    observation_init (&observation, EVENT_SYSTEM_OBSERVED);
    cml_observe_system (&observation.system_observed, &found, &health, &licensing, 1);
    check_message (&observation, EVENT_SYSTEM_OBSERVED);
    observation_init (&observation, EVENT_ACTIVITY_OBSERVED);
    if (cml_observe_activity (&observation.activity_observed, &found, "account", &owned)) {
        check_message (&observation, EVENT_ACTIVITY_OBSERVED);
    }
    json_destroy (&owned);
    cml_found_clear (&found);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static const enum json_type TYPES [] = {json_type_object, json_type_array, json_type_string};
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);

    for (size_t i = 0; i < sizeof TYPES / sizeof *TYPES; i++) {
        _cleanup_ (json_destroy) struct json_object *answer = NULL;
        http_answer_t http = {.outcome = HTTP_ANSWERED,
                              .status = 200,
                              .content_type = "application/json",
                              .body = text,
                              .size = strlen (text),
                              .date = TIME_UNKNOWN,
                              .retry_after_seconds = -1};
        reason_t why = {""};
        cml_fault_t fault = cml_fault_of (&http, "https://x/", TYPES [i], &answer, &why);
        CHECK ((fault == CML_OK) == (answer != NULL) && (fault == CML_OK || why.text [0]));
        if (answer && TYPES [i] != json_type_string) {
            observe (answer);
        } else if (answer && cml_token_is_sound (json_object_get_string (answer))) {
            (void) cml_token_claims (json_object_get_string (answer));
        }
    }
    if (cml_token_is_sound (text)) {
        cml_claims_t claims = cml_token_claims (text);
        CHECK (strlen (claims.account_id) < CML_ACCOUNT_ID_MAX);
    }
    return 0;
}
