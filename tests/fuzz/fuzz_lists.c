//  What tells a collector whom to read, by the first line: `servers` and `logins` (files), `address` (the setting),
//  `keys` (of the bus, a file), `lease` (the aggregator's answer). What is taken can be relied on: ids that are one
//  each, hosts that are hosts, ranges that are some.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../collector/cml/cml_address.h"
#include "../../collector/cml/cml_logins.h"
#include "../../collector/cml/cml_servers.h"
#include "../../collector/core/lease.h"
#include "../../common/bus_keys.h"
#include "../../common/cleanup.h"
#include "../../common/json.h"

#include <sys/mman.h>
#include <unistd.h>

#define PATH_SIZE 40
#define PASSWORD  "secret"

static struct {
    int fd;
    char path [PATH_SIZE], password [PATH_SIZE];
    struct json_object *tags;
} world = {.fd = -1};

static int
make_file (char path [PATH_SIZE])
{
    int fd = memfd_create ("fuzz", 0);

    CHECK (fd >= 0);
    snprintf (path, PATH_SIZE, "/proc/self/fd/%d", fd);
    return fd;
}

static const char *
in_file (const char *text)
{
    if (world.fd < 0) {
        world.fd = make_file (world.path);
        CHECK (write (make_file (world.password), PASSWORD "\n", strlen (PASSWORD) + 1) > 0);
    }
    CHECK (ftruncate (world.fd, 0) == 0);
    CHECK (pwrite (world.fd, text, strlen (text), 0) == (ssize_t) strlen (text));
    return world.path;
}

static collector_worker_t
some_worker (const char *name)
{
    if (!world.tags) {
        world.tags = json_object_new_object ();
        CHECK (world.tags);
        json_object_object_add (world.tags, "host", json_object_new_string ("a.example"));
        json_object_object_add (world.tags, "cml", json_object_new_string ("[::1]:8443"));
    }
    return (collector_worker_t){.worker_id = "w",
                                .region = "us-east-1",
                                .instance_id = "i-1",
                                .account_id = "",
                                .name = name,
                                .status = "running",
                                .public_ip = "203.0.113.7",
                                .private_ip = "fd00::1",
                                .tags = world.tags,
                                .subject = "us-east-1/i-1"};
}

//  --- files of the operator

static void
try_servers (const char *text)
{
    reason_t why = {""};
    _cleanup_ (cml_servers_destroy) cml_servers_t *servers =
        cml_servers_new ("lab", in_file (text), &why);

    CHECK (servers || strstr (why.text, world.path));
    for (size_t i = 0; servers && i < cml_servers_count (servers); i++) {
        const cml_listed_t *listed = cml_servers_at (servers, i);
        collector_worker_t worker = some_worker (listed->name);
        cml_address_t address;
        worker.region = "lab";
        worker.instance_id = listed->id;
        CHECK (cml_servers_find (servers, &worker) == listed && listed->id [0]);
        CHECK (strspn (listed->id, "abcdefghijklmnopqrstuvwxyz0123456789-") == strlen (listed->id));
        CHECK (listed->id [0] != '-' && listed->id [strlen (listed->id) - 1] != '-');
        CHECK (cml_address_of (&address, listed->address, 443, &worker, &why) == 0);
        worker.region = "another";
        CHECK (!cml_servers_find (servers, &worker));
    }
}

//  `$` is the path of a file with a password. No other: what is read is not the fuzzer's to choose.
static void
try_logins (const char *text)
{
    _cleanup_ (buffer_clear) buffer_t filled = {0};
    reason_t why = {""};

    if (strchr (text, '/')) {
        return;
    }
    (void) in_file ("");
    buffer_text (&filled, "");
    for (const char *at = text; *at; at++) {
        buffer_append (&filled, *at == '$' ? world.password : at,
                       *at == '$' ? strlen (world.password) : 1);
    }
    _cleanup_ (cml_logins_destroy) cml_logins_t *logins =
        cml_logins_new ("", "", in_file (filled.data ? filled.data : ""), &why);
    CHECK (logins || strstr (why.text, world.path));
    for (int named = 0; logins && named < 2; named++) {
        collector_worker_t worker = some_worker (named ? "exam-1" : "");
        const cml_account_t *account = cml_logins_find (logins, &worker);
        CHECK (!account || (account->username [0] && strcmp (account->password, PASSWORD) == 0 &&
                            strlen (account->username) <= CML_USERNAME_MAX));
    }
}

//  The setting, then the worker's name.
static void
try_address (char *rest)
{
    const char *setting = strsep (&rest, "\n");
    collector_worker_t worker = some_worker (rest ? rest : "");
    cml_address_t address;
    reason_t why = {""};

    if (cml_address_check (setting, &why) < 0) {
        CHECK (why.text [0]);
    } else if (cml_address_of (&address, setting, 443, &worker, &why) < 0) {
        CHECK (why.text [0]);
    } else {
        CHECK (address.host [0] && !strpbrk (address.host, "/@?#% \t\r\n\\\"'[]{}"));
        CHECK (address.port >= 1 && address.port <= 65535);
    }
}

static void
try_keys (const char *text)
{
    bus_keys_settings_t settings = {.server_key = ""};
    bus_keys_t *keys = NULL;
    reason_t why = {""};

    snprintf (settings.key, sizeof settings.key, "%s", in_file (text));
    CHECK ((bus_keys_open_own (&keys, &settings, &why) == 0) == (keys != NULL));
    CHECK (keys || why.text [0]);
    bus_keys_destroy (&keys);
    snprintf (settings.server_key, sizeof settings.server_key, "%s", settings.key);
    CHECK ((bus_keys_open (&keys, &settings, &why) == 0) == (keys != NULL));
    CHECK (!keys || bus_keys_servers (keys) == 1);
    bus_keys_destroy (&keys);
}

//  --- the aggregator

static void
check_lease (const lease_list_t *list)
{
    CHECK (list->renew_ms >= 50 && list->ttl_ms >= list->renew_ms);
    CHECK (list->heard >= -1 && list->resend_count <= LEASE_RANGES_MAX);
    for (size_t i = 0; i < list->resend_count; i++) {
        CHECK (list->resend [i].from > 0 && list->resend [i].to >= list->resend [i].from);
    }
    for (size_t i = 0; i < list->regions_count; i++) {
        CHECK (list->regions [i]);
    }
    for (size_t i = 0; i < list->workers_count; i++) {
        const collector_worker_t *worker = &list->workers [i]->worker;
        size_t region = strlen (worker->region);
        CHECK (region > 0 && worker->instance_id [0] && worker->worker_id && worker->account_id &&
               worker->name && worker->status && worker->public_ip && worker->private_ip);
        CHECK (strncmp (worker->subject, worker->region, region) == 0 &&
               strcmp (worker->subject + region + 1, worker->instance_id) == 0);
    }
}

static void
try_lease (const char *text)
{
    _cleanup_ (json_destroy) struct json_object *answer = NULL;
    reason_t why = {""};
    lease_list_t list;

    if (json_parse (&answer, text, strlen (text), 1 << 16, &why) < 0) {
        return;
    }
    memset (&list, 0x55, sizeof list);
    lease_list_t before = list;
    if (lease_list_decode (&list, answer, &why) < 0) {
        CHECK (why.text [0] && memcmp (&list, &before, sizeof list) == 0);
        return;
    }
    check_lease (&list);
    lease_list_clear (&list);
}

static void
try_regions (const char *text)
{
    lease_list_t list = {0};

    CHECK (lease_list_configured (&list, text) == 0);
    for (size_t i = 0; i < list.regions_count; i++) {
        CHECK (list.regions [i][0] && !strpbrk (list.regions [i], ", "));
    }
    lease_list_clear (&list);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);
    char *rest = text;
    const char *kind = strsep (&rest, "\n");

    rest = rest ? rest : text + strlen (text);
    if (strcmp (kind, "servers") == 0) {
        try_servers (rest);
    } else if (strcmp (kind, "logins") == 0) {
        try_logins (rest);
    } else if (strcmp (kind, "address") == 0) {
        try_address (rest);
    } else if (strcmp (kind, "keys") == 0) {
        try_keys (rest);
    } else if (strcmp (kind, "lease") == 0) {
        try_lease (rest);
    } else if (strcmp (kind, "regions") == 0) {
        try_regions (rest);
    }
    return 0;
}
