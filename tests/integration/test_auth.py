"""Who may see and do what: tokens, JSON Web Tokens, sessions, roles; and that whoever may see a part of the fleet never
receives a byte about the rest.
SPDX-License-Identifier: MIT"""
import base64
import datetime
import hashlib
import http.server
import json
import re
import threading
import time

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

import harness
import outside
from harness import wait_until
from picture import Picture

EAST, WEST = "us-east-1", "eu-west-1"
HIDDEN = ("192.0.2.77", "10.77.0.1", "secret-tag")  # what a viewer is not told
TOKENS = {name: f"token-of-{name}" for name in ("viewer", "operator", "admin", "east", "few", "nobody")}


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def as_(name):
    return bearer(TOKENS[name])


def line(name, role, *options):
    return " ".join((name, role, "sha256:" + hashlib.sha256(TOKENS[name].encode()).hexdigest(), *options)) + "\n"


class Fleet:
    """Two regions with two workers each, told by a publisher, and a gateway where one has to log in."""

    def __init__(self, start, bus, tmp_path, *arguments, lines="", **more):
        self.bus, self.start, self.tokens = bus, start, tmp_path / "tokens"
        self.aggregator = start(harness.Aggregator, bus)
        self.open = start(harness.Gateway, bus, log_name="open")
        self.publisher = outside.Publisher(bus.ingest, "/collector/ec2/auth")
        self.publisher.until_heard(self.open, EAST, "i-0east0")
        self.mark(0)
        wait_until(lambda: len(self.open.workers()) == 4, "four workers")
        self.ids = {w["aws_instance_id"]: w["worker_id"] for w in self.open.workers()}
        self.write(line("viewer", "viewer") + line("operator", "operator") + line("admin", "admin") +
                   line("east", "viewer", f"regions={EAST}") +
                   line("few", "operator", f"worker_ids={self.ids['i-0west1']}") + lines)
        self.gateway = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", self.tokens, *arguments, **more)

    def write(self, text):
        new = self.tokens.with_suffix(".new")
        new.write_text(text)
        new.rename(self.tokens)

    def mark(self, value):
        for region, short in ((EAST, "east"), (WEST, "west")):
            for n in range(2):
                self.publisher.instance(region, f"i-0{short}{n}", name=f"{short}{n} mark {value}", public_ip=HIDDEN[0],
                                        private_ip=HIDDEN[1], tags={"note": HIDDEN[2]}, interval_seconds=3600)


@pytest.fixture
def fleet(start, bus, tmp_path):
    return Fleet(start, bus, tmp_path)


OPERATIONS = [(path, method) for path, item in
              json.loads((harness.ROOT / "common/schema/openapi.json").read_text())["paths"].items() for method in item]


def test_nobody_gets_nothing_and_is_told_how_to_log_in(fleet):
    for path, method in OPERATIONS:
        wanted = {"/healthz": 200, "/readyz": 200}.get(path, 401)
        for headers in ({}, bearer("nonsense"), {"Authorization": "Basic YTpi"}, {"Cookie": "cmlwatch_session=a.b"},
                        bearer(""), as_("nobody")):
            body = {"token": "nonsense"} if method in ("post", "put", "patch") else None
            status, answer, text = fleet.gateway.ask(path.replace("{id}", fleet.ids["i-0east0"]), method.upper(), body, headers)
            assert status == wanted, (path, method, headers, status)
            if wanted == 401:
                assert answer["WWW-Authenticate"] == 'Bearer realm="cmlwatch"' and answer["Cache-Control"] == "no-store"
                assert json.loads(text)["status"] == 401 and "east" not in text.decode()
    assert harness.metric(fleet.open.url, "cmlwatch_gateway_auth_total", result="refused") == 0
    status, _, text = fleet.gateway.ask("/metrics", headers=as_("viewer"))
    assert status == 200 and re.search(rb'cmlwatch_gateway_auth_total{result="refused"} [1-9]', text)


def test_page_and_schemas_are_for_anybody(fleet):
    for path in ("/", "/app.js", "/api/schema", "/api/schema/openapi.json"):
        assert fleet.gateway.ask(path, headers={})[0] == 200, path


def test_metrics_may_be_opened(start, bus, tmp_path):
    gateway = Fleet(start, bus, tmp_path, "--metrics-open").gateway

    assert gateway.ask("/metrics", headers={})[0] == 200 and gateway.ask("/api/state", headers={})[0] == 401


def test_roles_include_those_before_them(fleet):
    path = f"/api/workers/{fleet.ids['i-0east0']}/idle-detection"
    allowed = {"viewer": (200, 403, 403), "operator": (200, 202, 200), "admin": (200, 202, 200)}
    for name, wanted in allowed.items():
        got = (fleet.gateway.ask("/api/state", headers=as_(name))[0],
               fleet.gateway.ask(path, "PUT", {"enabled": True}, as_(name))[0],
               fleet.gateway.ask("/api/clients", headers=as_(name))[0])
        assert got == wanted, name
    status, _, text = fleet.gateway.ask(path, "PUT", {"enabled": True}, as_("viewer"))
    assert "operator" in json.loads(text)["detail"] and "viewer" in json.loads(text)["detail"]


def everything(fleet, name, worker):
    """All bytes that somebody can get: the state, live events, a replay, lists, counts, errors, another filter."""
    own = fleet.gateway.stream("?heartbeat=1", as_(name))
    assert own.status == 200
    own.wait("system.state.end", "the state")
    start_id = own.last_id
    fleet.mark(1)
    own.wait(lambda e: e.type == "worker.snapshot" and "mark 1" in e.raw and e.data["worker_id"] == worker, "a change")
    own.wait("heartbeat", "a beat")
    again = fleet.gateway.stream("?heartbeat=1", {**as_(name), "Last-Event-ID": start_id})
    again.wait("heartbeat", "a beat of the replay")
    client = own.events[0].data["client_id"]
    status, _, text = fleet.gateway.ask(f"/api/clients/{client}", "PATCH", {"regions": [EAST, WEST]}, as_(name))
    assert status == 200, text
    rhythm = fleet.gateway.stream("?heartbeat=1&max_hz=20&batch_ms=50", as_(name))
    rhythm.wait("heartbeat", "a beat")
    fleet.mark(2)
    for stream in (own, again, rhythm):
        stream.wait(lambda e: e.type == "worker.snapshot" and "mark 2" in e.raw and e.data["worker_id"] == worker, "a change")
        stream.wait("heartbeat", "a beat")
    texts = [text, own.bytes, again.bytes, rhythm.bytes]
    paths = ["/api/state", "/api/workers", f"/api/events?after={start_id}&limit=10000", "/api/clients"]
    for worker_id in fleet.ids.values():
        paths += [f"/api/workers/{worker_id}{part}" for part in ("", "/labs", "/activity", "/history?metric=cpu_utilization")]
    for path in paths:
        status, _, text = fleet.gateway.ask(path, headers=as_(name))
        texts.append(text.replace(path.split("/")[3].encode(), b"") if status == 404 else text)  # what it asked for itself
    return b"\n".join(texts), (own, again, rhythm)


def test_viewer_of_one_region_never_receives_a_byte_about_another(fleet):
    text, streams = everything(fleet, "east", fleet.ids["i-0east0"])

    for word in ("west", fleet.ids["i-0west0"], fleet.ids["i-0west1"], "system.stats", '"collector'):
        assert word.encode() not in text.replace(b"eu-west-1,us-east-1", b""), word  # the filter that it asked for itself
    assert b"i-0east1" in text and b"mark 2" in text
    begin = next(e for e in streams[0].events if e.type == "system.state.begin")
    assert begin.data["workers"] == 2
    state = json.loads(fleet.gateway.ask("/api/state", headers=as_("east"))[2])
    assert state["system_stats"]["total_workers"] == 2 and state["system_stats"]["by_region"] == {EAST: 2}
    assert fleet.gateway.ask(f"/api/workers/{fleet.ids['i-0west0']}", headers=as_("east"))[0] == 404
    other = fleet.gateway.ask(f"/api/workers/{'0' * 8}-0000-5000-8000-{'0' * 12}", headers=as_("east"))
    hidden = fleet.gateway.ask(f"/api/workers/{fleet.ids['i-0west0']}", headers=as_("east"))
    words = [json.loads(t[2])["detail"].rsplit("'", 2)[0] for t in (other, hidden)]
    assert words[0] == words[1], "one that is hidden is told as one that is not there"


def test_one_who_may_see_one_worker_sees_and_commands_that_alone(fleet):
    text, _ = everything(fleet, "few", fleet.ids["i-0west1"])

    for word in ("i-0east", "i-0west0", fleet.ids["i-0west0"], fleet.ids["i-0east0"], "system.stats"):
        assert word.encode() not in text, word
    for instance, status in (("i-0west1", 202), ("i-0west0", 404)):
        path = f"/api/workers/{fleet.ids[instance]}/idle-detection"
        assert fleet.gateway.ask(path, "PUT", {"enabled": False}, as_("few"))[0] == status


def test_viewer_is_told_null_where_masked_fields_stand_and_an_operator_all(fleet):
    viewer, _ = everything(fleet, "viewer", fleet.ids["i-0east0"])
    operator, _ = everything(fleet, "operator", fleet.ids["i-0east0"])

    for word in HIDDEN:
        assert word.encode() not in viewer and word.encode() in operator, word
    snapshot = json.loads(fleet.gateway.ask("/api/workers", headers=as_("viewer"))[2])["workers"][0]
    assert snapshot["public_ip"] is None and snapshot["aws_tags"] is None and snapshot["aws_instance_id"]


def test_masked_fields_are_chosen(start, bus, tmp_path):
    gateway = Fleet(start, bus, tmp_path, "--masked-fields", "private_ip").gateway

    worker = json.loads(gateway.ask("/api/workers", headers=as_("viewer"))[2])["workers"][0]
    assert worker["private_ip"] is None and worker["public_ip"] == HIDDEN[0]


@pytest.mark.parametrize("name", ["viewer", "east", "few", "operator"])
def test_everybody_can_prove_that_his_picture_is_the_servers(fleet, name):
    stream, picture = fleet.gateway.stream("?heartbeat=1", as_(name)), Picture()
    end = None
    while end is None or end.type != "heartbeat":
        end = stream.next()
        picture.take(end)
        if end.type == "system.state.end":
            assert end.data["digest"] == picture.digest()
            fleet.mark(7)
            stream.wait(lambda e: picture.take(e) or "mark 7" in e.raw, "a change")
    assert end.data["digest"] in (None, picture.digest())
    state = json.loads(fleet.gateway.ask("/api/state", headers=as_(name))[2])
    wait_until(lambda: (stream.wait(lambda e: picture.take(e) or e.type == "heartbeat", "a beat").data["digest"] ==
                        picture.digest() == json.loads(fleet.gateway.ask("/api/state", headers=as_(name))[2])["digest"]),
               "digests agree")
    assert state["digest"]


def test_gzip_streams_are_masked_too(fleet):
    import zlib
    stream = fleet.gateway.stream("?heartbeat=1", {**as_("viewer"), "Accept-Encoding": "gzip"})
    assert stream.headers["content-encoding"] == "gzip"
    inflate, plain = zlib.decompressobj(31), b""
    plain += inflate.decompress(stream.bytes)
    while b"heartbeat" not in plain.replace(b"heartbeat_seconds", b""):
        plain += inflate.decompress(stream.socket.recv(65536))
    assert b"i-0east0" in plain and HIDDEN[0].encode() not in plain


def test_token_that_is_taken_out_of_the_file_ends_its_streams_and_no_others(fleet):
    gone, stays = (fleet.gateway.stream("?heartbeat=1", as_(name)) for name in ("viewer", "operator"))
    for stream in (gone, stays):
        stream.wait("system.state.end", "the state")
    fleet.write(line("operator", "operator"))

    farewell = gone.wait("system.sse.shutdown", "the farewell")
    assert "log in" in farewell.data["message"] and gone.retry == farewell.data["retry_ms"]
    assert gone.next() is None and gone.ended
    assert fleet.gateway.ask("/api/state", headers=as_("viewer"))[0] == 401
    stays.wait("heartbeat", "it goes on")
    fleet.write("nonsense\n")  # and the file that follows it
    fleet.gateway.wait_log("tokens not read")
    assert fleet.gateway.ask("/api/state", headers=as_("operator"))[0] == 200


def test_token_whose_line_says_less_takes_it_from_the_sessions_and_streams_it_opened(fleet):
    sessions = {name: log_in(fleet.gateway, name)[1] for name in ("operator", "viewer", "admin", "east")}
    streams = {name: fleet.gateway.stream("?heartbeat=1", headers) for name, headers in sessions.items()}
    for stream in streams.values():
        stream.wait("system.state.end", "the state")
    fleet.write(line("operator", "viewer") + line("viewer", "viewer", f"regions={EAST}") +
                line("admin", "admin", f"expires={in_seconds(600)}") + line("east", "viewer", f"regions={EAST}"))

    for name in ("operator", "viewer", "admin"):
        streams[name].wait("system.sse.shutdown", f"the farewell of {name}")
        status, _, text = fleet.gateway.ask("/api/state", headers=sessions[name])
        assert status == 401 and b"log in again" in text, name
        assert fleet.gateway.ask("/api/state", headers=as_(name))[0] == 200, "the token is good for what it now says"
    path = f"/api/workers/{fleet.ids['i-0east0']}/idle-detection"
    assert fleet.gateway.ask(path, "PUT", {"enabled": True}, as_("operator"))[0] == 403
    streams["east"].wait("heartbeat", "its line is as it was: it goes on")
    assert fleet.gateway.ask("/api/state", headers=sessions["east"])[0] == 200


def in_seconds(seconds):
    return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)).isoformat()


def opened_before_its_end(opened):
    """opened(seconds) is a stream with a login for so long; on a machine that does not get as far as its state in time, for longer."""
    for seconds in (4, 12, 36):
        stream = opened(seconds)
        if stream.status == 200 and any(event.type == "system.state.end" for event in iter(stream.next, None)):
            return stream
    raise AssertionError(f"{stream.status}: no state within {seconds} s")


def test_stream_ends_when_its_token_does(fleet):
    def opened(seconds):
        fleet.write(line("nobody", "viewer", f"expires={in_seconds(seconds)}"))
        end = time.monotonic() + seconds
        wait_until(lambda: fleet.gateway.ask("/api/state", headers=as_("nobody"))[0] == 200 or time.monotonic() > end, "the new file is read")
        return fleet.gateway.stream("?heartbeat=1", as_("nobody"))
    stream = opened_before_its_end(opened)

    assert "expired" in stream.wait("system.sse.shutdown", "the farewell").data["message"]
    assert stream.next() is None
    assert fleet.gateway.ask("/api/state", headers=as_("nobody"))[0] == 401


# --- sessions


def log_in(gateway, name):
    status, headers, text = gateway.ask("/api/session", "POST", {"token": TOKENS[name]}, {})
    assert status == 201, text
    cookie = headers["Set-Cookie"]
    return cookie, {"Cookie": "theme=dark; " + cookie.split(";")[0] + "; x=y"}, json.loads(text)


def test_session_lets_a_browser_stream_and_ends(fleet):
    cookie, headers, told = log_in(fleet.gateway, "operator")

    attributes = [part.strip() for part in cookie.split(";")[1:]]
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(attributes) and "Secure" not in attributes
    assert told == {"auth": "token", "user": "operator", "role": "operator", "expires_at": told["expires_at"],
                    "limited": False, "masked": False}
    assert json.loads(fleet.gateway.ask("/api/session", headers=headers)[2]) == told
    stream = fleet.gateway.stream("?heartbeat=1", headers)
    assert stream.wait("connected", "it is open").data["user"] == "operator"
    assert TOKENS["operator"] not in cookie
    status, answer, _ = fleet.gateway.ask("/api/session", "DELETE", headers={**headers, "Origin": fleet.gateway.url})
    assert status == 204 and "Max-Age=0" in answer["Set-Cookie"]
    stream.wait("system.sse.shutdown", "the stream ends with it")
    assert fleet.gateway.ask("/api/session", headers=headers)[0] == 401


def test_command_with_a_cookie_comes_from_a_page_of_ours_or_not_at_all(start, bus, tmp_path):
    fleet = Fleet(start, bus, tmp_path, "--cors-origins", "https://ops.example.com")
    _, headers, _ = log_in(fleet.gateway, "operator")
    path = f"/api/workers/{fleet.ids['i-0east0']}/idle-detection"

    for origin, status in ((None, 403), ("https://evil.example.com", 403), ("null", 403), ("http://127.0.0.1", 403),
                           (fleet.gateway.url, 202), ("https://ops.example.com", 202)):
        more = {**headers, "Origin": origin} if origin else headers
        assert fleet.gateway.ask(path, "PUT", {"enabled": True}, more)[0] == status, origin
    assert fleet.gateway.ask(path, "PUT", {"enabled": True}, as_("operator"))[0] == 202, "a header is no cookie"


def test_session_holds_at_every_gateway_with_the_same_key_and_after_a_restart(start, bus, tmp_path):
    key = tmp_path / "key"
    key.write_text("k" * 40 + "\n")
    own = {"environment": {"CMLWATCH_GATEWAY_SESSION_KEY_FILE": str(key)}}
    fleet = Fleet(start, bus, tmp_path, **own)
    other = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", fleet.tokens, log_name="other", **own)
    third = start(harness.Gateway, bus, "--auth", "token", "--tokens-file", fleet.tokens, log_name="third")
    _, headers, _ = log_in(fleet.gateway, "east")
    fleet.gateway.kill()
    fleet.gateway.start()
    harness.wait_ready(fleet.gateway)

    for gateway, status in ((fleet.gateway, 200), (other, 200), (third, 401)):
        assert gateway.ask("/api/state", headers=headers)[0] == status
    assert b"west" not in other.ask("/api/workers", headers=headers)[2]
    fleet.write(line("operator", "operator"))
    wait_until(lambda: other.ask("/api/state", headers=headers)[0] == 401, "the session ends with its token")


def test_login_that_is_no_login_is_refused_and_says_what_would_be_right(fleet):
    for body, kind, status in (('{"token": "wrong"}', "application/json", 401), ('{"tok": 1}', "application/json", 400),
                               ("token=x", "application/x-www-form-urlencoded", 400), ("", "application/json", 400),
                               (json.dumps({"token": TOKENS["admin"]}), "text/plain", 400)):
        got, headers, text = harness.http(fleet.gateway.url + "/api/session", "POST", body, {"Content-Type": kind})
        assert got == status and "Set-Cookie" not in headers and json.loads(text)["detail"], body
    assert fleet.open.ask("/api/session", "POST", {"token": "x"})[0] == 409
    assert json.loads(fleet.open.ask("/api/session")[2])["auth"] == "none"


# --- JSON Web Tokens


def number(value):
    return base64.urlsafe_b64encode(value.to_bytes((value.bit_length() + 7) // 8, "big")).rstrip(b"=").decode()


class Key:
    def __init__(self, kid, algorithm):
        self.kid, self.algorithm = kid, algorithm
        if algorithm == "RS256":
            self.private = rsa.generate_private_key(65537, 2048)
            public = self.private.public_key().public_numbers()
            self.jwk = {"kty": "RSA", "n": number(public.n), "e": number(public.e)}
        elif algorithm == "ES256":
            self.private = ec.generate_private_key(ec.SECP256R1())
            public = self.private.public_key().public_numbers()
            self.jwk = {"kty": "EC", "crv": "P-256",
                        **{k: base64.urlsafe_b64encode(v.to_bytes(32, "big")).rstrip(b"=").decode()
                           for k, v in (("x", public.x), ("y", public.y))}}
        else:
            self.private = "s" * 40
            self.jwk = {"kty": "oct", "k": base64.urlsafe_b64encode(self.private.encode()).rstrip(b"=").decode()}
        self.jwk.update(kid=kid, alg=algorithm, use="sig")

    def token(self, headers=None, **claims):
        now = int(time.time())
        whole = {"iss": "https://issuer.test/", "aud": "cmlwatch", "sub": "ada", "exp": now + 600, "role": "operator", **claims}
        whole = {k: v for k, v in whole.items() if v is not None}
        return jwt.encode(whole, self.private, self.algorithm, {"kid": self.kid, **(headers or {})})


RSA, EC, HMAC = Key("rsa", "RS256"), Key("ec", "ES256"), Key("hmac", "HS256")


def jwt_arguments(keys, *more):
    return ("--auth", "jwt", "--jwt-issuer", "https://issuer.test/", "--jwt-audience", "cmlwatch", "--jwt-keys", keys,
            "--jwt-leeway-seconds", 0, *more)


class Issued:
    def __init__(self, start, bus, tmp_path, *more, keys=(RSA, EC, HMAC), place=None):
        self.path = tmp_path / "keys.json"
        self.write(keys)
        self.aggregator = start(harness.Aggregator, bus)
        self.gateway = start(harness.Gateway, bus, *jwt_arguments(place or self.path, *more))

    def write(self, keys):
        new = self.path.with_suffix(".new")
        new.write_text(json.dumps({"keys": [key.jwk for key in keys]}))
        new.rename(self.path)

    def status(self, token):
        status, headers, text = self.gateway.ask("/api/state", headers=bearer(token))
        assert status == 200 or json.loads(text)["detail"]
        return status

    def why(self, token):
        return json.loads(self.gateway.ask("/api/state", headers=bearer(token))[2])["detail"]


@pytest.fixture
def issued(start, bus, tmp_path):
    return Issued(start, bus, tmp_path, "--jwt-algorithms", "RS256,ES256,HS256", "--requests-per-second", 0)


def test_tokens_of_every_algorithm_are_known(issued):
    for key in (RSA, EC, HMAC):
        assert issued.status(key.token()) == 200
        told = json.loads(issued.gateway.ask("/api/session", headers=bearer(key.token()))[2])
        assert told["user"] == "ada" and told["role"] == "operator" and told["auth"] == "jwt"


def test_token_that_is_wrong_in_any_way_is_refused_and_says_why(issued):
    now, other = int(time.time()), Key("rsa", "RS256")
    pem = RSA.private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    confused = jwt.utils.base64url_encode
    head, body = confused(b'{"alg":"HS256","kid":"rsa"}'), RSA.token().split(".")[1].encode()
    import hmac
    mac = confused(hmac.new(pem, head + b"." + body, hashlib.sha256).digest())
    none = confused(b'{"alg":"none","kid":"rsa"}') + b"." + body + b"."
    for token, why in (
            (RSA.token(iss="https://other.test/"), "issuer"), (RSA.token(iss=None), "issuer"),
            (RSA.token(aud="other"), "audience"), (RSA.token(aud=["a", "b"]), "audience"), (RSA.token(aud=None), "audience"),
            (RSA.token(exp=now - 1), "expired"), (RSA.token(exp=None), "exp"), (EC.token(nbf=now + 3600), "not valid yet"),
            (RSA.token(role=None), "role"), (RSA.token(role="root"), "role"), (RSA.token(role=[]), "role"),
            (RSA.token(role={"admin": 1}), "role"), (RSA.token(sub=None), "sub"), (RSA.token(sub=""), "sub"),
            (RSA.token(regions=7), "regions"), (RSA.token(regions=[EAST, 7]), "regions"), (RSA.token(worker_ids={}), "worker_ids"),
            (other.token(), "signature"), (RSA.token({"kid": "unknown"}), "not known"), (EC.token({"kid": "rsa"}), "not known"),
            (RSA.token({"crit": ["x"]}), "crit"),
            ((head + b"." + body + b"." + mac).decode(), "not known"), (none.decode(), ""),
            (RSA.token()[:-10], "signature"), ("a.b.c", "no signed"), (RSA.token() + "x" * 500, "signature")):
        assert issued.status(token) == 401, (why, token)
        assert why in issued.why(token)
    assert issued.status(RSA.token()) == 200, "and it goes on"


def test_algorithm_that_is_not_allowed_is_refused(start, bus, tmp_path):
    issued = Issued(start, bus, tmp_path)  # RS256 and ES256 unless said otherwise

    assert [issued.status(key.token()) for key in (RSA, EC, HMAC)] == [200, 200, 401]
    assert "algorithm" in issued.why(HMAC.token())


def test_claims_say_the_role_and_what_is_seen(start, bus, tmp_path):
    issued = Issued(start, bus, tmp_path, "--jwt-role-claim", "realm_access.roles")
    publisher = outside.Publisher(bus.ingest, "/collector/ec2/jwt")
    admin = {"realm_access": {"roles": ["offline", "viewer", "admin"]}}
    issued.gateway.headers = bearer(RSA.token(**admin))
    publisher.until_heard(issued.gateway, EAST, "i-0e")
    publisher.until_heard(issued.gateway, WEST, "i-0w")

    assert json.loads(issued.gateway.ask("/api/session")[2])["role"] == "admin"
    for claims, seen in (({}, 2), ({"regions": [EAST]}, 1), ({"regions": f"{EAST} {WEST}"}, 2), ({"regions": f"{WEST},x"}, 1),
                         ({"regions": []}, 0), ({"regions": ""}, 0), ({"regions": [EAST], "worker_ids": ["x"]}, 0)):
        issued.gateway.headers = bearer(EC.token(**admin, **claims))
        assert len(issued.gateway.workers()) == seen, claims
    assert issued.status(RSA.token(role="admin")) == 401


def test_stream_ends_in_the_middle_when_its_token_expires(issued):
    stream = opened_before_its_end(lambda seconds: issued.gateway.stream("?heartbeat=1", bearer(RSA.token(exp=int(time.time()) + seconds))))

    farewell = stream.wait("system.sse.shutdown", "the farewell")
    assert "expired" in farewell.data["message"] and stream.retry and stream.next() is None


def test_file_of_keys_is_read_again_when_it_changes_and_a_wrong_one_changes_nothing(issued):
    new = Key("new", "ES256")
    assert issued.status(new.token()) == 401
    issued.write([new])
    wait_until(lambda: issued.status(new.token()) == 200, "the new key is known")
    assert issued.status(RSA.token()) == 401
    issued.path.write_text("{")
    issued.gateway.wait_log("key set refused")
    assert issued.status(new.token()) == 200


class KeyServer:
    def __init__(self):
        self.keys, self.status, self.asked = [RSA], 200, 0
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                owner.asked += 1
                self.send_response(owner.status)
                self.end_headers()
                self.wfile.write(json.dumps({"keys": [key.jwk for key in owner.keys]}).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def key_server():
    server = KeyServer()
    yield server
    server.server.shutdown()
    server.server.server_close()


def test_keys_come_from_the_issuer_and_a_new_one_is_asked_for(start, bus, tmp_path, key_server):
    issued = Issued(start, bus, tmp_path, place=key_server.url)
    wait_until(lambda: issued.status(RSA.token()) == 200, "the keys are there")
    assert key_server.asked == 1
    key_server.keys = [RSA, EC]

    wait_until(lambda: issued.status(EC.token()) == 200, "the new key is there")
    assert key_server.asked == 2, "for a key that is not known it is asked once in a while, not each time"
    key_server.status = 500
    assert issued.status(Key("never", "ES256").token()) in (401, 503)
    assert issued.status(RSA.token()) == 200


def test_without_keys_yet_a_stream_is_told_to_come_again_and_a_request_too(start, bus, tmp_path, key_server):
    key_server.status = 503
    issued = Issued(start, bus, tmp_path, place=key_server.url)
    issued.gateway.wait_log("key set not to be had")

    stream = issued.gateway.stream("", bearer(RSA.token()))
    assert stream.status == 200 and stream.next() is None and stream.retry == 3000
    status, headers, _ = issued.gateway.ask("/api/state", headers=bearer(RSA.token()))
    assert status == 503 and headers["Retry-After"]


# --- bounds


def test_streams_of_one_user_are_bounded_and_the_others_come_back_later(start, bus, tmp_path):
    fleet = Fleet(start, bus, tmp_path, "--streams-per-user", 2)
    streams = [fleet.gateway.stream("?heartbeat=1", as_("viewer")) for _ in range(2)]
    for stream in streams:
        stream.wait("connected", "it is open")

    third = fleet.gateway.stream("", as_("viewer"))
    assert third.status == 200 and third.next() is None and third.retry
    fleet.gateway.stream("", as_("operator")).wait("connected", "another user's")
    streams[0].close()

    def again():
        stream = fleet.gateway.stream("", as_("viewer"))
        return stream.next() is not None
    wait_until(again, "there is room again")


def test_requests_of_one_client_are_bounded(start, bus, tmp_path):
    fleet = Fleet(start, bus, tmp_path, "--requests-per-second", 1)  # two at once: more than a slow machine asks
    answers = [fleet.gateway.ask("/api/session", headers=as_("viewer")) for _ in range(40)]

    assert answers[0][0] == 200
    refused = next(headers for status, headers, _ in answers if status == 429)
    assert refused["Retry-After"]
    assert fleet.gateway.ask("/api/session", headers=as_("operator"))[0] == 200, "another user's are his own"
    fleet.gateway.stream("", as_("viewer")).wait("connected", "streams do not count")
    guesses = [fleet.gateway.ask("/api/events/stream", headers=bearer(f"guess {n}"))[0] for n in range(40)]
    assert guesses[0] == 401 and 429 in guesses, "guesses do"


def test_host_with_a_network_of_addresses_is_one_client(start, bus):
    start(harness.Aggregator, bus)
    gateway = start(harness.Gateway, bus, "--trusted-proxies", "127.0.0.0/8", "--requests-per-second", 1)
    ask = lambda address: gateway.ask("/api/session", headers={"X-Forwarded-For": address})[0]
    answers = [ask(f"2001:db8:1:2::{number:x}") for number in range(40)]

    assert answers[0] == 200 and 429 in answers
    assert ask("2001:db8:1:3::1") == 200, "its neighbour is another"
    assert {ask(f"198.51.100.{number}") for number in range(1, 40)} == {200}, "of IPv4 each address is"


def test_client_behind_a_trusted_proxy_is_known_by_its_word(start, bus, tmp_path):
    fleet = Fleet(start, bus, tmp_path, "--trusted-proxies", "127.0.0.0/8", "--access-log")
    other = start(harness.Gateway, bus, "--access-log", log_name="untrusting")
    forwarded = {"X-Forwarded-For": "6.6.6.6, 203.0.113.9"}
    stream = fleet.gateway.stream("?client=behind", {**as_("viewer"), **forwarded})
    stream.wait("connected", "it is open")

    clients = json.loads(fleet.gateway.ask("/api/clients", headers=as_("operator"))[2])["clients"]
    assert [(c["address"], c["user"]) for c in clients] == [("203.0.113.9", "viewer")]
    fleet.gateway.ask("/api/workers?limit=1", headers={**as_("east"), **forwarded})
    fleet.gateway.wait_log("client=203.0.113.9 user=east")
    other.ask("/api/workers", headers=forwarded)
    other.wait_log("client=127.0.0.1")
    assert "203.0.113.9" not in other.log
    cookie = fleet.gateway.ask("/api/session", "POST", {"token": TOKENS["viewer"]}, {"X-Forwarded-Proto": "https"})[1]["Set-Cookie"]
    assert cookie.endswith("; Secure")


def test_access_log_has_a_line_for_each_request_and_no_secret(start, bus, tmp_path):
    fleet = Fleet(start, bus, tmp_path, "--access-log")
    stream = fleet.gateway.stream("?heartbeat=1", as_("viewer"))
    stream.wait("connected", "it is open")
    stream.close()
    log_in(fleet.gateway, "operator")
    fleet.gateway.ask("/api/workers/nonsense%0aforged=1?a=b", headers=as_("viewer"))

    fleet.gateway.wait_log("path=/api/events/stream status=200")
    fleet.gateway.wait_log("method=POST path=/api/session status=201")
    fleet.gateway.wait_log("status=404")
    requests = [row for row in fleet.gateway.log.splitlines() if "msg=request" in row]
    assert all("took_us=" in row and "client=127.0.0.1" in row for row in requests)
    assert not any(row.startswith("forged") for row in fleet.gateway.log.splitlines())
    assert not any(token in fleet.gateway.log for token in TOKENS.values())
    assert "/readyz" not in fleet.gateway.log


# --- what is refused at the start


@pytest.mark.parametrize("arguments,words", [
    (("--listen", "0.0.0.0:0"), ("auth", "allow_unauthenticated_remote")),
    (("--auth", "token"), ("tokens_file",)),
    (("--drain-delay-ms", "5000"), ("drain_delay_ms = 5000", "drain_ms = 5000", "longer")),
    (("--auth", "token", "--tokens-file", "/nowhere"), ("/nowhere", "No such file")),
    (("--auth", "jwt"), ("jwt_issuer", "jwt_audience", "jwt_keys")),
    (jwt_arguments("http://127.0.0.1:1/", "--jwt-algorithms", "HS256"), ("HS256", "file")),
    (jwt_arguments("/x", "--jwt-algorithms", "none"), ("jwt_algorithms",)),
    (("--session-key", "short"), ("session_key", "32")),
    (("--masked-fields", "a b"), ("masked_fields",)),
    (("--trusted-proxies", "10.0.0.0/99"), ("trusted_proxies", "10.0.0.0/99")),
    (("--tls-certificate", "/x"), ("tls_certificate", "tls_key")),
    (("--tls-certificate", "/x", "--tls-key", "/y"), ("/x",)),
])
def test_configuration_that_cannot_be_meant_is_refused(tmp_path, arguments, words):
    import subprocess
    done = subprocess.run([harness.BUILD / "cmlwatch-gateway", "--check-config", *map(str, arguments)], capture_output=True,
                          text=True, timeout=harness.PATIENCE)
    assert done.returncode == 2
    for word in words:
        assert word in done.stderr, done.stderr


def test_tokens_are_not_sent_in_the_clear_beyond_loopback_unless_told(tmp_path):
    import subprocess
    tokens = tmp_path / "tokens"
    tokens.write_text(line("viewer", "viewer"))
    for more, code in (((), 2), (("--allow-cleartext-remote",), 0)):
        done = subprocess.run([harness.BUILD / "cmlwatch-gateway", "--check-config", "--listen", "0.0.0.0:8080", "--auth",
                               "token", "--tokens-file", tokens, *more], capture_output=True, text=True, timeout=harness.PATIENCE)
        assert done.returncode == code, done.stderr
