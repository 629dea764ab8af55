//  A configuration file against a table with one key of each kind: a wrong one is refused with
//  its line, a right one is printed and read back the same.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/config.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct settings {
    char listen [CONFIG_TEXT_SIZE], password [CONFIG_TEXT_SIZE];
    int64_t interval_ms;
    bool compression;
    int verify;
} settings_t;

static const char *const VERIFY [] = {"full", "fingerprint", "off", NULL};
static const config_key_t KEYS [] = {{.name = "listen",
                                      .kind = CONFIG_TEXT,
                                      .offset = offsetof (settings_t, listen),
                                      .initial = "127.0.0.1:8080",
                                      .help = "where"},
                                     {.name = "password",
                                      .kind = CONFIG_SECRET,
                                      .offset = offsetof (settings_t, password),
                                      .initial = "",
                                      .help = "secret"},
                                     {.name = "interval_ms",
                                      .kind = CONFIG_INTEGER,
                                      .offset = offsetof (settings_t, interval_ms),
                                      .initial = "1000",
                                      .least = 1,
                                      .most = 86400000,
                                      .help = "how often"},
                                     {.name = "compression",
                                      .kind = CONFIG_FLAG,
                                      .offset = offsetof (settings_t, compression),
                                      .initial = "yes",
                                      .help = "whether"},
                                     {.name = "verify",
                                      .kind = CONFIG_CHOICE,
                                      .offset = offsetof (settings_t, verify),
                                      .initial = "full",
                                      .choices = VERIFY,
                                      .help = "which"},
                                     {0}};

static int
read_bytes (settings_t *settings, const void *bytes, size_t size, reason_t *why)
{
    _cleanup_ (descriptor_close) int fd = memfd_create ("config", 0);
    char path [64];

    CHECK (fd >= 0);
    CHECK (size == 0 || write (fd, bytes, size) == (ssize_t) size);
    snprintf (path, sizeof path, "/proc/self/fd/%d", fd);
    return config_read_file (KEYS, settings, "gateway", path, why);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    static settings_t settings, again;
    _cleanup_ (string_destroy) char *printed = NULL;
    size_t printed_size = 0;
    reason_t why = {""};

    memset (&settings, 0, sizeof settings);
    memset (&again, 0, sizeof again);
    config_init (KEYS, &settings);
    config_init (KEYS, &again);
    if (read_bytes (&settings, data, size, &why) < 0) {
        CHECK (strstr (why.text, "/proc/self/fd/"));
        return 0;
    }
    CHECK (settings.interval_ms >= 1 && settings.interval_ms <= 86400000);
    CHECK (settings.verify >= 0 && settings.verify <= 2);
    FILE *out = open_memstream (&printed, &printed_size);
    CHECK (out);
    config_print (KEYS, &settings, "gateway", out);
    fclose (out);
    int rc = read_bytes (&again, printed, printed_size, &why);
    if (rc == -ERANGE && strstr (why.text, "longer than")) {
        return 0;  //  it filled the longest line, and is printed with blanks or quotes about it
    }
    if (rc < 0) {
        fprintf (stderr, "printed: %s\nrefused: %s\n", printed, why.text);
        abort ();
    }
    CHECK (strcmp (settings.listen, again.listen) == 0);
    CHECK (settings.interval_ms == again.interval_ms && settings.verify == again.verify);
    CHECK (settings.compression == again.compression);
    return 0;
}
