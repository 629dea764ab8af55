// replay.c - runs a target over its committed corpus, without libFuzzer: part of `make test`.
//
// Each input is also cut at each of its first bytes: what comes over a wire may end anywhere.
// The words are cmocka's, so that tests/support/run-unit counts these among the others.
//
// SPDX-License-Identifier: MIT

#include "fuzz.h"

#include <dirent.h>
#include <errno.h>

#define CORPUS     "tests/fuzz/corpus"
#define BYTES_MAX  (1 << 20)
#define CUTS_MAX   256
#define OWN_PREFIX "fuzz_"

static uint8_t *
read_file (const char *path, size_t *size)
{
    FILE *file = fopen (path, "rb");
    uint8_t *bytes = malloc (BYTES_MAX);

    CHECK (file && bytes);
    *size = fread (bytes, 1, BYTES_MAX, file);
    CHECK (!ferror (file));
    fclose (file);
    return bytes;
}

//  Each in memory of its own size: a sanitizer then sees a step beyond it.
static void
run (const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc (size > 0 ? size : 1);

    CHECK (exact);
    if (size > 0) {
        memcpy (exact, bytes, size);
    }
    (void) LLVMFuzzerTestOneInput (exact, size);
    free (exact);
}

static void
replay (const char *folder, const char *name)
{
    char path [1024];
    size_t size;

    snprintf (path, sizeof path, "%s/%s", folder, name);
    printf ("[ RUN      ] %s\n", path);
    fflush (stdout);  //  what crashes has then been named
    uint8_t *bytes = read_file (path, &size);
    run (bytes, size);
    for (size_t cut = 0; cut < size && cut < CUTS_MAX; cut++) {
        run (bytes, cut);
    }
    free (bytes);
    printf ("[       OK ] %s\n", path);
}

int
main (void)
{
    const char *target = program_invocation_short_name;
    char folder [512];
    struct dirent **names = NULL;

    CHECK (strncmp (target, OWN_PREFIX, strlen (OWN_PREFIX)) == 0);
    snprintf (folder, sizeof folder, "%s/%s", CORPUS, target + strlen (OWN_PREFIX));
    int count = scandir (folder, &names, NULL, alphasort), replayed = 0;
    for (int i = 0; i < count; i++) {
        if (names [i]->d_name [0] != '.') {
            replay (folder, names [i]->d_name);
            replayed++;
        }
        free (names [i]);
    }
    free (names);
    if (replayed == 0) {
        printf ("[  FAILED  ] %s holds no input\n", folder);
    }
    return replayed == 0;
}
