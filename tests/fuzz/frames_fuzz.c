/* The first byte says which frame the rest is. What a decoder takes, the
 * encoder writes again byte for byte: nothing was guessed, nothing left over. */
#include "tests/fuzz/fuzz.h"

#include "serve/frames.h"

enum { OUT_MAX = 1 << 22 };

#define FRAME(type, fields, get, put)                       \
    static bool type##_again(struct slice in, struct arena *a, struct buf *out) \
    {                                                       \
        fields f = { 0 };                                   \
        if (!get)                                           \
            return false;                                   \
        put;                                                \
        return true;                                        \
    }

FRAME(link, struct frame_link, frame_get_link(in, &f), frame_put_link(out, &f))
FRAME(body, struct frame_body, frame_get_body(in, &f), frame_put_body(out, f.ticket, f.bytes))
FRAME(accept, struct frame_accept, frame_get_accept(in, a, &f), frame_put_accept(out, &f))
FRAME(hello, struct frame_hello, frame_get_hello(in, a, &f), frame_put_hello(out, &f))
FRAME(resumed, struct frame_resumed, frame_get_resumed(in, &f), frame_put_resumed(out, &f))
FRAME(read, struct frame_read, frame_get_read(in, &f), frame_put_read(out, &f))
FRAME(piece, struct frame_piece, frame_get_piece(in, &f), frame_put_piece(out, &f))
FRAME(lease, struct lease, frame_get_lease(in, a, &f), frame_put_lease(out, &f))
FRAME(settle, struct settle, frame_get_settle(in, a, &f), frame_put_settle(out, &f))
FRAME(list, struct frame_list, frame_get_list(in, &f), frame_put_list(out, &f))
FRAME(listed, struct frame_listed, frame_get_listed(in, &f), frame_put_listed(out, &f))
FRAME(operate, struct frame_operate, frame_get_operate(in, &f), frame_put_operate(out, &f))
FRAME(view, struct queue_view, frame_get_view(in, a, &f), frame_put_view(out, &f))
FRAME(figures, struct queue_figures, frame_get_figures(in, &f), frame_put_figures(out, &f))

FRAME(recall, struct frame_recall, frame_get_recall(in, a, &f), frame_put_recall(out, &f))
FRAME(recalled, struct frame_recalled, frame_get_recalled(in, a, &f), frame_put_recalled(out, &f))
FRAME(note, struct note, frame_get_note(in, a, &f), frame_put_note(out, &f))
FRAME(notes_due, struct frame_notes_due, frame_get_notes_due(in, &f), frame_put_notes_due(out, &f))
FRAME(note_key, struct frame_note_key, frame_get_note_key(in, a, &f), frame_put_note_key(out, &f))
FRAME(note_list, struct frame_note_list, frame_get_note_list(in, a, &f), frame_put_note_list(out, &f))
FRAME(notes_listed, struct frame_notes_listed, frame_get_notes_listed(in, a, &f), frame_put_notes_listed(out, &f))
FRAME(tallies, struct frame_tallies, frame_get_tallies(in, a, &f), frame_put_tallies(out, &f))
FRAME(tally, struct tally, frame_get_tally(in, &f), frame_put_tally(out, &f))
FRAME(tally_list, struct frame_tally_list, frame_get_tally_list(in, &f), frame_put_tally_list(out, &f))
FRAME(tallies_listed, struct frame_tallies_listed, frame_get_tallies_listed(in, &f), frame_put_tallies_listed(out, &f))
FRAME(ticketed, struct frame_ticketed, frame_get_ticketed(in, &f), frame_put_ticketed(out, &f))
FRAME(tally_find, struct frame_tally_find, frame_get_tally_find(in, &f), frame_put_tally_find(out, &f))

static bool answer_again(struct slice in, struct arena *a, struct buf *out)
{
    struct frame_answer f;

    if (!frame_get_answer(in, &f) || strlen(f.why.text) != in.len - 15)
        return false;       /* a text with a NUL inside is cut at it, and never sent */
    frame_put_answer(out, f.ticket, f.done, &f.why);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool (*const again[])(struct slice in, struct arena *a, struct buf *out) = {
        link_again, body_again, accept_again, hello_again, resumed_again, read_again, piece_again, lease_again,
        settle_again, list_again, listed_again, operate_again, view_again, figures_again, answer_again,
        recall_again, recalled_again, note_again, notes_due_again, note_key_again, note_list_again, notes_listed_again,
        tallies_again, tally_again, tally_list_again, tallies_listed_again,
        ticketed_again, tally_find_again };
    struct slice in = slice_after(slice(data, size), 1);
    auto_arena struct arena arena = { 0 };
    auto_buf struct buf out = { 0 };

    if (size == 0)
        return 0;
    arena_init(&arena, OUT_MAX);
    buf_init(&out, OUT_MAX);
    if (again[data[0] % (sizeof again / sizeof *again)](in, &arena, &out))
        assert(slice_equal(buf_slice(&out), in));
    return 0;
}
