#include "serve/frames_inside.h"

/* --- envelopes ------------------------------------------------------------- */

static void put_envelope(struct buf *out, const struct envelope *e)
{
    buf_u64(out, e->id);
    put_text(out, e->sender);
    put_time(out, e->arrived);
    buf_u64(out, e->size);
    buf_u8(out, e->eight_bit);
    buf_u8(out, (uint8_t)e->tls);
    put_text(out, e->origin);
    buf_u32(out, (uint32_t)e->count);
    for (size_t i = 0; i < e->count; i++) {
        buf_u32(out, e->recipients[i].number);
        put_text(out, e->recipients[i].address);
        put_text(out, e->recipients[i].destination);
    }
}

static void get_envelope(struct cursor *in, struct arena *a, struct envelope *e)
{
    struct queue_recipient *recipients;
    uint32_t count;

    *e = (struct envelope){ .id = cursor_u64(in) };
    e->sender = get_text(in, a);
    e->arrived = get_time(in);
    e->size = cursor_u64(in);
    e->eight_bit = get_truth(in);
    e->tls = (enum tls_request)get_choice(in, TLS_REPORT);
    e->origin = get_text(in, a);
    count = cursor_u32(in);
    recipients = count <= FRAME_RECIPIENTS_MAX ? arena_take(a, (count + 1) * sizeof *recipients) : NULL;
    if (!recipients) {
        in->failed = true;
        return;
    }
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        recipients[i].number = cursor_u32(in);
        recipients[i].address = get_text(in, a);
        recipients[i].destination = get_text(in, a);
        if (recipients[i].address[0] == '\0' || recipients[i].destination[0] == '\0')
            in->failed = true;
    }
    e->recipients = recipients;
    e->count = count;
}

/* --- links ------------------------------------------------------------------- */

void frame_put_link(struct buf *out, const struct frame_link *f)
{
    buf_u8(out, f->role);
    buf_u16(out, f->slot);
    buf_u32(out, f->generation);
}

bool frame_get_link(struct slice body, struct frame_link *f)
{
    struct cursor in = cursor_over(body);

    f->role = cursor_u8(&in);
    f->slot = cursor_u16(&in);
    f->generation = cursor_u32(&in);
    return f->role < LINK_ROLES && complete(&in, NULL);
}

bool frame_get_ticket(struct slice body, uint64_t *ticket)
{
    struct cursor in = cursor_over(body);

    *ticket = cursor_u64(&in);
    return complete(&in, NULL);
}

/* --- inbound and store ---------------------------------------------------------- */

void frame_put_body(struct buf *out, uint64_t ticket, struct slice bytes)
{
    buf_u64(out, ticket);
    buf_add(out, bytes);
}

bool frame_get_body(struct slice body, struct frame_body *f)
{
    struct cursor in = cursor_over(body);

    f->ticket = cursor_u64(&in);
    f->bytes = cursor_rest(&in);
    return complete(&in, NULL);
}

void frame_put_accept(struct buf *out, const struct frame_accept *f)
{
    buf_u64(out, f->ticket);
    put_envelope(out, &f->envelope);
    buf_block(out, f->envelope.head);
    buf_add(out, f->bytes);
}

bool frame_get_accept(struct slice body, struct arena *a, struct frame_accept *f)
{
    struct cursor in = cursor_over(body);

    f->ticket = cursor_u64(&in);
    get_envelope(&in, a, &f->envelope);
    f->envelope.head = cursor_block(&in);
    f->bytes = cursor_rest(&in);
    return complete(&in, a) && f->envelope.id != 0 && f->envelope.count > 0 &&
           f->envelope.head.len <= ENVELOPE_HEAD_MAX;
}

void frame_put_answer(struct buf *out, uint64_t ticket, bool done, const struct error *why)
{
    buf_u64(out, ticket);
    buf_u8(out, done);
    buf_u16(out, why ? (uint16_t)why->code : E_NONE);
    put_text(out, why ? why->text : "");
}

bool frame_get_answer(struct slice body, struct frame_answer *f)
{
    struct cursor in = cursor_over(body);
    struct slice text;
    uint16_t code;

    f->ticket = cursor_u64(&in);
    f->done = get_truth(&in);
    code = cursor_u16(&in);
    text = cursor_block(&in);
    if (!complete(&in, NULL) || code >= E_COUNT || text.len >= sizeof f->why.text)
        return false;
    f->why = (struct error){ .code = (enum error_code)code };
    memcpy(f->why.text, text.at, text.len);
    return true;
}

/* --- outbound and store ----------------------------------------------------------- */

void frame_put_hello(struct buf *out, const struct frame_hello *f)
{
    buf_u64(out, f->lease);
    buf_u64(out, f->id);
    put_text(out, f->destination);
}

bool frame_get_hello(struct slice body, struct arena *a, struct frame_hello *f)
{
    struct cursor in = cursor_over(body);

    f->lease = cursor_u64(&in);
    f->id = cursor_u64(&in);
    f->destination = get_text(&in, a);
    return complete(&in, a);
}

void frame_put_resumed(struct buf *out, const struct frame_resumed *f)
{
    buf_u64(out, f->old_lease);
    buf_u64(out, f->lease);
}

bool frame_get_resumed(struct slice body, struct frame_resumed *f)
{
    struct cursor in = cursor_over(body);

    f->old_lease = cursor_u64(&in);
    f->lease = cursor_u64(&in);
    return complete(&in, NULL);
}

void frame_put_read(struct buf *out, const struct frame_read *f)
{
    buf_u64(out, f->lease);
    buf_u64(out, f->offset);
    buf_u32(out, f->size);
}

bool frame_get_read(struct slice body, struct frame_read *f)
{
    struct cursor in = cursor_over(body);

    f->lease = cursor_u64(&in);
    f->offset = cursor_u64(&in);
    f->size = cursor_u32(&in);
    return complete(&in, NULL);
}

void frame_put_piece(struct buf *out, const struct frame_piece *f)
{
    buf_u64(out, f->lease);
    buf_u64(out, f->offset);
    buf_u8(out, f->done);
    buf_add(out, f->bytes);
}

bool frame_get_piece(struct slice body, struct frame_piece *f)
{
    struct cursor in = cursor_over(body);

    f->lease = cursor_u64(&in);
    f->offset = cursor_u64(&in);
    f->done = get_truth(&in);
    f->bytes = cursor_rest(&in);
    return complete(&in, NULL);
}

void frame_put_lease(struct buf *out, const struct lease *l)
{
    buf_u64(out, l->number);
    put_envelope(out, &l->envelope);
    put_text(out, l->destination);
    buf_u32(out, l->attempts);
    put_time(out, l->first_attempt);
    buf_u8(out, l->delay_told);
    buf_block(out, l->body);
}

bool frame_get_lease(struct slice body, struct arena *a, struct lease *l)
{
    struct cursor in = cursor_over(body);

    l->number = cursor_u64(&in);
    get_envelope(&in, a, &l->envelope);
    l->destination = get_text(&in, a);
    l->attempts = cursor_u32(&in);
    l->first_attempt = get_time(&in);
    l->delay_told = get_truth(&in);
    l->body = arena_copy(a, cursor_block(&in));
    return complete(&in, a) && l->number != 0;
}

void frame_put_settle(struct buf *out, const struct settle *s)
{
    buf_u64(out, s->lease);
    buf_u8(out, s->attempted);
    buf_u8(out, s->delay_told);
    buf_u32(out, (uint32_t)s->count);
    for (size_t i = 0; i < s->count; i++) {
        const struct settlement *r = &s->recipients[i];

        buf_u32(out, r->number);
        buf_u8(out, (uint8_t)r->state);
        put_text(out, r->status);
        put_text(out, r->why);
        put_time(out, r->due);
        buf_u8(out, r->destination != NULL);
        if (r->destination)
            put_text(out, r->destination);
    }
    buf_u8(out, s->consequence != NULL);
    if (s->consequence) {
        put_envelope(out, s->consequence->envelope);
        buf_block(out, s->consequence->body);
    }
}

static void get_settlement(struct cursor *in, struct arena *a, struct settlement *r)
{
    r->number = cursor_u32(in);
    r->state = (enum settle_state)get_choice(in, SETTLE_DEFERRED);
    r->status = get_text(in, a);
    r->why = get_text(in, a);
    r->due = get_time(in);
    r->destination = get_truth(in) ? get_text(in, a) : NULL;
}

static const struct consequence *get_consequence(struct cursor *in, struct arena *a)
{
    struct consequence *c = arena_take(a, sizeof *c);
    struct envelope *e = arena_take(a, sizeof *e);

    if (!c || !e) {
        in->failed = true;
        return NULL;
    }
    get_envelope(in, a, e);
    c->envelope = e;
    c->body = arena_copy(a, cursor_block(in));
    return c;
}

bool frame_get_settle(struct slice body, struct arena *a, struct settle *s)
{
    struct cursor in = cursor_over(body);
    struct settlement *recipients;
    uint32_t count;

    *s = (struct settle){ .lease = cursor_u64(&in) };
    s->attempted = get_truth(&in);
    s->delay_told = get_truth(&in);
    count = cursor_u32(&in);
    recipients = count <= FRAME_RECIPIENTS_MAX ? arena_take(a, (count + 1) * sizeof *recipients) : NULL;
    if (!recipients)
        return false;
    for (uint32_t i = 0; i < count && !in.failed; i++)
        get_settlement(&in, a, &recipients[i]);
    s->recipients = recipients;
    s->count = count;
    if (get_truth(&in))
        s->consequence = get_consequence(&in, a);
    return complete(&in, a);
}

/* --- the operator's ------------------------------------------------------------------ */

void frame_put_list(struct buf *out, const struct frame_list *f)
{
    buf_u64(out, f->id);
    buf_u64(out, f->after_id);
    buf_u64(out, (uint64_t)f->after_number);
    buf_u32(out, f->limit);
}

bool frame_get_list(struct slice body, struct frame_list *f)
{
    struct cursor in = cursor_over(body);

    f->id = cursor_u64(&in);
    f->after_id = cursor_u64(&in);
    f->after_number = (int64_t)cursor_u64(&in);
    f->limit = cursor_u32(&in);
    return complete(&in, NULL);
}

void frame_put_listed(struct buf *out, const struct frame_listed *f)
{
    buf_u64(out, f->after_id);
    buf_u64(out, (uint64_t)f->after_number);
    buf_u32(out, f->count);
}

bool frame_get_listed(struct slice body, struct frame_listed *f)
{
    struct cursor in = cursor_over(body);

    f->after_id = cursor_u64(&in);
    f->after_number = (int64_t)cursor_u64(&in);
    f->count = cursor_u32(&in);
    return complete(&in, NULL);
}

void frame_put_operate(struct buf *out, const struct frame_operate *f)
{
    buf_u8(out, f->act);
    buf_u64(out, f->id);
}

bool frame_get_operate(struct slice body, struct frame_operate *f)
{
    struct cursor in = cursor_over(body);

    f->act = cursor_u8(&in);
    f->id = cursor_u64(&in);
    return f->act <= ACT_REMOVE && complete(&in, NULL);
}

void frame_put_view(struct buf *out, const struct queue_view *v)
{
    put_envelope(out, &v->envelope);
    buf_u32(out, v->attempts);
    put_time(out, v->due);
    put_time(out, v->last_attempt);
    buf_u8(out, v->held);
    buf_u8(out, v->leased);
    put_text(out, v->status);
    put_text(out, v->why);
}

bool frame_get_view(struct slice body, struct arena *a, struct queue_view *v)
{
    struct cursor in = cursor_over(body);

    get_envelope(&in, a, &v->envelope);
    v->attempts = cursor_u32(&in);
    v->due = get_time(&in);
    v->last_attempt = get_time(&in);
    v->held = get_truth(&in);
    v->leased = get_truth(&in);
    v->status = get_text(&in, a);
    v->why = get_text(&in, a);
    return complete(&in, a) && v->envelope.count == 1;
}

void frame_put_figures(struct buf *out, const struct queue_figures *f)
{
    const uint64_t figures[] = { f->messages, f->recipients, f->due, f->leased, f->held, f->body_bytes,
                                 f->segment_bytes, (uint64_t)f->oldest_arrival, f->groups, f->group_members };

    for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
        buf_u64(out, figures[i]);
}

bool frame_get_figures(struct slice body, struct queue_figures *f)
{
    struct cursor in = cursor_over(body);

    f->messages = cursor_u64(&in);
    f->recipients = cursor_u64(&in);
    f->due = cursor_u64(&in);
    f->leased = cursor_u64(&in);
    f->held = cursor_u64(&in);
    f->body_bytes = cursor_u64(&in);
    f->segment_bytes = cursor_u64(&in);
    f->oldest_arrival = get_time(&in);
    f->groups = cursor_u64(&in);
    f->group_members = cursor_u64(&in);
    return complete(&in, NULL);
}
