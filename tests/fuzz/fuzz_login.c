//  What says who somebody is, by the first line: `claims` (signed here with the issuer's key), `signed` (the
//  token's header, then claims, likewise), `keys` (an issuer's set, then a token), `token`, `cookie`, `seal` (name, regions, workers: what comes back out of a cookie), `tokens` (their file),
//  `mask` (names, then JSON), `proxies` (list, then X-Forwarded-For). Nobody is let in by chance.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/log.h"
#include "../../gateway/issuer.h"
#include "../../gateway/jws.h"
#include "../../gateway/mask.h"
#include "../../gateway/proxies.h"
#include "../../gateway/session.h"
#include "../../gateway/tokens.h"

#include <gnutls/crypto.h>
#include <orcania.h>
#include <sys/mman.h>

#define KEY "0123456789abcdef0123456789abcdef"
#define KEY_SET \
    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\"}]}"
#define HEAD     "eyJhbGciOiJIUzI1NiJ9"  //  {"alg":"HS256"}
#define NOW      ((time_us_t) 1800000000 * SECOND_US)
#define TEXT_MAX 4096
#define ALL      (JWS_HS256 | JWS_RS256 | JWS_ES256)

static struct {
    loop_t *loop;
    metrics_t *metrics;
    issuer_t *issuer;
    jws_keys_t *keys;
    sessions_t *sessions, *others;
} world;

//  A file of this text that lies nowhere.
static void
in_memory (const char *text, char path [40])
{
    int fd = memfd_create ("fuzz", 0);

    CHECK (fd >= 0 && write (fd, text, strlen (text)) == (ssize_t) strlen (text));
    snprintf (path, 40, "/proc/self/fd/%d", fd);
}

static void
start (void)
{
    static char path [40];
    reason_t why = {""};

    log_open ("fuzz", LOG_LEVEL_ERROR + 1, LOG_FORMAT_LOGFMT);
    in_memory (KEY_SET, path);
    world.loop = loop_new (1000);
    world.metrics = metrics_new (100);
    issuer_settings_t settings = {.issuer = "i",
                                  .audience = "a",
                                  .algorithms = "HS256",
                                  .keys = path,
                                  .role_claim = "role.at",
                                  .ca_file = "",
                                  .refresh_seconds = 600};
    world.issuer = issuer_new (world.loop, NULL, &settings, world.metrics, &why);
    world.keys = jws_keys_new (KEY_SET, &why);
    world.sessions = sessions_new (KEY, 3600, &why);
    world.others = sessions_new ("", 3600, &why);
    CHECK (world.issuer && world.keys && world.sessions && world.others);
}

static void
append_base64 (buffer_t *out, const void *bytes, size_t size)
{
    size_t length = 0;
    char *place = buffer_reserve (out, size * 2 + 4);

    CHECK (place &&
           (size == 0 || o_base64url_encode (bytes, size, (unsigned char *) place, &length)));
    out->size += length;
}

static void
append_signed (buffer_t *token, const char *claims)
{
    unsigned char mac [32];

    buffer_text (token, ".");
    append_base64 (token, claims, strlen (claims));
    CHECK (gnutls_hmac_fast (GNUTLS_MAC_SHA256, KEY, strlen (KEY), token->data, token->size, mac) ==
           0);
    buffer_text (token, ".");
    append_base64 (token, mac, sizeof mac);
}

static void
try_claims (const char *claims)
{
    _cleanup_ (buffer_clear) buffer_t token = {0};
    identity_t *identity = NULL;
    reason_t why = {""};

    buffer_text (&token, HEAD);
    append_signed (&token, claims);
    if (issuer_identify (world.issuer, token.data, token.size, NOW, &identity, &why) < 0) {
        CHECK (!identity && why.text [0]);
        return;
    }
    CHECK (identity->role >= ROLE_VIEWER && identity->name [0] && identity->expires_at > NOW);
    CHECK (strstr (claims, "iss") || strchr (claims, '\\'));
    identity_release (&identity);
}

//  A right signature is not enough: it is to be of the algorithm that the header says, with nothing demanded.
static void
try_signed (char *rest)
{
    const char *header = strsep (&rest, "\n");
    _cleanup_ (buffer_clear) buffer_t token = {0}, claims = {0};
    _cleanup_ (json_destroy) struct json_object *tree = NULL;
    reason_t why = {""};

    append_base64 (&token, header, strlen (header));
    append_signed (&token, rest ? rest : "");
    if (jws_verify (world.keys, ALL, token.data, token.size, &claims, &why) < 0) {
        CHECK (claims.size == 0 && why.text [0]);
        return;
    }
    CHECK (json_parse (&tree, header, strlen (header), strlen (header), &why) == 0);
    const char *algorithm = json_get_text (tree, "alg");
    CHECK (algorithm && strcmp (algorithm, "HS256") == 0 && !json_get (tree, "crit"));
    CHECK (claims.size > 0 && claims.data [0] == '{');
}

static void
try_keys (char *rest)
{
    const char *set = strsep (&rest, "\n");
    _cleanup_ (buffer_clear) buffer_t claims = {0};
    reason_t why = {""};
    jws_keys_t *keys = jws_keys_new (set, &why);

    CHECK (keys ? jws_keys_count (keys) > 0 : why.text [0] != '\0');
    if (keys && rest && jws_verify (keys, ALL, rest, strlen (rest), &claims, &why) < 0) {
        CHECK (claims.size == 0 && why.text [0]);
    }
    jws_keys_destroy (&keys);
}

static void
try_token (const char *token)
{
    _cleanup_ (buffer_clear) buffer_t claims = {0};
    reason_t why = {""};

    if (jws_verify (world.keys, ALL, token, strlen (token), &claims, &why) < 0) {
        CHECK (claims.size == 0 && why.text [0]);
    }
}

static void
try_seal (char *rest)
{
    const char *name = strsep (&rest, "\n"), *regions = strsep (&rest, "\n");
    _cleanup_ (identity_release) identity_t *identity =
        identity_new (name ? name : "", ROLE_OPERATOR);
    _cleanup_ (buffer_clear) buffer_t cookie = {0}, before = {0}, after = {0};
    reason_t why = {""};
    time_us_t expires = 0;

    if ((regions && view_limit_regions (identity->view, regions, &why) < 0) ||
        (rest && view_limit_workers (identity->view, rest, &why) < 0) ||
        sessions_seal (world.sessions, identity, NOW, &cookie, &expires) < 0) {
        return;
    }
    CHECK (cookie.size <= SESSION_BYTES_MOST && !strpbrk (cookie.data, "; \r\n"));
    CHECK (!sessions_open (world.others, cookie.data, cookie.size, NOW, &why));
    _cleanup_ (identity_release) identity_t *back =
        sessions_open (world.sessions, cookie.data, cookie.size, NOW, &why);
    CHECK (back && strcmp (back->name, identity->name) == 0 && back->role == ROLE_OPERATOR);
    CHECK (back->view->by_region == identity->view->by_region);
    CHECK (back->view->by_worker == identity->view->by_worker);
    view_write_key (identity->view, &before);
    view_write_key (back->view, &after);
    CHECK (before.size == after.size &&
           (before.size == 0 || strcmp (before.data, after.data) == 0));
}

static void
try_tokens (const char *text)
{
    char path [40];
    reason_t why = {""};

    in_memory (text, path);
    tokens_t *tokens = tokens_new (path, &why);
    CHECK (tokens || why.text [0]);
    if (tokens) {
        CHECK (!tokens_find (tokens, text, strlen (text)) || strstr (text, "sha256:"));
    }
    tokens_destroy (&tokens);
    close (atoi (path + strlen ("/proc/self/fd/")));
}

static void
try_mask (char *rest)
{
    const char *names = strsep (&rest, "\n");
    reason_t why = {""};
    _cleanup_ (mask_destroy) mask_t *mask = mask_new (names, &why);
    _cleanup_ (buffer_clear) buffer_t once = {0}, twice = {0};
    size_t size = rest ? strlen (rest) : 0;

    if (!mask || size == 0) {
        return;
    }
    (void) mask_write (mask, rest, size, &once);
    struct json_object *before = NULL, *after = NULL;
    if (!strpbrk (rest, "'/") && json_parse (&before, rest, size, size, &why) == 0) {
        (void) mask_write (mask, once.data, once.size, &twice);
        CHECK (once.size == twice.size && memcmp (once.data, twice.data, once.size) == 0);
        CHECK (json_parse (&after, once.data, once.size, once.size, &why) == 0);
    }
    json_destroy (&before);
    json_destroy (&after);
}

static void
try_proxies (char *rest)
{
    const char *list = strsep (&rest, "\n");
    reason_t why = {""};
    char text [PROXIES_ADDRESS_SIZE];
    struct in6_addr peer = {.s6_addr = {[10] = 0xff, [11] = 0xff, [12] = 192, [15] = 1}};
    _cleanup_ (proxies_destroy) proxies_t *proxies = proxies_new (list, &why);

    if (proxies) {
        struct in6_addr client = proxies_client (proxies, &peer, rest);
        CHECK (proxies_text (&client, text));
        CHECK (proxies_trust (proxies, &peer) || memcmp (&client, &peer, sizeof peer) == 0);
    }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    if (!world.loop) {
        start ();
    }
    if (size > TEXT_MAX) {
        return 0;
    }
    _cleanup_ (string_destroy) char *text = fuzz_text (data, size);
    char *rest = text;
    const char *kind = strsep (&rest, "\n");
    reason_t why = {""};

    rest = rest ? rest : text + strlen (text);
    if (strcmp (kind, "claims") == 0) {
        try_claims (rest);
    } else if (strcmp (kind, "signed") == 0) {
        try_signed (rest);
    } else if (strcmp (kind, "keys") == 0) {
        try_keys (rest);
    } else if (strcmp (kind, "token") == 0) {
        try_token (rest);
    } else if (strcmp (kind, "cookie") == 0) {
        CHECK (!sessions_open (world.others, rest, strlen (rest), NOW, &why));
    } else if (strcmp (kind, "seal") == 0) {
        try_seal (rest);
    } else if (strcmp (kind, "tokens") == 0) {
        try_tokens (rest);
    } else if (strcmp (kind, "mask") == 0) {
        try_mask (rest);
    } else if (strcmp (kind, "proxies") == 0) {
        try_proxies (rest);
    }
    return 0;
}
