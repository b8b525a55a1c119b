/* policy/memory.h - what a next hop used to offer, and what it means that it no longer does. Pure.
 *
 * Nothing on the wire tells a domain that has no TLS from one whose TLS
 * somebody strips. What it offered for weeks does. So each next hop's habits
 * are kept: TLS, how well it was authenticated, its key, its hosts, its
 * policies. When a long habit breaks, there is always an alarm; by setting,
 * clear text waits for a while (and for another address to say the same), or
 * is refused.
 *
 * It must be safe to switch on. So a habit is an unbroken row of sessions
 * under TLS: a domain where some hosts have none never gets one. A hold is
 * over in hours, whatever happens. What was not seen for long is forgotten. */
#ifndef POLICY_MEMORY_H
#define POLICY_MEMORY_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "tls/session.h"

enum memory_mode { MEMORY_OFF, MEMORY_ALARM, MEMORY_DEFER, MEMORY_ENFORCE };
const char *memory_mode_name(enum memory_mode m);
bool memory_mode_parse(struct slice text, enum memory_mode *m) must_check;

struct memory_settings {
    enum memory_mode mode;          /* default defer */
    unsigned deliveries;            /* a habit is made by so many sessions in a row: 20 */
    time_ms span;                   /* over at least so long: 14 days */
    time_ms hold;                   /* defer: clear text waits so long after the alarm: 1 hour */
    time_ms forget;                 /* not seen for so long: no habit any more: 90 days */
};
extern const struct memory_settings memory_default_settings;

enum { MEMORY_HOSTS_MAX = 8, MEMORY_KEYS_MAX = 4, MEMORY_HOLDS_MAX = 4 };

/* A host's TLSA records, usable ones. */
enum memory_tlsa { MEMORY_TLSA_NEVER, MEMORY_TLSA_SEEN, MEMORY_TLSA_GONE };

/* Of one next hop. Times are wall clock, 0 never. */
struct memory {
    time_ms first, last;            /* any delivery seen */
    uint64_t deliveries;            /* sessions that carried mail */
    uint64_t with_tls;              /* of them, those under TLS */
    uint64_t row;                   /* of those, the latest in a row: one in clear puts an end to it */
    time_ms tls_first, tls_last;    /* of the row */
    enum tls_version version;       /* of the latest */
    char verdict[12];               /* best of the row: "encrypted" "trusted" "verified"; "" for none */
    time_ms verdict_last;
    char keys[MEMORY_KEYS_MAX][65]; /* SHA-256 of public keys seen, latest first, "" for none */
    time_ms key_last[MEMORY_KEYS_MAX];
    char hosts[MEMORY_HOSTS_MAX][256];  /* MX hosts seen, latest first */
    time_ms host_last[MEMORY_HOSTS_MAX];
    enum memory_tlsa host_tlsa[MEMORY_HOSTS_MAX];
    bool sts;                       /* an enforced policy was there when last looked for */
    time_ms sts_last;               /* when one was last there */
    unsigned broken;                /* of enum memory_break, those that last: told, and not healed */
    time_ms alarm;                  /* since when BREAK_TLS is among them; 0: it is not */
    unsigned witnesses;             /* different addresses that showed it since then; 2 stands for more */
    uint8_t witness[16];            /* the first of them */
};

/* What broke. The first three last until they heal; the others are events. */
enum memory_break {
    BREAK_TLS = 1,                  /* TLS is no longer offered, or fails */
    BREAK_STS = 2,                  /* its policy is gone without having been taken back by mode none or testing */
    BREAK_TLSA = 4,                 /* a host's TLSA records are gone */
    BREAK_KEY = 8,                  /* a key never seen, and no policy vouches for it. Told, never held against it */
    BREAK_HOSTS = 16,               /* a host never seen, and nothing vouches for it. Told only */
};
/* "it used to offer TLS, and now there is none" ... the first that is set; "" for none. */
const char *memory_break_text(unsigned what);
const char *memory_break_name(enum memory_break one);               /* "tls" "sts" "tlsa" "key" "hosts" */

/* What one attempt saw. */
struct memory_sight {
    time_ms wall;
    const char *host;
    const uint8_t *address;         /* 16 bytes (IPv4 mapped), of the last that showed no TLS */
    unsigned lacking;               /* different addresses of this host that answered without TLS */
    bool delivered;                 /* mail was sent in this session */
    const struct tls_facts *tls;    /* NULL: in clear or TLS failed */
    bool tls_missing;               /* it was tried or looked for, and not there */
    const char *verdict;            /* verdict_name() */
    bool sts_enforced, tlsa_usable; /* now */
    bool sts_known, tlsa_known;     /* the lookups gave an answer, so their absence means something */
    bool sts_withdrawn;             /* the domain's own policy says testing or none: nobody took it away */
};

/* Is TLS so much to be expected at `wall` that its absence is news? After a long row of sessions; or where an enforced
 * MTA-STS policy was seen that nobody has taken back. */
bool memory_has_habit(const struct memory *m, const struct memory_settings *s, time_ms wall);

/* Until when is clear text held back? 0: it is not. TIME_NEVER: until TLS is back. With a habit and MEMORY_DEFER: a
 * `hold` from the alarm on when a second address has shown the same or there is no second to be had (`only_address`),
 * else MEMORY_HOLDS_MAX of them: the second may be out of reach. */
time_ms memory_held_until(const struct memory *m, const struct memory_settings *s, time_ms wall, bool only_address);

/* Is it, now? E_CLEARTEXT_HELD with why. A caller that is told yes goes on as if TLS were needed. */
bool memory_holds(const struct memory *m, const struct memory_settings *s, time_ms wall, bool only_address,
                  struct error *why) must_check;

/* Take a sight in. Returns the breaks that are new, for the alarm (those that last: once until they have healed). */
unsigned memory_see(struct memory *m, const struct memory_settings *s, const struct memory_sight *sight);

/* Does `after` hold more that is new than counts and times gone on? Then it should be stored soon. */
bool memory_has_news(const struct memory *before, const struct memory *after);

/* From when on nothing in it counts any more. */
time_ms memory_forgotten_at(const struct memory *m, const struct memory_settings *s);

/* --- kept: policy/memory_keep.c ------------------------------------------------- */

/* What makes no sense in it, in words; NULL when nothing does. memory_see leaves nothing behind that does not. */
const char *memory_problem(const struct memory *m);

/* For the store. A decoder that meets another version than its own, or what makes no sense, says false: it is as if
 * nothing were known. What decodes encodes to the same bytes. */
void memory_encode(const struct memory *m, struct buf *out);
bool memory_decode(struct slice bytes, struct memory *m) must_check;

/* How well a peer was authenticated: 1 "encrypted", 2 "trusted", 3 "verified", 0 anything else. */
int memory_verdict_rank(const char *verdict);

#endif
