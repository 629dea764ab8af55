// fuzz_store.c - a store's file, damaged in any way: it is refused with a reason, or is as it was and goes on.
//
// The bytes are changes to a file that is made first: two bytes for the page and for the place in it (of a
// small head, or anywhere), one for how many bytes follow, and those, which are put there as they are. A page
// of 255 cuts the file instead.
//
// SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../aggregator/store.h"
#include "../../common/cleanup.h"
#include "../../common/digest.h"
#include "../../common/log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE       4096
#define HEAD       5  //  of a change: page, place in two bytes, how many, whether in the head
#define CHANGE_MAX 24
#define CUT        255
#define FILE_MAX   (1 << 20)  //  of the file that is changed
#define BYTES_MAX \
    (1 << 30)  //  that it may grow to: a last page that is said to lie far behind is used
#define BIG       9000
#define IN_MEMORY "/dev/shm"
#define LAST      60  //  event

static struct {
    char folder [64], file [90];
    store_settings_t settings;
    metrics_t *metrics;
    uint8_t *bytes, *changed;
    size_t size;
    uint64_t content;
} world;

//  --- what a store tells, as one number; its epoch is another when its file is

static void
mix (uint64_t *sum, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++) {
        *sum = (*sum ^ at [i]) * UINT64_C (0x100000001b3);
    }
    *sum ^= size;
}

static void
mix_row (void *sum, const char *key, const void *bytes, size_t size)
{
    mix (sum, key, strlen (key));
    mix (sum, bytes, size);
}

static void
mix_event (void *sum, uint64_t seq, time_us_t at, const void *header, size_t header_size,
           const void *body, size_t body_size)
{
    mix (sum, &seq, sizeof seq);
    mix (sum, &at, sizeof at);
    mix (sum, header, header_size);
    mix (sum, body, body_size);
}

static uint64_t
content (store_t *store)
{
    uint64_t sum = DIGEST_START, last = store_last (store);
    reason_t why = {""};

    for (int table = 0; table < STORE_TABLE_COUNT; table++) {
        CHECK (store_each (store, (store_table_t) table, "", mix_row, &sum, &why) == 0);
    }
    CHECK (store_each_event (store, 0, SIZE_MAX, mix_event, &sum, &why) == 0);
    mix (&sum, &last, sizeof last);
    return sum;
}

//  --- the file

//  Rows of all sizes, some gone again, so that there are free pages.
static void
fill (store_t *store, int turn)
{
    static char text [BIG];
    char key [80];
    reason_t why = {""};

    memset (text, 'a' + turn, sizeof text);
    for (int i = 0; i < 20; i++) {
        store_table_t table = (store_table_t) (i % STORE_TABLE_COUNT);
        snprintf (key, sizeof key, "us-east-1/i-%02d|%.*s", i, i * 2, text);
        if (turn == 2 && i % 5 == 0) {
            store_delete (store, table, key);
        } else {
            store_put (store, table, key, text, (size_t) (i % 7 == 6 ? BIG : i * 20));
        }
        store_put_event (store, store_last (store) + 1 + (uint64_t) i, clock_now ().wall, "header",
                         6, text, (size_t) i * 10);
    }
    CHECK (store_commit (store, &why) == 0);
}

static void
leave (void)
{
    static const char *const FILES [] = {"/data.mdb", "/lock.mdb", "/owner", ""};
    char path [100];

    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        snprintf (path, sizeof path, "%s%s", world.folder, FILES [i]);
        (void) remove (path);
    }
}

static void
start (void)
{
    reason_t why = {""};

    log_open ("fuzz", LOG_LEVEL_ERROR + 1, LOG_FORMAT_LOGFMT);
    snprintf (world.folder, sizeof world.folder, "%s/cmlwatch-fuzz-XXXXXX",
              access (IN_MEMORY, W_OK) == 0 ? IN_MEMORY : "/tmp");
    CHECK (mkdtemp (world.folder) && (world.metrics = metrics_new (100)) && atexit (leave) == 0);
    snprintf (world.file, sizeof world.file, "%s/data.mdb", world.folder);
    world.settings = (store_settings_t){
        .bytes_max = BYTES_MAX, .events_max = 1000, .events_keep_hours = 24, .check = true};
    snprintf (world.settings.path, sizeof world.settings.path, "%s", world.folder);
    store_t *store = store_open (&world.settings, world.metrics, &why);
    CHECK (store);
    for (int turn = 0; turn < 3; turn++) {
        fill (store, turn);
    }
    CHECK (store_last (store) == LAST);
    world.content = content (store);
    store_destroy (&store);
    world.bytes = malloc (FILE_MAX);
    world.changed = malloc (FILE_MAX);
    int fd = open (world.file, O_RDONLY | O_CLOEXEC);
    CHECK (world.bytes && world.changed && fd >= 0);
    ssize_t size = read (fd, world.bytes, FILE_MAX);
    close (fd);
    CHECK (size > 2 * PAGE && size < FILE_MAX);
    world.size = (size_t) size;
}

//  The same file stays: another would be a copy.
static void
write_file (const uint8_t *bytes, size_t size)
{
    int fd = open (world.file, O_WRONLY | O_CLOEXEC);

    CHECK (fd >= 0 && pwrite (fd, bytes, size, 0) == (ssize_t) size);
    CHECK (ftruncate (fd, (off_t) size) == 0);
    close (fd);
}

//  How long it is then.
static size_t
change (const uint8_t *data, size_t size)
{
    size_t length = world.size;

    memcpy (world.changed, world.bytes, world.size);
    while (size >= HEAD) {
        size_t page = data [0], place = (size_t) data [1] << 8 | data [2];
        size_t count = data [3] % CHANGE_MAX + 1, at;
        bool in_head = data [4] % 2;
        data += HEAD;
        size -= HEAD;
        if (page == CUT) {
            length = place * 16 % world.size;
            continue;
        }
        at = page % (world.size / PAGE) * PAGE + place % (in_head ? 160 : PAGE);
        count = count > size ? size : count;
        count = count > world.size - at ? world.size - at : count;
        if (count > 0) {
            memcpy (world.changed + at, data, count);
        }
        data += count;
        size -= count;
    }
    return length;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    reason_t why = {""};

    if (!world.metrics) {
        start ();
    }
    write_file (world.changed, change (data, size));
    store_t *store = store_open (&world.settings, world.metrics, &why);
    if (!store) {
        CHECK (strstr (why.text, world.folder));
        return 0;
    }
    CHECK (content (store) == world.content);
    fill (store, 3);
    uint64_t after = content (store);
    store_destroy (&store);
    store = store_open (&world.settings, world.metrics, &why);
    CHECK (store && content (store) == after);
    store_destroy (&store);
    return 0;
}
