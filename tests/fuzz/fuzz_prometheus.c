//  What a node exporter says: the mountpoint that is asked for (first line), a text of before, a line
//  `----`, a text of now. Whatever it says, a percentage is one, or is not known.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/prometheus/prometheus.h"
#include "../../common/cleanup.h"

#include <math.h>

#define APART "\n----\n"

static void
check_percent (double percent)
{
    CHECK (isnan (percent) || (percent >= 0 && percent <= 100));
}

static prometheus_load_t
read_one (const char *text, const char *mountpoint)
{
    prometheus_load_t load = prometheus_read (text, mountpoint);

    check_percent (load.memory_percent);
    check_percent (load.storage_percent);
    CHECK (isnan (prometheus_cpu_percent (&load, &load)));  //  no time between them
    return load;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *mountpoint = fuzz_text (data, size);
    char *text = strchr (mountpoint, '\n');

    if (!text) {
        return 0;
    }
    *text++ = '\0';
    char *apart = strstr (text, APART);
    if (apart) {
        apart [1] = '\0';
    }
    _cleanup_ (string_destroy) char *first = strdup (text);  //  of its own size
    _cleanup_ (string_destroy) char *second = strdup (apart ? apart + strlen (APART) : "");
    CHECK (first && second);
    prometheus_load_t before = read_one (first, mountpoint), now = read_one (second, mountpoint);
    check_percent (prometheus_cpu_percent (&before, &now));
    check_percent (prometheus_cpu_percent (&now, &before));
    return 0;
}
