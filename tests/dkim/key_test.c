#include "tests/test.h"

#include "base/buf.h"
#include "dkim/key.h"

/* What the key says under a signature: the bytes of p=, or why not. */
static const char *take_for(const char *text, const struct dkim_signature *by, const char *service)
{
    static char said[300];
    auto_buf struct buf key = { 0 };
    struct error why = { 0 };

    buf_init(&key, DKIM_KEY_MAX);
    if (dkim_key_from(slice_of(text), by, service, &key, &why)) {
        snprintf(said, sizeof said, "%.*s", SLICE_ARGS(buf_slice(&key)));
    } else {
        CHECK(why.code == E_MALFORMED);
        CHECK(buf_len(&key) == 0);
        snprintf(said, sizeof said, "%s", why.text);
    }
    return said;
}

static const char *take(const char *text)
{
    static const struct dkim_signature rsa = { .kind = SIGNATURE_RSA };

    return take_for(text, &rsa, "email");
}

TEST(a_key_is_taken_out_of_its_record)
{
    CHECK_TEXT(take("v=DKIM1; k=rsa; h=sha1:sha256; s=email; t=x:s; n=a note; g=*; p=Zm 9v\r\n YmFy"), "foobar");
    CHECK_TEXT(take("p=Zm9v"), "foo");
    CHECK_TEXT(take("p=Zm9v;"), "foo");
}

/* RFC 6376 3.6.1, v= */
TEST(the_version_comes_first_or_not_at_all)
{
    CHECK_TEXT(take("p=Zm9v; v=DKIM1"), "the key record does not begin with v=DKIM1");
    CHECK_TEXT(take("v=DKIM2; p=Zm9v"), "the key record does not begin with v=DKIM1");
    CHECK_TEXT(take("v=dkim1; p=Zm9v"), "the key record does not begin with v=DKIM1");
    CHECK_TEXT(take("v=spf1"), "the key record does not begin with v=DKIM1");
}

TEST(a_key_is_of_the_signatures_kind)
{
    static const struct dkim_signature ed = { .kind = SIGNATURE_ED25519 };

    CHECK_TEXT(take("k=ed25519; p=Zm9v"), "the key is of another kind (k=ed25519)");
    CHECK_TEXT(take("k=RSA; p=Zm9v"), "the key is of another kind (k=RSA)");
    CHECK_TEXT(take_for("k=ed25519; p=Zm9v", &ed, "email"), "foo");
    CHECK_TEXT(take_for("p=Zm9v", &ed, "email"), "the key is of another kind (k=rsa)");
}

TEST(a_key_may_be_for_some_hashes_only)
{
    CHECK_TEXT(take("h=sha1; p=Zm9v"), "the key is not for SHA-256 (h=)");
    CHECK_TEXT(take("h=; p=Zm9v"), "the key is not for SHA-256 (h=)");
    CHECK_TEXT(take("h=sha512 : sha256; p=Zm9v"), "foo");
}

/* RFC 8460 3, TLSRPT-090 */
TEST(a_key_may_be_for_some_services_only)
{
    static const struct dkim_signature rsa = { .kind = SIGNATURE_RSA };

    CHECK_TEXT(take("s=tlsrpt; p=Zm9v"), "the key is not for email (s=tlsrpt)");
    CHECK_TEXT(take("s=tlsrpt : email; p=Zm9v"), "foo");
    CHECK_TEXT(take("s=*; p=Zm9v"), "foo");
    CHECK_TEXT(take("s=; p=Zm9v"), "the key is not for email (s=)");
    CHECK_TEXT(take_for("s=email; p=Zm9v", &rsa, "tlsrpt"), "the key is not for tlsrpt (s=email)");
    CHECK_TEXT(take_for("s=tlsrpt; p=Zm9v", &rsa, "tlsrpt"), "foo");
    CHECK_TEXT(take_for("s=other:*; p=Zm9v", &rsa, "tlsrpt"), "foo");
    CHECK_TEXT(take_for("p=Zm9v", &rsa, "tlsrpt"), "foo");
}

TEST(a_domain_that_is_testing_signs_nothing)
{
    CHECK_TEXT(take("t=y; p=Zm9v"), "its domain is only testing DKIM (t=y)");
    CHECK_TEXT(take("t=s : y; p=Zm9v"), "its domain is only testing DKIM (t=y)");
    CHECK_TEXT(take("t=; p=Zm9v"), "foo");
}

TEST(a_key_may_exclude_subdomains)
{
    static const struct dkim_signature below = { .kind = SIGNATURE_RSA, .below = true };

    CHECK_TEXT(take_for("p=Zm9v", &below, "email"), "foo");
    CHECK_TEXT(take_for("t=s; p=Zm9v", &below, "email"), "the key is not for subdomains (t=s)");
    CHECK_TEXT(take("t=s; p=Zm9v"), "foo");
}

TEST(a_key_may_be_revoked_missing_or_none)
{
    static char longest[DKIM_KEY_MAX / 3 * 4 + 20] = "p=";

    CHECK_TEXT(take("v=DKIM1; p="), "the key has been revoked");
    CHECK_TEXT(take("p= \t"), "the key has been revoked");
    CHECK_TEXT(take("v=DKIM1"), "the key record has no key (p=)");
    CHECK_TEXT(take("p=Zm9"), "the key (p=) is not in base64, or too long");
    memset(longest + 2, 'A', sizeof longest - 3);
    longest[2 + DKIM_KEY_MAX / 3 * 4] = '\0';
    CHECK(take(longest)[0] == '\0');
    strcat(longest, "AAAA");
    CHECK_TEXT(take(longest), "the key (p=) is not in base64, or too long");
}

TEST(a_record_that_is_no_list_is_none)
{
    CHECK_TEXT(take(""), "the key record makes no sense: there are no tags");
    CHECK_TEXT(take("hello"), "the key record makes no sense: there is no \"=\" in \"hello\"");
    CHECK_TEXT(take("p=Zm9v; p=Zm9v"), "the key record makes no sense: there are two tags p=");
}
