#include "queue/inside.h"

#include "base/memory.h"

enum { FRESH_BYTES_MAX = 64 * 1024 * 1024 };

void fresh_forget(struct queue *q, struct message *m)
{
    struct fresh *f = m->fresh;

    if (!f)
        return;
    *(f->older ? &f->older->newer : &q->oldest) = f->newer;
    *(f->newer ? &f->newer->older : &q->newest) = f->older;
    q->fresh_bytes -= f->bytes;
    m->fresh = NULL;
    arena_done(&f->memory);
    buf_done(&f->body);
    free(f);
}

void fresh_keep(struct queue *q, struct message *m, const struct envelope *e, struct arena *memory, struct buf *body)
{
    struct fresh *f = NEW(struct fresh);

    f->message = m;
    f->envelope = *e;
    f->memory = *memory;
    f->body = *body;
    f->bytes = sizeof *f + f->memory.used + f->body.capacity;
    *memory = (struct arena){ .max_bytes = memory->max_bytes };
    *body = (struct buf){ .max = body->max };

    f->older = q->newest;
    *(q->newest ? &q->newest->newer : &q->oldest) = f;
    q->newest = f;
    m->fresh = f;
    q->fresh_bytes += f->bytes;
    while (q->fresh_bytes > FRESH_BYTES_MAX && q->oldest)
        fresh_forget(q, q->oldest->message);
}
