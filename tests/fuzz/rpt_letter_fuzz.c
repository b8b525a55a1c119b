/* A message that may have a report in it. Domains taken from it are domains, or "". */
#include "tests/fuzz/fuzz.h"

#include "smtp/address.h"
#include "tlsrpt/judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct dkim_result signature = { DKIM_PASS, "example.com", "s", "",
                                            SLICE("From:Content-Type:Content-Transfer-Encoding:TLS-Report-Submitter") };
    auto_arena struct arena arena = { 0 };
    struct report_letter letter;
    struct error why = { 0 };

    arena_init(&arena, REPORT_ARENA_MAX);
    if (!report_letter_read(slice(data, size), &arena, &letter, &why)) {
        assert(why.code == E_NOT_FOUND || why.code == E_MALFORMED || why.code == E_LIMIT);
        return 0;
    }
    assert(!letter.from[0] || domain_is_valid(slice_of(letter.from), true));
    assert(!letter.domain[0] || domain_is_valid(slice_of(letter.domain), true));
    assert(strlen(letter.submitter) <= 255 && letter.report.entry_count > 0);
    if (judge_signer(&signature, 1, &letter, &why))
        assert(strstr(letter.from, "example.com") || strstr(letter.submitter, "example.com"));
    return 0;
}
