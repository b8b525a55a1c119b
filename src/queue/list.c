#include "queue/inside.h"

#include "base/log.h"

struct listing {
    const struct queue *q;
    void (*each)(void *arg, const struct queue_view *v);
    void *arg;
    size_t count;
    message_id last_id;
    int64_t last_number;
};

/* Memory knows what is leased, the engine all else. */
static void list_row(void *arg, const struct engine_row *row)
{
    struct listing *l = arg;
    struct queue_view view = row->view;
    const struct queue_recipient *recipient = view.envelope.recipients;
    const struct message *m = message_find(l->q, view.envelope.id);
    const struct delivery *d = m ? message_delivery(m, recipient->destination) : NULL;

    view.leased = d && d->state == DELIVERY_TAKEN;
    l->count++;
    l->last_id = view.envelope.id;
    l->last_number = recipient->number;
    l->each(l->arg, &view);
}

static size_t list(struct listing *l, message_id after, int64_t number, message_id last, size_t limit)
{
    struct engine *e = l->q->engine;
    struct error why = { 0 };

    if (!e->class->rows(e, after, number, last, limit, list_row, l, &why))
        log_say(LOG_LEVEL_ERROR, "queue.read", &why, "the queue cannot be listed");
    return l->count;
}

size_t queue_list(struct queue *q, message_id *after_id, int64_t *after_number, size_t limit,
                  void (*each)(void *arg, const struct queue_view *v), void *arg)
{
    struct listing l = { .q = q, .each = each, .arg = arg };

    if (list(&l, *after_id, *after_number, INT64_MAX, limit) > 0) {
        *after_id = l.last_id;
        *after_number = l.last_number;
    }
    return l.count;
}

bool queue_show(struct queue *q, message_id id, void (*each)(void *arg, const struct queue_view *v), void *arg)
{
    struct listing l = { .q = q, .each = each, .arg = arg };

    return id <= INT64_MAX && list(&l, id, -1, id, SIZE_MAX) > 0;
}
