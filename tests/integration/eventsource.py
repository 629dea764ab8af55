"""eventsource - a parser of text/event-stream by the letter of the HTML standard, section 9.2.6.

An independent reader of what the gateway writes: bytes go in, in any pieces; events come out.
SPDX-License-Identifier: MIT"""
import codecs


class Parser:
    def __init__(self):
        self.decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self.begun, self.after_cr, self.line = False, False, []
        self.data, self.type, self.id_buffer = [], "", ""
        self.events, self.retry, self.last_event_id = [], None, ""

    def feed(self, data):
        for character in self.decoder.decode(data):
            if not self.begun:
                self.begun = True
                if character == "\ufeff":
                    continue
            if character == "\n" and self.after_cr:
                self.after_cr = False
                continue
            self.after_cr = character == "\r"
            if character in "\r\n":
                self.take("".join(self.line))
                self.line = []
            else:
                self.line.append(character)
        return self.events

    def take(self, line):
        if line == "":
            self.dispatch()
        elif not line.startswith(":"):
            field, _, value = line.partition(":")
            self.field(field, value[1:] if value.startswith(" ") else value)

    def field(self, name, value):
        if name == "event":
            self.type = value
        elif name == "data":
            self.data.append(value)
        elif name == "id" and "\0" not in value:
            self.id_buffer = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value)

    def dispatch(self):
        self.last_event_id = self.id_buffer
        data, kind, self.data, self.type = self.data, self.type, [], ""
        if data:
            self.events.append((kind or "message", "\n".join(data), self.last_event_id))


def parse(data):
    parser = Parser()
    parser.feed(data)
    return parser
