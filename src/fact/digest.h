/* fact/digest.h - facts, counted: what many attempts had in common. Pure.
 *
 * A digest leaves out of a fact what differs each time (addresses, words,
 * times), so that equal ones can be counted by day (queue_tally), and keeps what
 * a later question needs: who still gets mail in clear, how well its hosts prove
 * who they are and why not, and what would have happened under another rule.
 * Keys of one next hop stand together. */
#ifndef FACT_DIGEST_H
#define FACT_DIGEST_H

#include "base/arena.h"
#include "base/buf.h"
#include "fact/fact.h"

/* How the other side proved who it is; the surest of several. PKIX: chain and name are good, but no policy says that the
 * name is the right one, or DANE over an insecure MX; logs call it "trusted", and the three behind it "verified". */
enum authentication { AUTHENTICATED_NOT, AUTHENTICATED_PKIX, AUTHENTICATED_OPERATOR, AUTHENTICATED_STS, AUTHENTICATED_DANE };
enum { AUTHENTICATIONS = AUTHENTICATED_DANE + 1 };

struct fact_digest {
    const char *next_hop, *host;
    enum tls_level level;           /* of the rule at that time */
    struct decide_input input;      /* dane_key is not kept */
    enum error_code how;            /* E_NONE: mail was delivered; what is counted is messages, else attempts */
    enum error_code tls_problem;
    bool starttls_missing, keyword;
    bool encrypted;
    enum authentication authentication;
    struct tls_facts tls;           /* of it: version, group, cipher, trust and its problem, the matches, dane, self_signed */
};

void fact_digest_encode(const struct fact *f, struct buf *out);
bool fact_digest_decode(struct slice key, struct arena *arena, struct fact_digest *out) must_check;

/* The same without where to, for what is beyond a day's bound: the next hop is "(others)". There are few of them. */
void fact_digest_rest(const struct fact *f, struct buf *out);

/* Would mail that went this way have gone under this rule? `why` says why not. What a rule pins by fingerprint is not in
 * a digest: such a rule passes nothing. */
bool fact_digest_would_pass(const struct fact_digest *f, const struct tls_rule *rule,
                            const struct decide_settings *settings, struct error *why) must_check;

#endif
