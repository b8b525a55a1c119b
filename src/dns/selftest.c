#include "dns/selftest.h"

#include "base/escape.h"

#include <stdio.h>

enum { SCRATCH_MAX = 256 * 1024 };

const struct selftest_names selftest_defaults = {
    .signed_name = { "com", DNS_SOA },
    .unsigned_name = { "gmail.com", DNS_A },
    .bogus_name = { "dnssec-failed.org", DNS_A },
};

bool selftest_name_parse(struct slice text, struct arena *arena, struct selftest_name *out, struct error *why)
{
    struct slice rest = slice_trim(text), name = slice_cut(&rest, ' '), type = slice_trim(rest);
    struct selftest_name made = { .type = DNS_A };

    if ((slice_empty(name) || slice_equal_nocase(name, SLICE("none"))) && slice_empty(type)) {
        *out = made;
        return true;
    }
    made.name = dns_name_copy(arena, name);
    if (!dns_name_valid(made.name) && !slice_equal(name, SLICE(".")))
        return fail(why, E_MALFORMED, "\"%.*s\" is not a domain name", SLICE_ARGS(name));
    if (!slice_empty(type) && !dns_type_parse(type, &made.type))
        return fail(why, E_MALFORMED, "\"%.*s\" is not a record type that is known here", SLICE_ARGS(type));
    *out = made;
    return true;
}

const char *selftest_verdict_name(enum selftest_verdict v)
{
    switch (v) {
    case SELFTEST_GOOD: return "good";
    case SELFTEST_OFF: return "off";
    case SELFTEST_NOT_SECURE: return "not secure";
    case SELFTEST_ALL_BOGUS: return "all bogus";
    case SELFTEST_BLIND: return "blind";
    case SELFTEST_UNREACHABLE: return "unreachable";
    }
    return "unknown";
}

/* --- judging --------------------------------------------------------------------- */

/* A name with what came of it. */
struct finding {
    const struct selftest_name *about;
    const struct dns_answer *answer;
};

static bool is_bogus(struct finding f)
{
    return f.about->name && f.answer->status == DNS_BOGUS;
}

static bool is_unanswered(struct finding f)
{
    return f.about->name && f.answer->status == DNS_FAILED;
}

static bool is_answered(struct finding f)
{
    return f.about->name && !dns_answer_is_error(f.answer);
}

/* What was seen, then `meaning`, then the resolver's words, which may be long. */
static void conclude(struct selftest *out, enum selftest_verdict verdict, struct finding f, const char *seen,
                     const char *meaning)
{
    char text[2 * sizeof out->why];
    bool has_words = f.answer->why && f.answer->why[0];

    out->verdict = verdict;
    snprintf(text, sizeof text, "%s %s %s, so %s%s%s", f.about->name, dns_type_name(f.about->type), seen, meaning,
             has_words ? ": " : "", has_words ? f.answer->why : "");
    escape_line(slice_of(text), out->why, sizeof out->why);
}

/* What speaks against validation comes before what only fails. */
void selftest_judge(bool validates, const struct selftest_names *names, const struct selftest_answers *answers,
                    struct selftest *out)
{
    struct finding sure = { &names->signed_name, &answers->signed_name };
    struct finding plain = { &names->unsigned_name, &answers->unsigned_name };
    struct finding broken = { &names->bogus_name, &answers->bogus_name };

    *out = (struct selftest){ .verdict = SELFTEST_GOOD };
    if (!validates) {
        out->verdict = SELFTEST_OFF;
        snprintf(out->why, sizeof out->why, "DNSSEC validation is off or has no trust anchor, so DANE protects nobody; "
                 "install dns-root-data or name a trust anchor file");
    } else if (is_bogus(sure) || is_bogus(plain)) {
        conclude(out, SELFTEST_ALL_BOGUS, is_bogus(sure) ? sure : plain, "fails DNSSEC validation",
                 "mail waits; check the clock, the trust anchor, and that forwarders pass signatures on");
    } else if (is_answered(sure) && !sure.answer->secure) {
        conclude(out, SELFTEST_NOT_SECURE, sure, "is signed but came as insecure",
                 "DANE protects nobody; check the trust anchor and who answers for this name");
    } else if (is_answered(broken) && broken.answer->status == DNS_FOUND) {
        conclude(out, SELFTEST_BLIND, broken, "has broken signatures but came as good",
                 "forged answers would, too; check the trust anchor and who answers for this name");
    } else if (is_unanswered(sure) && is_answered(plain)) {
        conclude(out, SELFTEST_ALL_BOGUS, sure, "has no answer while unsigned names have",
                 "mail to signed domains waits; check the forwarders and their clocks");
    } else if (is_unanswered(sure) || is_unanswered(plain)) {
        conclude(out, SELFTEST_UNREACHABLE, is_unanswered(sure) ? sure : plain, "has no answer",
                 "nothing is known of validation; check the name servers and the way to them");
    }
}

/* --- asking ------------------------------------------------------------------------ */

void selftest_run(struct resolver *r, const struct selftest_names *names, struct selftest *out)
{
    struct selftest_answers answers = { 0 };
    const struct { const struct selftest_name *about; struct dns_answer *answer; } all[] = {
        { &names->signed_name, &answers.signed_name },
        { &names->unsigned_name, &answers.unsigned_name },
        { &names->bogus_name, &answers.bogus_name },
    };
    struct dns_question questions[3];
    size_t count = 0;
    auto_arena struct arena scratch;

    arena_init(&scratch, SCRATCH_MAX);
    for (size_t i = 0; i < 3; i++)
        if (all[i].about->name)
            questions[count++] = (struct dns_question){ all[i].about->name, all[i].about->type, all[i].answer };
    if (resolver_validates(r))      /* otherwise the answers would change nothing */
        resolver_ask_all(r, questions, count, &scratch);
    selftest_judge(resolver_validates(r), names, &answers, out);
}
