/* A report of a stranger. What is read keeps the bounds; it comes back from what is kept of it; and written as JSON and
 * read again it says the same, without a note. */
#include "tests/fuzz/fuzz.h"

#include "tlsrpt/read.h"

static void check_bounds(const struct report *r, const struct report_notes *notes)
{
    assert(r->entry_count > 0 && r->entry_count <= REPORT_ENTRIES_MAX && notes->count <= REPORT_NOTES_MAX);
    assert(r->begin >= 0 && r->begin <= r->end && r->id[0]);
    for (size_t i = 0; i < r->entry_count; i++) {
        const struct report_entry *e = &r->entries[i];

        assert(e->successes <= REPORT_COUNT_MAX && e->failures <= REPORT_COUNT_MAX);
        assert(e->detail_count <= REPORT_DETAILS_MAX);
        assert(e->policy.string_count <= REPORT_STRINGS_MAX && e->policy.mx_count <= REPORT_STRINGS_MAX);
        assert(strlen(e->policy.domain) <= 255);
        for (size_t k = 0; k < e->detail_count; k++)
            assert(e->details[k].result_type[0] && e->details[k].count <= REPORT_COUNT_MAX);
    }
}

static void check_kept(const struct report *r, const struct report_notes *notes)
{
    const struct received_report in = { .report = *r, .notes = *notes, .submitter = "example.com", .peer = "" };
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf value = { 0 };
    struct received_report out;

    arena_init(&arena, RECEIVED_ARENA_MAX);
    buf_init(&value, RECEIVED_VALUE_MAX);
    received_report_encode(&in, &value);
    assert(!value.failed && received_report_decode(buf_slice(&value), &arena, &out));
    assert(strcmp(out.report.id, r->id) == 0 && out.report.begin == r->begin && out.report.end == r->end);
}

static void check_written(const struct report *r)
{
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf json = { 0 };
    struct report_notes notes;
    struct report again;

    arena_init(&arena, REPORT_ARENA_MAX);
    buf_init(&json, REPORT_JSON_MAX);
    assert(report_write(r, &json, NULL));
    assert(report_read(buf_slice(&json), &arena, &again, &notes, NULL));
    assert(again.entry_count == r->entry_count && strcmp(again.id, r->id) == 0 && again.begin == r->begin);
    for (size_t i = 0; i < r->entry_count; i++) {
        assert(again.entries[i].successes == r->entries[i].successes);
        assert(again.entries[i].failures == r->entries[i].failures);
        assert(again.entries[i].detail_count == r->entries[i].detail_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    auto_arena struct arena arena = { 0 };
    struct report_notes notes;
    struct report report;
    struct error why = { 0 };

    arena_init(&arena, REPORT_ARENA_MAX);
    if (!report_read(slice(data, size), &arena, &report, &notes, &why)) {
        assert(why.code != E_NONE);
        return 0;
    }
    check_bounds(&report, &notes);
    check_kept(&report, &notes);
    check_written(&report);
    return 0;
}
