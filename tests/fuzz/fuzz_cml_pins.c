//  The operator's file of fingerprints.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/cml/cml_pins.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    reason_t why = {""};
    FILE *file = size > 0 ? fmemopen ((void *) (uintptr_t) data, size, "r") : NULL;

    if (!file) {
        return 0;
    }
    cml_pins_t *pins = cml_pins_read_stream (file, "pins", &why);
    CHECK (pins || strncmp (why.text, "pins", 4) == 0);
    if (pins) {
        const char *found = cml_pins_find (pins, "i-1", "worker one", "10.0.0.1");
        CHECK (!found || strncmp (found, "sha256//", 8) == 0);
        cml_pins_destroy (&pins);
    }
    fclose (file);
    return 0;
}
