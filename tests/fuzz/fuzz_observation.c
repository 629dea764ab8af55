//  A message of a collector: what is refused says why, what is taken is written and read again
//  the same.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/observation.h"

static void
write_whole (const observation_t *self, buffer_t *out)
{
    _cleanup_ (buffer_clear) buffer_t data = {0};
    const envelope_t *envelope = &self->envelope;

    observation_write_data (&data, self);
    envelope_write (out, envelope->type, envelope->source, envelope->epoch, envelope->sequence,
                    envelope->subject, envelope->time, envelope->traceparent, data.data, data.size);
    CHECK (!buffer_failed (out));
}

static bool
is_utf8 (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *text = strndup ((const char *) data, size);
    return text && json_text_fit (text, size) == size;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    observation_t observation, again;
    reason_t why = {""};
    char kind [ENVELOPE_KIND_SIZE];
    _cleanup_ (buffer_clear) buffer_t first = {0}, second = {0}, topic = {0};

    if (observation_decode (&observation, data, size, OBSERVATION_BYTES_MAX, &why) < 0) {
        CHECK (why.text [0]);
        return 0;
    }
    const envelope_t *envelope = &observation.envelope;
    CHECK (event_type_place (envelope->type) == EVENT_PLACE_INGEST && envelope->sequence > 0);
    CHECK (!envelope_source_kind (envelope->source, kind) || *kind);
    envelope_write_topic (&topic, envelope->type, envelope->subject);
    //  Bytes that are not UTF-8 grow as they are written: no collector of ours has a source of such.
    if (json_text_fit (envelope->source, ENVELOPE_SOURCE_MAX) < strlen (envelope->source) ||
        json_text_fit (envelope->subject, ENVELOPE_SUBJECT_MAX) < strlen (envelope->subject)) {
        observation_clear (&observation);
        return 0;
    }
    write_whole (&observation, &first);
    if (observation_decode (&again, first.data, first.size, 16 * OBSERVATION_BYTES_MAX, &why) < 0) {
        fprintf (stderr, "written: %s\nrefused: %s\n", first.data, why.text);
        abort ();
    }
    write_whole (&again, &second);
    //  Of names that are not UTF-8 several may be one as they are written, of which a reader has the last.
    CHECK (second.size <= first.size);
    CHECK (!is_utf8 (data, size) ||
           (first.size == second.size && memcmp (first.data, second.data, first.size) == 0));
    observation_clear (&again);
    observation_clear (&observation);
    return 0;
}
