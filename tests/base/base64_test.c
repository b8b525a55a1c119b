#include "tests/test.h"

#include "base/buf.h"
#include "base/base64.h"

/* RFC 4648 10 */
static const struct {
    const char *bytes, *text;
} VECTORS[] = {
    { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
};

TEST(the_rfcs_examples_are_written_and_read)
{
    for (size_t i = 0; i < sizeof VECTORS / sizeof *VECTORS; i++) {
        auto_buf struct buf text = { 0 }, bytes = { 0 };

        buf_init(&text, 100);
        buf_init(&bytes, 100);
        base64_write(slice_of(VECTORS[i].bytes), &text);
        CHECK_SLICE(buf_slice(&text), VECTORS[i].text);
        CHECK(base64_read(slice_of(VECTORS[i].text), &bytes));
        CHECK_SLICE(buf_slice(&bytes), VECTORS[i].bytes);
    }
}

TEST(every_byte_comes_back_at_every_length)
{
    char all[256];

    for (size_t i = 0; i < sizeof all; i++)
        all[i] = (char)(i * 7);
    for (size_t len = 0; len <= sizeof all; len++) {
        auto_buf struct buf text = { 0 }, bytes = { 0 };

        buf_init(&text, 400);
        buf_init(&bytes, len);
        base64_write(slice(all, len), &text);
        CHECK(base64_read(buf_slice(&text), &bytes));
        CHECK(slice_equal(buf_slice(&bytes), slice(all, len)));
    }
}

static bool reads(struct slice text, size_t max)
{
    auto_buf struct buf out = { 0 };
    bool good;

    buf_init(&out, max);
    good = base64_read(text, &out);
    CHECK(good || buf_len(&out) == 0);
    CHECK(!out.failed);
    return good;
}

TEST(white_space_may_stand_anywhere)
{
    CHECK(reads(SLICE(" Z\tm\r\n 9 v\r\n"), 3));
    CHECK(reads(SLICE("Z g = = "), 1));
    CHECK(reads(SLICE(" \t\r\n"), 0));
}

TEST(what_is_no_base64_is_refused)
{
    static const char *const BAD[] = { "Z", "Zg", "Zg=", "Zm9", "Zg==Zg==", "Zg===", "====", "=", "Z===", "Zm=v", "Zm9v=", "Zm9v-",
                                       "Zm9v_", "Zm9v!", "Zm9vYg==x", "\x80m9v" };

    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (reads(slice_of(BAD[i]), 100))
            fail_msg("\"%s\" was read", BAD[i]);
    CHECK(!reads(SLICE("Zm9v\0"), 100));
}

TEST(what_does_not_fit_is_refused_whole)
{
    CHECK(reads(SLICE("Zm9vYmFy"), 6));
    CHECK(!reads(SLICE("Zm9vYmFy"), 5));
}
