#include "serve/operator.h"

#include "base/memory.h"
#include "run/channel.h"

struct emitter {
    operator_emit *emit;
    void *arg;
};

static void emit_view(void *arg, const struct queue_view *view)
{
    struct emitter *to = arg;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, CHANNEL_FRAME_MAX);
    frame_put_view(&frame, view);
    to->emit(to->arg, FRAME_VIEW, buf_slice(&frame));
}

static bool list(struct queue *q, struct slice body, struct emitter *to)
{
    auto_buf struct buf frame = { 0 };
    struct frame_listed listed = { 0 };
    struct frame_list request;

    if (!frame_get_list(body, &request))
        return false;
    if (request.id) {
        listed.count = queue_show(q, request.id, emit_view, to);
    } else {
        listed.after_id = request.after_id;
        listed.after_number = request.after_number;
        if (request.limit > OPERATOR_PAGE)
            request.limit = OPERATOR_PAGE;
        listed.count = (uint32_t)queue_list(q, &listed.after_id, &listed.after_number, request.limit, emit_view, to);
    }
    buf_init(&frame, 256);
    frame_put_listed(&frame, &listed);
    to->emit(to->arg, FRAME_LISTED, buf_slice(&frame));
    return true;
}

static void operated(void *arg, bool done, const struct error *why)
{
    struct emitter *to = arg;
    auto_buf struct buf frame = { 0 };

    buf_init(&frame, 1024);
    frame_put_answer(&frame, 0, done, why);
    to->emit(to->arg, FRAME_OPERATED, buf_slice(&frame));
    free(to);
}

static bool operate(struct queue *q, struct slice body, const struct emitter *to)
{
    struct frame_operate request;
    struct emitter *waiting;

    if (!frame_get_operate(body, &request))
        return false;
    waiting = NEW(struct emitter);
    *waiting = *to;
    queue_operate(q, (enum queue_act)request.act, request.id, clock_wall(), operated, waiting);
    return true;
}

static void count(struct queue *q, struct emitter *to)
{
    auto_buf struct buf frame = { 0 };
    struct queue_figures figures;

    queue_figures(q, &figures);
    buf_init(&frame, 256);
    frame_put_figures(&frame, &figures);
    to->emit(to->arg, FRAME_COUNTED, buf_slice(&frame));
}

bool operator_request(struct queue *q, uint8_t type, struct slice body, operator_emit *emit, void *arg)
{
    struct emitter to = { emit, arg };

    switch (type) {
    case FRAME_LIST:
        return list(q, body, &to);
    case FRAME_OPERATE:
        return operate(q, body, &to);
    case FRAME_FIGURES:
        count(q, &to);
        return slice_empty(body);
    default:
        return false;
    }
}
