#include "tests/test.h"

#include "tlsrpt/gzip.h"

#include <stdlib.h>
#include <unistd.h>

static struct error why;

static void pack(struct slice bytes, struct buf *out)
{
    buf_done(out);
    buf_init(out, 64 * 1024 * 1024);
    CHECK_OK(gzip_pack(bytes, out, &why), &why);
}

/* The error's name, or "good". */
static const char *unpack(struct slice bytes, size_t max, struct buf *out)
{
    buf_done(out);
    buf_init(out, max);
    why = (struct error){ 0 };
    if (gzip_unpack(bytes, out, &why))
        return "good";
    CHECK(why.text[0] != '\0');
    return error_name(why.code);
}

/* TLSRPT-071 */
TEST(what_was_packed_unpacks_to_the_same)
{
    auto_buf struct buf packed = { 0 }, again = { 0 }, large;

    pack(SLICE("{\"policies\":[]}"), &packed);
    CHECK_ID("TLSRPT-071", slice_starts(buf_slice(&packed), SLICE("\x1f\x8b")));
    CHECK(gzip_is(buf_slice(&packed)));
    CHECK_TEXT(unpack(buf_slice(&packed), 1000, &again), "good");
    CHECK_SLICE(buf_slice(&again), "{\"policies\":[]}");
    pack(slice("", 0), &packed);
    CHECK_TEXT(unpack(buf_slice(&packed), 1000, &again), "good");
    CHECK_EQUAL(buf_len(&again), 0);
    buf_init(&large, 1024 * 1024);
    for (uint32_t i = 0; i < 100000; i++)
        buf_u32(&large, i * 2654435761u);
    pack(buf_slice(&large), &packed);
    CHECK_TEXT(unpack(buf_slice(&packed), 1024 * 1024, &again), "good");
    CHECK(slice_equal(buf_slice(&again), buf_slice(&large)));
}

/* A report that is made again is the same, to the byte (TLSRPT-033). */
TEST(packing_knows_no_time)
{
    auto_buf struct buf one = { 0 }, two = { 0 };

    pack(SLICE("report"), &one);
    pack(SLICE("report"), &two);
    CHECK(slice_equal(buf_slice(&one), buf_slice(&two)));
    CHECK_EQUAL(buf_slice(&one).at[3], 0);                                 /* FLG: no name */
    CHECK(memcmp(buf_slice(&one).at + 4, "\0\0\0\0", 4) == 0);              /* MTIME */
}

TEST(packing_minds_its_bound)
{
    auto_buf struct buf out;

    buf_init(&out, 20);
    CHECK(!gzip_pack(SLICE("0123456789abcdefghijklmnopqrstuvwxyz"), &out, &why));
    CHECK_EQUAL(why.code, E_LIMIT);
}

TEST(gzip_1_reads_it)
{
    auto_buf struct buf packed = { 0 };
    char name[] = "/tmp/gzip_test_XXXXXX", command[100], got[32] = "";
    int fd = mkstemp(name);
    FILE *pipe;

    CHECK(fd >= 0);
    pack(SLICE("as others see it"), &packed);
    CHECK(write(fd, buf_slice(&packed).at, buf_len(&packed)) == (ssize_t)buf_len(&packed));
    close(fd);
    snprintf(command, sizeof command, "gzip -dc < %s", name);
    pipe = popen(command, "r");
    CHECK(pipe && fgets(got, sizeof got, pipe));
    CHECK_EQUAL(pclose(pipe), 0);
    CHECK_TEXT(got, "as others see it");
    unlink(name);
}

TEST(damage_is_found_wherever_it_is)
{
    auto_buf struct buf packed = { 0 }, out = { 0 };

    pack(SLICE("{\"organization-name\":\"Example Org\",\"report-id\":\"1@example.org\"}"), &packed);
    CHECK_TEXT(unpack(SLICE(""), 1000, &out), "E_MALFORMED");
    CHECK_TEXT(unpack(SLICE("{}"), 1000, &out), "E_MALFORMED");
    CHECK_TEXT(unpack(SLICE("\x1f"), 1000, &out), "E_MALFORMED");
    for (size_t len = 0; len < buf_len(&packed); len++)
        CHECK_TEXT(unpack(slice_first(buf_slice(&packed), len), 1000, &out), "E_MALFORMED");
    for (size_t i = 10; i < buf_len(&packed); i++) {        /* behind the header, of which not every bit counts */
        char *byte = (char *)buf_slice(&packed).at + i;

        *byte = (char)(*byte ^ 0x55);
        CHECK_TEXT(unpack(buf_slice(&packed), 1000, &out), "E_MALFORMED");
        *byte = (char)(*byte ^ 0x55);
    }
    CHECK_TEXT(unpack(buf_slice(&packed), 1000, &out), "good");
}

/* RFC 1952 2.2 */
TEST(several_members_are_one_file)
{
    auto_buf struct buf one = { 0 }, two = { 0 }, out = { 0 };

    pack(SLICE("first "), &one);
    pack(SLICE("second"), &two);
    buf_add(&one, buf_slice(&two));
    CHECK_TEXT(unpack(buf_slice(&one), 1000, &out), "good");
    CHECK_SLICE(buf_slice(&out), "first second");
    CHECK_TEXT(unpack(slice_first(buf_slice(&one), buf_len(&one) - 1), 1000, &out), "E_MALFORMED");
    buf_add(&one, SLICE("\0\0\0\r\n"));
    CHECK_TEXT(unpack(buf_slice(&one), 1000, &out), "good");
    CHECK_SLICE(buf_slice(&out), "first second");
}

/* TLSRPT-093 */
TEST(bombs_do_not_go_off)
{
    const size_t large = 32 * 1024 * 1024;
    char *zeros = calloc(1, large);
    auto_buf struct buf packed = { 0 }, out = { 0 };

    pack(slice(zeros, large), &packed);
    CHECK_TEXT(unpack(buf_slice(&packed), 64 * 1024 * 1024, &out), "E_LIMIT");
    CHECK(buf_len(&out) < 8 * 1024 * 1024);
    CHECK_TEXT(unpack(buf_slice(&packed), 100 * 1000, &out), "E_LIMIT");
    pack(slice(zeros, 1024 * 1024), &packed);       /* what is small may repeat itself */
    CHECK(buf_len(&packed) * 200 < 1024 * 1024);
    CHECK_TEXT(unpack(buf_slice(&packed), 1024 * 1024, &out), "good");
    CHECK_EQUAL(buf_len(&out), 1024 * 1024);
    CHECK_TEXT(unpack(buf_slice(&packed), 1024 * 1024 - 1, &out), "E_LIMIT");
    free(zeros);
}

TEST(what_stood_in_the_buffer_stays_and_does_not_count)
{
    auto_buf struct buf packed = { 0 }, out;

    pack(SLICE("world"), &packed);
    buf_init(&out, 100);
    buf_add(&out, SLICE("hello "));
    CHECK_OK(gzip_unpack(buf_slice(&packed), &out, &why), &why);
    CHECK_SLICE(buf_slice(&out), "hello world");
}
