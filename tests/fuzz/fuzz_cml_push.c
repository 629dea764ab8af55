//  What a CML pushes, by the first line: `upgrade`, an answer to ours; else a message. Neither is
//  believed for its looks: an upgrade is done only with the proof of our key, whole and once.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/cml/cml_labs.h"
#include "../../collector/cml/cml_observe.h"
#include "../../collector/cml/cml_said.h"
#include "../../collector/cml/cml_upgrade.h"
#include "../../common/cleanup.h"
#include "../../common/json.h"
#include "../../common/observation.h"

#define UPGRADE "upgrade\n"
#define KEY     "dGhlIHNhbXBsZSBub25jZQ=="  //  RFC 6455 section 1.3, as the next
#define PROOF   "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void
read_upgrade (const char *bytes, size_t size)
{
    cml_upgraded_t head, again;
    reason_t why = {""};

    cml_upgrade_t what = cml_upgrade_read (bytes, size, KEY, &head, &why);
    CHECK (head.size <= size && (what == CML_UPGRADE_MORE || head.size <= size));
    CHECK ((what == CML_UPGRADE_REFUSED || what == CML_UPGRADE_BROKEN) == (why.text [0] != '\0'));
    CHECK (what != CML_UPGRADE_MORE || size < CML_UPGRADE_ANSWER_MAX);
    if (what != CML_UPGRADE_DONE) {
        return;
    }
    CHECK (head.status == 101 && memmem (bytes, head.size, PROOF, strlen (PROOF)));
    CHECK (cml_upgrade_read (bytes, head.size, KEY, &again, &why) == CML_UPGRADE_DONE);
    CHECK (again.size == head.size);
    for (size_t part = 0; part < head.size; part++) {
        CHECK (cml_upgrade_read (bytes, part, KEY, &again, &why) == CML_UPGRADE_MORE);
    }
}

static void
tell (const cml_said_t *said)
{
    _cleanup_ (buffer_clear) buffer_t data = {0}, message = {0};
    cml_found_t found = {.stats = json_object_get (said->data)};
    cml_told_t health = {0}, licensing = {0};
    observation_t observation, again;
    reason_t why = {""};

    observation_init (&observation, EVENT_SYSTEM_OBSERVED);
    cml_observe_system (&observation.system_observed, &found, &health, &licensing, 1);
    observation_write_data (&data, &observation);
    envelope_write (&message, EVENT_SYSTEM_OBSERVED, "/collector/cml/fuzz", "0badcafe", 1,
                    "us-east-1/i-0", 1, NULL, data.data, data.size);
    CHECK (observation_decode (&again, message.data, message.size, 1 << 24, &why) == 0);
    observation_clear (&again);
    cml_found_clear (&found);
}

static void
change_labs (const cml_said_t *said)
{
    cml_labs_t *labs = cml_labs_new ();
    _cleanup_ (json_destroy) struct json_object *known = json_object_new_array ();
    reason_t why = {""};

    CHECK (labs && known);
    json_object_array_add (known, json_object_new_string ("lab-1"));
    CHECK (cml_labs_list (labs, known, &why) == 0 && cml_labs_count (labs) == 1);
    (void) cml_labs_take (labs, "lab-1", said->data);
    bool is_kept = said->lab_id && cml_labs_state (labs, said->lab_id);
    if (said->lab_id && said->state) {
        (void) cml_labs_set_state (labs, said->lab_id, said->state);
        CHECK (!is_kept || !cml_labs_set_state (labs, said->lab_id, said->state));
    }
    if (said->lab_id && said->element_id && said->event) {
        (void) cml_labs_set_node (labs, said->lab_id, said->element_id, said->event);
        CHECK (!is_kept || !cml_labs_set_node (labs, said->lab_id, said->element_id, said->event));
    }
    if (said->lab_id) {
        cml_labs_drop (labs, said->lab_id);
    }
    CHECK (cml_labs_count (labs) <= 1);
    cml_labs_destroy (&labs);
}

static void
read_message (const uint8_t *data, size_t size)
{
    _cleanup_ (cml_said_clear) cml_said_t said = {0};
    reason_t why = {""};

    if (cml_said_read (&said, data, size, 1 << 16, &why) < 0) {
        CHECK (why.text [0] && !said.tree);
        return;
    }
    CHECK (said.tree && said.type < CML_SAID_TYPES && cml_said_name (said.type));
    CHECK (!said.data || json_object_is_type (said.data, json_type_object));
    tell (&said);
    change_labs (&said);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    size_t word = strlen (UPGRADE);

    if (size >= word && memcmp (data, UPGRADE, word) == 0) {
        read_upgrade ((const char *) data + word, size - word);
    } else {
        read_message (data, size);
    }
    return 0;
}
