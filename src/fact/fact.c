#include "fact/fact.h"

#include "base/log.h"

#include <stdio.h>

size_t fact_results(const struct fact *f, struct policy_result out[POLICY_RESULTS_MAX])
{
    const struct decide_event event = { f->how, f->tls_problem, f->why, f->starttls_code, f->tls };

    return decide_results(&f->decision, &event, out);
}

static void log_policy_results(struct log_line *l, const struct fact *f)
{
    static const char *const keys[POLICY_RESULTS_MAX] = { "result", "result-too" };
    struct policy_result results[POLICY_RESULTS_MAX];
    size_t count = fact_results(f, results);
    char text[160];

    for (size_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "%s:%s%s%s", policy_type_name(results[i].type),
                 results[i].success ? "success" : results[i].result_type, results[i].reason[0] ? ":" : "",
                 results[i].reason);
        log_text(l, keys[i], text);
    }
}

static void put(struct log_line *l, const struct fact *f)
{
    const struct decision *d = &f->decision;
    char text[DECISION_TEXT_MAX];

    log_text(l, "next-hop", f->next_hop);
    log_text(l, "relay", f->relay);
    log_text(l, "need", mail_need_name(d->input.need));
    log_text(l, "level", tls_level_name(d->rule->level));
    log_text(l, "dane", dane_finding_name(d->input.dane));
    log_text(l, "sts", sts_finding_name(d->input.sts));
    log_truth(l, "authentic", d->input.authentic);
    if (d->input.memory_holds)
        log_truth(l, "memory-holds", true);
    log_text(l, "row", d->row);
    log_text(l, "decision", decision_text(d, text));
    log_text(l, "tls", f->tls ? tls_version_name(f->tls->version) : "none");
    log_text(l, "verdict", verdict_name(d, f->tls));
    log_policy_results(l, f);
    if (f->how != E_NONE)
        log_text(l, "code", error_name(f->how));
    if (f->why[0])
        log_text(l, "why", f->why);
}

void fact_log(const struct fact *f)
{
    struct log_line l = log_begin(LOG_LEVEL_INFO, "delivery.attempt");

    put(&l, f);
    log_end(&l);
    if (!log_recording())
        return;
    l = log_record("delivery.attempt");
    put(&l, f);
    if (f->tls) {
        log_text(&l, "cipher", f->tls->cipher);
        log_text(&l, "group", f->tls->group);
        log_text(&l, "certificate", f->tls->fingerprint);
    }
    log_text(&l, "helo", f->helo);
    log_text(&l, "from", f->sending_ip);
    log_end(&l);
}
