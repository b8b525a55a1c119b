/* fact/stats.h - how much of one's mail goes encrypted and authenticated, by domain and by day. Pure.
 *
 *     s = stats_new(&want)
 *     stats_take(s, tally.day, tally.key, tally.count)     for each tally from stats_first_day(&want) on
 *     stats_finish(s)
 *     stats_side(s, STATS_SENT), stats_side(s, STATS_RECEIVED)
 *
 * The days before those wanted, as many of them, are read too: each period is
 * compared with the one before. Memory is bounded: domains beyond
 * STATS_ROWS_MAX are counted together, as the store does beyond its own bound. */
#ifndef FACT_STATS_H
#define FACT_STATS_H

#include "fact/digest.h"

enum { STATS_ROWS_MAX = 200000, STATS_DAYS_MAX = 3660, STATS_GROUPS_MAX = 16 };

enum stats_direction { STATS_SENT, STATS_RECEIVED, STATS_DIRECTIONS };

struct stats_want {
    uint32_t since, until;          /* days, both included; at most STATS_DAYS_MAX of them */
    const char *domain;             /* only this one; NULL: all */
    uint64_t minimum;               /* for publishing: whatever has fewer is told only with others of its kind; 0: all is told */
    size_t top;                     /* rows of most messages; the others are one row; 0: all */
};

/* Of a domain, or of all: of one direction. */
struct stats_sum {
    uint64_t messages;
    uint64_t encrypted;             /* of them, under TLS */
    uint64_t authentication[AUTHENTICATIONS];   /* of those sent under TLS, by enum authentication */
    uint64_t versions[TLS_1_3 + 1]; /* by enum tls_version; TLS_VERSION_NONE: in clear */
    uint64_t groups[STATS_GROUPS_MAX];          /* of those under TLS, by key exchange: stats_group() */
    uint64_t failed;                /* attempts to send that came to nothing; they are no messages */
};
uint64_t stats_authenticated(const struct stats_sum *s);

struct stats_brief {
    uint64_t messages, encrypted, authenticated;
    bool few;                       /* there were fewer than the minimum: nothing is told */
};

struct stats_row {
    enum stats_row_kind {
        STATS_DOMAIN,
        STATS_UNNAMED,              /* what the store, or this, counted beyond its bound */
        STATS_BEYOND,               /* those that are not among the top */
        STATS_FEW,                  /* those with fewer messages than the minimum */
    } kind;
    const char *domain;             /* of STATS_DOMAIN; "" received from the null sender. Elsewhere "" */
    size_t domains;                 /* in this row; of STATS_UNNAMED 0, for nobody knows */
    struct stats_sum sum;
    struct stats_brief before;      /* in the period before */
};

enum stats_clear {                  /* why mail was sent in clear */
    STATS_NOT_OFFERED, STATS_REFUSED, STATS_HANDSHAKE_FAILED, STATS_NOT_TRIED, STATS_CLEARS,
};

/* What a certificate came to, whether it mattered or not; of several faults one, the first of these. A DANE match needs
 * nothing else; where DANE was asked and did not match, that is the fault. */
enum stats_certificate {
    STATS_CERTIFICATE_VALID,
    STATS_DANE_MISMATCH, STATS_DANE_EXPIRED, STATS_DANE_NAME,
    STATS_NO_CERTIFICATE, STATS_SELF_SIGNED, STATS_UNKNOWN_ISSUER, STATS_WEAK, STATS_UNTRUSTED,
    STATS_EXPIRED, STATS_NOT_YET_VALID, STATS_OTHER_NAME,
    STATS_CERTIFICATES,
};
enum stats_certificate stats_certificate_of(const struct tls_facts *tls);

struct stats_side {
    bool few;                       /* there were fewer messages than the minimum: nothing is told */
    struct stats_sum sum;
    struct stats_brief before;
    const struct stats_brief *days; /* since .. until */
    const struct stats_row *const *rows;        /* most messages first; those that are no domain come last */
    size_t row_count;
    size_t domains;                 /* with messages; a row may have failed attempts only */
    /* of STATS_SENT only */
    uint64_t failures[E_COUNT];     /* attempts, by what ended them */
    uint64_t clear[STATS_CLEARS];   /* messages */
    uint64_t certificates[STATS_CERTIFICATES];  /* messages, and attempts that the certificate ended */
};

struct stats;
struct stats *stats_new(const struct stats_want *w);
void stats_free(struct stats *s);           /* NULL is fine */
uint32_t stats_first_day(const struct stats_want *w);
/* Tallies of other kinds, other days, or that make no sense are passed over. */
void stats_take(struct stats *s, uint32_t day, struct slice key, uint64_t count);
void stats_finish(struct stats *s);

/* After stats_finish; valid as long as `s`. */
const struct stats_side *stats_side(const struct stats *s, enum stats_direction d);
uint32_t stats_counted_since(const struct stats *s);    /* the first day of which anything is known; 0: nothing is */

/* --- lists, most first; what is 0 is left out ------------------------------------- */

/* With a minimum, items that have fewer stand together as one, named "(fewer)". */
struct stats_item {
    const char *name;               /* for programs: "self-signed", "E_CONNECT" */
    const char *words;              /* for people */
    uint64_t count;
};
enum { STATS_ITEMS_MAX = 128 };
size_t stats_list_groups(const struct stats *s, const struct stats_sum *sum, struct stats_item out[STATS_ITEMS_MAX]);
size_t stats_list_failures(const struct stats *s, struct stats_item out[STATS_ITEMS_MAX]);
size_t stats_list_clear(const struct stats *s, struct stats_item out[STATS_ITEMS_MAX]);
size_t stats_list_certificates(const struct stats *s, struct stats_item out[STATS_ITEMS_MAX]);   /* only faults */

/* Of those under TLS, how many with a key exchange that withstands a quantum computer: a hybrid with ML-KEM. */
uint64_t stats_post_quantum(const struct stats *s, const struct stats_sum *sum);
bool stats_is_post_quantum(const char *group);

#endif
