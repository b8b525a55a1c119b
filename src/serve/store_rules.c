#include "serve/store_inside.h"

/* Each process may say what its work needs and no more: the one that talks to
 * strangers over HTTPS has no say in where mail goes, or how well it is protected. */

enum {
    INBOUND = 1 << LINK_INBOUND,
    OUTBOUND = 1 << LINK_OUTBOUND,
    POLICY = 1 << LINK_POLICY,
    REPORT = 1 << LINK_REPORT,
    HOOKS = 1 << LINK_HOOKS,
    WEB = 1 << LINK_WEB,
    CLERKS = POLICY | REPORT | HOOKS | WEB,
    ALL = INBOUND | OUTBOUND | CLERKS,
    DECIDERS = OUTBOUND | POLICY,       /* they find out what others ask of TLS */
};

static bool is_one_of(const struct peer *p, unsigned roles)
{
    return roles >> p->link.role & 1;
}

/* --- frames --------------------------------------------------------------------- */

static const struct {
    unsigned from;
    bool (*take)(struct peer *p, struct slice body);
} frames[] = {
    [FRAME_BODY]      = { INBOUND | REPORT, mail_take_body },
    [FRAME_ACCEPT]    = { INBOUND | REPORT, mail_take_accept },
    [FRAME_DROP]      = { INBOUND | REPORT, mail_take_drop },
    [FRAME_HELLO]     = { OUTBOUND, leases_take_hello },
    [FRAME_SETTLE]    = { OUTBOUND, leases_take_settle },
    [FRAME_READ]      = { OUTBOUND, leases_take_read },
    [FRAME_NO_MORE]   = { OUTBOUND, leases_take_no_more },
    [FRAME_RECALL]    = { OUTBOUND | CLERKS, notes_take_recall },
    [FRAME_NOTE]      = { OUTBOUND | CLERKS, notes_take_note },
    [FRAME_NOTES_DUE] = { OUTBOUND | CLERKS, notes_take_due },
    [FRAME_TALLY]     = { ALL, notes_take_tallies },
    [FRAME_ASK]       = { OUTBOUND | CLERKS, notes_take_question },
};

bool rules_take(struct peer *p, uint8_t type, struct slice body)
{
    return type < sizeof frames / sizeof *frames && is_one_of(p, frames[type].from) && frames[type].take(p, body);
}

static const unsigned questions[] = {
    [FRAME_LIST]       = REPORT,        /* is its message there? */
    [FRAME_FIGURES]    = CLERKS,
    [FRAME_NOTE_LIST]  = OUTBOUND | CLERKS,
    [FRAME_NOTE_PUT]   = OUTBOUND | CLERKS,
    [FRAME_TALLY_FIND] = CLERKS,
};

bool rules_may_ask(const struct peer *p, uint8_t question)
{
    return question < sizeof questions / sizeof *questions && is_one_of(p, questions[question]);
}

/* --- notes ------------------------------------------------------------------------ */

/* Who may write them, and who hears when somebody else has: what nobody holds in memory, or looks at before it is due,
 * is not told. Commands may write all. */
static const struct {
    unsigned from, to;
} notes[NOTE_KINDS] = {
    [NOTE_STS]         = { DECIDERS, DECIDERS },
    [NOTE_MEMORY]      = { DECIDERS, DECIDERS },
    [NOTE_HEALTH]      = { DECIDERS, 0 },
    [NOTE_POLICY]      = { OUTBOUND | CLERKS, 0 },
    [NOTE_REPORT]      = { REPORT, CLERKS },
    [NOTE_RECEIVED]    = { OUTBOUND | CLERKS, CLERKS },
    [NOTE_EVENT]       = { OUTBOUND | CLERKS, CLERKS },
    [NOTE_HOOK]        = { HOOKS, CLERKS },
    [NOTE_CERTIFICATE] = { OUTBOUND | CLERKS, 0 },
};

bool rules_may_write(const struct peer *p, uint8_t kind)
{
    return kind < NOTE_KINDS && is_one_of(p, notes[kind].from);
}

bool rules_hears(const struct peer *p, uint8_t kind)
{
    return kind < NOTE_KINDS && is_one_of(p, notes[kind].to);
}
