"""otlp - an OpenTelemetry collector on loopback that takes nothing at its word.

MESSAGES is opentelemetry-proto's schema as far as metrics and traces go: number, name in JSON, type.
A request must be what OTLP's JSON encoding says (check): names of the schema in lowerCamelCase and no
others, enums and 32-bit integers as numbers, 64-bit ones as decimal texts, ids as lower-case hex of
their length, nothing null, no key twice. Then protobuf's own json_format parses it with the same
schema (ids made base64 before, for there OTLP differs from protobuf), and what the schema cannot say is
looked at: unique attributes, times in order, buckets that add up.
SPDX-License-Identifier: MIT
"""
import base64
import http.server
import json
import re
import threading
import time

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

MESSAGES = {
    "AnyValue": "1 stringValue string =value, 2 boolValue bool =value, 3 intValue int64 =value, "
                "4 doubleValue double =value, 5 arrayValue ArrayValue =value, "
                "6 kvlistValue KeyValueList =value, 7 bytesValue bytes =value",
    "ArrayValue": "1 values *AnyValue",
    "KeyValueList": "1 values *KeyValue",
    "KeyValue": "1 key string, 2 value AnyValue",
    "InstrumentationScope": "1 name string, 2 version string, 3 attributes *KeyValue, "
                            "4 droppedAttributesCount uint32",
    "Resource": "1 attributes *KeyValue, 2 droppedAttributesCount uint32",
    "ExportTraceServiceRequest": "1 resourceSpans *ResourceSpans",
    "ResourceSpans": "1 resource Resource, 2 scopeSpans *ScopeSpans, 3 schemaUrl string",
    "ScopeSpans": "1 scope InstrumentationScope, 2 spans *Span, 3 schemaUrl string",
    "Span": "1 traceId bytes, 2 spanId bytes, 3 traceState string, 4 parentSpanId bytes, 16 flags fixed32, "
            "5 name string, 6 kind SpanKind, 7 startTimeUnixNano fixed64, 8 endTimeUnixNano fixed64, "
            "9 attributes *KeyValue, 10 droppedAttributesCount uint32, 11 events *Event, "
            "12 droppedEventsCount uint32, 13 links *Link, 14 droppedLinksCount uint32, 15 status Status",
    "Event": "1 timeUnixNano fixed64, 2 name string, 3 attributes *KeyValue, 4 droppedAttributesCount uint32",
    "Link": "1 traceId bytes, 2 spanId bytes, 3 traceState string, 4 attributes *KeyValue, "
            "5 droppedAttributesCount uint32, 6 flags fixed32",
    "Status": "2 message string, 3 code StatusCode",
    "ExportMetricsServiceRequest": "1 resourceMetrics *ResourceMetrics",
    "ResourceMetrics": "1 resource Resource, 2 scopeMetrics *ScopeMetrics, 3 schemaUrl string",
    "ScopeMetrics": "1 scope InstrumentationScope, 2 metrics *Metric, 3 schemaUrl string",
    "Metric": "1 name string, 2 description string, 3 unit string, 5 gauge Gauge =data, 7 sum Sum =data, "
              "9 histogram Histogram =data, 12 metadata *KeyValue",
    "Gauge": "1 dataPoints *NumberDataPoint",
    "Sum": "1 dataPoints *NumberDataPoint, 2 aggregationTemporality AggregationTemporality, 3 isMonotonic bool",
    "Histogram": "1 dataPoints *HistogramDataPoint, 2 aggregationTemporality AggregationTemporality",
    "NumberDataPoint": "7 attributes *KeyValue, 2 startTimeUnixNano fixed64, 3 timeUnixNano fixed64, "
                       "4 asDouble double =value, 6 asInt sfixed64 =value, 8 flags uint32",
    "HistogramDataPoint": "9 attributes *KeyValue, 2 startTimeUnixNano fixed64, 3 timeUnixNano fixed64, "
                          "4 count fixed64, 5 sum double =_sum, 6 bucketCounts *fixed64, 7 explicitBounds *double, "
                          "10 flags uint32, 11 min double =_min, 12 max double =_max",
}
ENUMS = {
    "SpanKind": ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"],
    "StatusCode": ["UNSET", "OK", "ERROR"],
    "AggregationTemporality": ["UNSPECIFIED", "DELTA", "CUMULATIVE"],
}
ID_BYTES = {"traceId": 16, "spanId": 8, "parentSpanId": 8}
SPAN_KINDS = {name: number for number, name in enumerate(ENUMS["SpanKind"])}
INTEGERS_AS_TEXT = ("int64", "uint64", "fixed64", "sfixed64")
INTEGERS = ("uint32", "fixed32", "int32")


def fields(message):
    """{name in JSON: (number, type, repeated, oneof)}"""
    found = {}
    for row in MESSAGES[message].split(", "):
        number, name, kind, *oneof = row.split()
        found[name] = (int(number), kind.lstrip("*"), kind.startswith("*"), oneof[0][1:] if oneof else None)
    return found


def _descriptor():
    file = descriptor_pb2.FileDescriptorProto(name="otlp.proto", package="otlp", syntax="proto3")
    Field = descriptor_pb2.FieldDescriptorProto
    for name, values in ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=f"{name}_{value}", number=number)
    for name in MESSAGES:
        message = file.message_type.add(name=name)
        oneofs = []
        for json_name, (number, kind, repeated, oneof) in fields(name).items():
            field = message.field.add(name=re.sub(r"([A-Z])", lambda m: "_" + m[1].lower(), json_name),
                                      json_name=json_name, number=number,
                                      label=Field.LABEL_REPEATED if repeated else Field.LABEL_OPTIONAL)
            if kind in MESSAGES or kind in ENUMS:
                field.type = Field.TYPE_MESSAGE if kind in MESSAGES else Field.TYPE_ENUM
                field.type_name = f".otlp.{kind}"
            else:
                field.type = getattr(Field, f"TYPE_{kind.upper()}")
            if oneof:
                if oneof not in oneofs:
                    oneofs.append(oneof)
                    message.oneof_decl.add(name=oneof)
                field.oneof_index = oneofs.index(oneof)
                field.proto3_optional = oneof.startswith("_")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


POOL = _descriptor()


def message_class(name):
    return message_factory.MessageFactory(POOL).GetPrototype(POOL.FindMessageTypeByName(f"otlp.{name}"))


def _check_value(kind, name, value, where):
    if kind in MESSAGES:
        check(kind, value, where)
    elif kind in ENUMS:
        assert type(value) is int and 0 <= value < len(ENUMS[kind]), f"{where}: {value!r} is no number of {kind}"
    elif kind in INTEGERS_AS_TEXT:
        assert isinstance(value, str) and re.fullmatch(r"0|-?[1-9][0-9]*", value), f"{where}: {value!r} is no decimal text"
        low = 0 if kind in ("uint64", "fixed64") else -2**63
        assert low <= int(value) < (2**64 if low == 0 else 2**63), f"{where}: {value} does not fit"
    elif kind in INTEGERS:
        assert type(value) is int and 0 <= value < 2**32, f"{where}: {value!r} is no {kind}"
    elif kind == "double":
        assert type(value) in (int, float) or value in ("NaN", "Infinity", "-Infinity"), f"{where}: {value!r} is no double"
    elif kind == "bool":
        assert type(value) is bool, f"{where}: {value!r} is no boolean"
    elif kind == "bytes":
        assert name in ID_BYTES, f"{where}: only ids are bytes here"
        assert isinstance(value, str) and re.fullmatch(f"[0-9a-f]{{{2 * ID_BYTES[name]}}}", value), f"{where}: {value!r}"
        assert set(value) != {"0"}, f"{where}: an id of zeros is none"
    else:
        assert kind == "string" and isinstance(value, str), f"{where}: {value!r} is no text"


def check(message, value, where=""):
    """The value is what OTLP's JSON encoding of this message may be."""
    where = where or message
    assert isinstance(value, dict), f"{where} is no object: {value!r}"
    known, oneofs = fields(message), set()
    for name, member in value.items():
        assert name in known, f"{where} has no '{name}'"
        _, kind, repeated, oneof = known[name]
        assert oneof not in oneofs or oneof is None, f"{where}: two of {oneof}"
        oneofs.add(oneof)
        if repeated:
            assert isinstance(member, list), f"{where}.{name} is no array"
        for index, one in enumerate(member if repeated else [member]):
            _check_value(kind, name, one, f"{where}.{name}[{index}]" if repeated else f"{where}.{name}")
    if message in ("Span", "NumberDataPoint", "HistogramDataPoint", "Resource"):
        keys = [each["key"] for each in value.get("attributes", [])]
        assert len(keys) == len(set(keys)), f"{where}: an attribute twice: {keys}"


def _no_key_twice(pairs):
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"a key twice: {keys}"
    return dict(pairs)


def _ids_as_base64(value):
    if isinstance(value, list):
        return [_ids_as_base64(one) for one in value]
    if isinstance(value, dict):
        return {key: base64.b64encode(bytes.fromhex(one)).decode() if key in ID_BYTES else _ids_as_base64(one)
                for key, one in value.items()}
    return value


def attributes(value):
    def plain(any_value):
        (kind, inner), = any_value.items()
        return int(inner) if kind == "intValue" else inner
    return {each["key"]: plain(each["value"]) for each in value.get("attributes", [])}


def _check_metric(metric):
    assert metric["name"] and len({"sum", "gauge", "histogram"} & set(metric)) == 1
    data = next(metric[kind] for kind in ("sum", "gauge", "histogram") if kind in metric)
    assert data["dataPoints"], f"{metric['name']}: no points"
    for point in data["dataPoints"]:
        assert int(point["timeUnixNano"]) > 0
        if "gauge" not in metric:
            assert data["aggregationTemporality"] == 2
            assert 0 < int(point["startTimeUnixNano"]) <= int(point["timeUnixNano"])
        if "sum" in metric:
            assert data["isMonotonic"] is True and point["asDouble"] >= 0
        if "histogram" in metric:
            assert len(point["bucketCounts"]) == len(point["explicitBounds"]) + 1
            assert sum(map(int, point["bucketCounts"])) == int(point["count"])
            assert point["explicitBounds"] == sorted(set(point["explicitBounds"]))
    series = [json.dumps(sorted(attributes(point).items())) for point in data["dataPoints"]]
    assert len(series) == len(set(series)), f"{metric['name']}: a series twice"


def _check_span(span):
    assert {"traceId", "spanId", "name", "kind", "startTimeUnixNano", "endTimeUnixNano", "flags"} <= set(span)
    assert span["name"] and span["kind"] in range(1, 6)
    assert 0 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    assert span["flags"] & 1, "what is exported is sampled"


def parse(path, body):
    """The request, when nothing at all is wrong with it; else AssertionError or protobuf's ParseError."""
    name = {"/v1/traces": "ExportTraceServiceRequest", "/v1/metrics": "ExportMetricsServiceRequest"}[path]
    request = json.loads(body.decode(), object_pairs_hook=_no_key_twice)
    check(name, request)
    parsed = json_format.ParseDict(_ids_as_base64(request), message_class(name)())
    assert len(parsed.SerializeToString()) > 0
    outer, inner, items = (("resourceSpans", "scopeSpans", "spans") if path == "/v1/traces"
                           else ("resourceMetrics", "scopeMetrics", "metrics"))
    for resource in request[outer]:
        who = attributes(resource["resource"])
        assert {"service.name", "service.version", "service.instance.id"} <= set(who) and all(who.values())
        for scope in resource[inner]:
            assert scope["scope"]["name"] == "cmlwatch"
            if items == "metrics":
                names = [metric["name"] for metric in scope[items]]
                assert len(names) == len(set(names)), "a metric twice"
            for item in scope[items]:
                (_check_span if items == "spans" else _check_metric)(item)
    return request


class Request:
    def __init__(self, path, headers, body, parsed):
        self.path, self.headers, self.body, self.parsed = path, headers, body, parsed
        self.at = time.monotonic()


class Receiver:
    """POST /v1/traces and /v1/metrics. answer(path, number) gives (status, headers, body), or None to
    say nothing until the end; what was wrong with any request is in faults, which close() raises."""

    def __init__(self, port=0, answer=None):
        receiver = self
        self.requests, self.faults, self.ended = [], [], threading.Event()
        self.answer = answer or (lambda path, number: (200, {}, b"{}"))

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                try:
                    assert self.headers["Content-Type"] == "application/json", self.headers["Content-Type"]
                    request = Request(self.path, self.headers, body, parse(self.path, body))
                except Exception as fault:  # of any kind: it is the request's
                    receiver.faults.append(f"{self.path}: {fault!r}\n{body[:2000]!r}")
                    self.reply(400, {}, b"{}")
                    return
                receiver.requests.append(request)
                answer = receiver.answer(self.path, sum(r.path == self.path for r in receiver.requests))
                if answer is None:
                    receiver.ended.wait()
                    self.close_connection = True
                    return
                self.reply(*answer)

            def reply(self, status, headers, body):
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()
        assert not self.faults, "\n".join(self.faults)

    def of(self, path, service=None):
        outer = "resourceSpans" if path == "/v1/traces" else "resourceMetrics"
        return [r for r in list(self.requests) if r.path == path
                and (service is None or attributes(r.parsed[outer][0]["resource"])["service.name"] == service)]

    def spans(self):
        """All spans, with their service and attributes as plain values."""
        return [{**span, "service": attributes(resource["resource"])["service.name"], "plain": attributes(span)}
                for request in self.of("/v1/traces") for resource in request.parsed["resourceSpans"]
                for scope in resource["scopeSpans"] for span in scope["spans"]]

    def metrics(self, service):
        """Of each of the service's requests: {name: metric}."""
        return [{metric["name"]: metric for scope in request.parsed["resourceMetrics"][0]["scopeMetrics"]
                 for metric in scope["metrics"]} for request in self.of("/v1/metrics", service)]
