//  A message of the feed: the header's line, a newline, the JSON. What is read is written the same
//  again, and goes into log and replica as the feed's client puts it there.
//  SPDX-License-Identifier: MIT

#include "fuzz.h"

#include "../../common/cleanup.h"
#include "../../common/json.h"
#include "../../gateway/event_log.h"
#include "../../gateway/replica.h"

static void
check_written_again (const feed_header_t *header)
{
    _cleanup_ (buffer_clear) buffer_t first = {0}, second = {0};
    feed_header_t again;

    feed_header_write (&first, header);
    CHECK (feed_header_parse (&again, first.data, first.size, NULL) == 0);
    feed_header_write (&second, &again);
    CHECK (strcmp (first.data, second.data) == 0);
    CHECK (again.kind == header->kind && again.seq == header->seq && again.type == header->type);
}

static void
keep (feed_header_t *header, const char *json, size_t size)
{
    replica_t *replica = replica_new (NULL);
    event_log_t *log = event_log_new (4, 1 << 20);
    uint64_t digest = 0;

    CHECK (replica && log);
    event_log_reset (log, header->epoch, header->seq - 1);
    if (header->seq > 0) {
        CHECK (event_log_append (log, header, json, size));
        frame_t *frame = event_log_get (log, header->seq);
        CHECK (frame && frame->size >= size);
        CHECK (memcmp (frame->bytes + frame->json_offset, json, size) == 0);
        size_t data_size = 0;
        const char *data = frame_data (frame, &data_size),
                   *begin = frame->bytes + frame->json_offset;
        CHECK (data >= begin && data + data_size <= begin + size && data_size <= size);
    }
    if (header->snapshot_size > 0 && header->snapshot_offset + header->snapshot_size < size) {
        _cleanup_ (buffer_clear) buffer_t snapshot = {0}, out = {0};
        json_writer_t writer = json_writer (&out);
        buffer_append (&snapshot, json + header->snapshot_offset, header->snapshot_size);
        buffer_text (&snapshot, "}");
        bool is_object = *snapshot.data == '{';
        CHECK (replica_put (replica, header, snapshot.data, snapshot.size) == 0);
        CHECK (replica_put (replica, header, snapshot.data, snapshot.size) == 0);
        CHECK (replica_size (replica) == is_object);
        const replica_worker_t *worker = replica_find (replica, header->worker_id);
        CHECK (!worker == !is_object && replica_digest (replica, false, &digest));
        if (worker) {
            CHECK (worker->seq == header->seq);
            replica_write_worker (worker, NULL, &writer);
            CHECK (out.size == snapshot.size);
            CHECK (memcmp (out.data, snapshot.data, snapshot.size) == 0);
        }
        replica_remove (replica, header);
        CHECK (replica_size (replica) == 0 && replica_digest (replica, false, &digest) &&
               digest == 0);
    }
    event_log_destroy (&log);
    replica_destroy (&replica);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr (data, '\n', size) : NULL;
    size_t line = end ? (size_t) (end - data) : size;
    reason_t why = {""};
    feed_header_t header, before;

    memset (&header, 0x55, sizeof header);
    before = header;
    if (feed_header_parse (&header, (const char *) data, line, &why) < 0) {
        CHECK (why.text [0]);
        CHECK (memcmp (&before, &header, sizeof header) == 0);
        return 0;
    }
    CHECK (header.snapshot_offset + header.snapshot_size >= header.snapshot_size);
    check_written_again (&header);
    if (end) {
        keep (&header, (const char *) end + 1, size - line - 1);
    }
    return 0;
}
