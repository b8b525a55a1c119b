#include "deliver/outcome.h"

#include "base/escape.h"

bool bounce_is_pointless(const struct envelope *original)
{
    return original->sender[0] == '\0' || original->tls == TLS_REPORT;
}

static bool is_open(const struct outcome *o)
{
    return o->result == RCPT_UNDECIDED || o->result == RCPT_DEFERRED;
}

void outcomes_fail(struct outcome *all, size_t count, const struct error *why, const char *host, struct arena *arena)
{
    for (size_t i = 0; i < count; i++) {
        struct outcome *o = &all[i];

        if (!is_open(o))
            continue;
        o->result = error_is_final(why->code) ? RCPT_FAILED : RCPT_DEFERRED;
        o->code = why->code;
        o->status = error_dsn(why->code);
        o->why = arena_string(arena, slice_of(why->text));
        o->host = host;
        o->words = NULL;
    }
}

void outcome_answered(struct outcome *o, const struct smtp_recipient *r, const char *host, struct arena *arena)
{
    char shown[400];

    if (r->result == RCPT_UNDECIDED)
        return;
    o->result = r->result;
    o->host = host;
    o->status = arena_string(arena, slice_of(r->reply.status));
    o->words = arena_text(arena, "%03d %.700s", r->reply.code, r->reply.text).at;
    if (r->result == RCPT_DELIVERED) {
        o->code = E_NONE;
        o->why = "";
        return;
    }
    o->code = r->result == RCPT_FAILED ? E_REFUSED : E_REFUSED_FOR_NOW;
    o->why = arena_text(arena, "%s said: %.300s", host, reply_shown(&r->reply, shown)).at;
    /* A refusal that was decided as temporary stays so whatever digits came with it (SMTP-065). */
    if (r->result == RCPT_DEFERRED && o->status[0] != '4')
        o->status = arena_text(arena, "4%s", o->status[0] ? o->status + 1 : ".0.0").at;
}

size_t outcomes_open(const struct outcome *all, size_t count)
{
    size_t open = 0;

    for (size_t i = 0; i < count; i++)
        open += is_open(&all[i]);
    return open;
}

/* What a policy held back to the end says so to the sender (PD-31). */
static void give_up(struct outcome *o, struct arena *arena)
{
    bool for_tls = strncmp(o->status, "4.7.", 4) == 0;

    o->result = RCPT_FAILED;
    o->code = E_UNDELIVERED_TOO_LONG;
    o->status = for_tls ? "5.7.5" : error_dsn(E_UNDELIVERED_TOO_LONG);
    o->why = arena_text(arena, "tried for too long without success; last: %s", o->why).at;
}

size_t outcomes_settle(struct outcome *all, size_t count, const struct retry_rule *rule, const struct envelope *envelope,
                       uint32_t attempts, time_ms wall, uint64_t random, struct settlement *out, struct arena *arena)
{
    time_ms next = retry_next(rule, bounce_is_pointless(envelope), envelope->arrived, attempts, wall, random);
    size_t failed = 0;

    for (size_t i = 0; i < count; i++) {
        struct outcome *o = &all[i];

        if (o->result == RCPT_UNDECIDED) {
            o->result = RCPT_DEFERRED;
            o->status = "4.4.1";
            o->why = "no host could be tried";
        }
        if (o->result == RCPT_DEFERRED && next == TIME_NEVER)
            give_up(o, arena);
        out[i] = (struct settlement){
            .number = o->number,
            .state = o->result == RCPT_DELIVERED ? SETTLE_DELIVERED
                     : o->result == RCPT_FAILED  ? SETTLE_FAILED : SETTLE_DEFERRED,
            .status = o->status,
            .why = o->why,
            .due = o->result == RCPT_DEFERRED ? next : 0,
        };
        failed += o->result == RCPT_FAILED;
    }
    return failed;
}
