#include "tests/test.h"

#include "lab/certificates.h"
#include "lab/files.h"
#include "lab/zone.h"

#include <stdlib.h>

static struct error why;

/* --- TLSA in a few words ------------------------------------------------------------ */

static struct zone_tlsa only(const char *text)
{
    struct slice rest = slice_of(text);
    struct zone_tlsa t = { 0 };

    CHECK(zone_tlsa_next(&rest, &t));
    CHECK(slice_empty(rest));
    return t;
}

static bool makes_sense(const char *text)
{
    struct slice rest = slice_of(text);
    struct zone_tlsa t;

    return zone_tlsa_next(&rest, &t);
}

TEST(a_record_is_three_numbers_and_what_it_is_of)
{
    struct zone_tlsa t = only("3 1 2 leaf");

    CHECK(t.usage == 3 && t.selector == 1 && t.matching == 2 && t.what == TLSA_OF_LEAF && t.repeat == 1);
    t = only(" 255 0 7 issuer ");
    CHECK(t.usage == 255 && t.selector == 0 && t.matching == 7 && t.what == TLSA_OF_ISSUER);
    t = only("59*3 1 1 other");
    CHECK(t.repeat == 59 && t.usage == 3 && t.what == TLSA_OF_NOBODY);
    t = only("3 1 1 length 0");
    CHECK(t.what == TLSA_OF_LENGTH && t.length == 0);
}

TEST(records_are_parted_by_commas)
{
    struct slice rest = SLICE("3 1 1 other, 2 0 1 issuer,3 1 1 leaf");
    struct zone_tlsa t;

    CHECK(zone_tlsa_next(&rest, &t) && t.what == TLSA_OF_NOBODY);
    CHECK(zone_tlsa_next(&rest, &t) && t.what == TLSA_OF_ISSUER && t.usage == 2);
    CHECK(zone_tlsa_next(&rest, &t) && t.what == TLSA_OF_LEAF);
    CHECK(slice_empty(rest));
}

TEST(nonsense_is_refused)
{
    CHECK(!makes_sense(""));
    CHECK(!makes_sense("3 1 1"));
    CHECK(!makes_sense("3 1 leaf"));
    CHECK(!makes_sense("3 1 1 twig"));
    CHECK(!makes_sense("3 1 1 leaf leaf"));
    CHECK(!makes_sense("256 1 1 leaf"));
    CHECK(!makes_sense("*3 1 1 leaf"));
    CHECK(!makes_sense("x*3 1 1 leaf"));
    CHECK(!makes_sense("3 1 1 length"));
    CHECK(!makes_sense("3 1 1 length 5000"));
    CHECK(!makes_sense("3  1 1 leaf"));
}

/* --- zones ------------------------------------------------------------------------------ */

static struct plan *plan;
static char directory[64];
static struct buf text;

static void begin(void)
{
    const struct address base = { .family = AF_INET, .ip = { 127, 77, 0, 0 } };

    strcpy(directory, "/tmp/postern-lab-test-XXXXXX");
    CHECK(mkdtemp(directory));
    plan = plan_new(directory, &base);
    plan->smtp_port = 2525;
    CHECK_OK(certificates_make(plan, clock_wall(), &why), &why);
    buf_init(&text, 1024 * 1024);
}

static void end(void)
{
    plan_free(plan);
    folder_remove(directory);
    buf_done(&text);
}

static void write_zone_of(const char *name)
{
    buf_clear(&text);
    CHECK_OK(zone_write(plan, plan_zone_of(plan, name), SLICE("example. IN DS 1 13 2 00\n"), &text, &why), &why);
}

/* How many lines begin so. */
static size_t lines(const char *beginning)
{
    struct slice rest = buf_slice(&text);
    size_t count = 0;

    while (!slice_empty(rest))
        count += slice_starts(slice_cut(&rest, '\n'), slice_of(beginning));
    return count;
}

TEST(a_zone_has_a_head_and_its_delegations)
{
    begin();
    write_zone_of("");
    CHECK_EQUAL(lines(". 60 IN SOA ns.lab.example. "), 1);
    CHECK_EQUAL(lines(". 60 IN NS ns.lab.example."), 1);
    CHECK_EQUAL(lines("example. 60 IN NS ns.lab.example."), 1);
    CHECK_EQUAL(lines("example. IN DS "), 1);
    CHECK_EQUAL(lines(""), 4);
    write_zone_of("lab.example");
    CHECK_EQUAL(lines("ns.lab.example. 60 IN A 127.77.0.1"), 1);
    CHECK_EQUAL(lines("unsigned.lab.example. 60 IN NS "), 1);
    CHECK_EQUAL(lines("dane-ee.lab.example. 60 IN NS "), 0);
    end();
}

TEST(records_are_in_the_zone_of_their_name_only)
{
    begin();
    write_zone_of("lab.example");
    CHECK_EQUAL(lines("dane-ee.lab.example. 60 IN MX 10 mx.dane-ee.lab.example."), 1);
    CHECK_EQUAL(lines("mx.dane-ee.lab.example. 60 IN A 127.77.0."), 1);
    CHECK_EQUAL(lines("_2525._tcp.mx.dane-ee.lab.example. 60 IN TYPE52 \\# 35 030101"), 1);
    CHECK_EQUAL(lines("unsigned.lab.example. 60 IN MX "), 0);
    CHECK_EQUAL(lines("mx.away.dane-cname-insecure.lab.example. "), 0);
    CHECK_EQUAL(lines("mx.dane-cname-insecure.lab.example. 60 IN CNAME mx.away.dane-cname-insecure.lab.example."), 1);
    CHECK_EQUAL(lines("_2525._tcp.mx.dane-cname-insecure.lab.example. "), 1);
    CHECK_EQUAL(lines("mx.signed-host.lab.example. 60 IN A "), 1);
    write_zone_of("unsigned.lab.example");
    CHECK_EQUAL(lines("unsigned.lab.example. 60 IN MX 10 mx.unsigned.lab.example."), 1);
    CHECK_EQUAL(lines("mx.unsigned.lab.example. 60 IN A "), 1);
    write_zone_of("mx.away.dane-cname-insecure.lab.example");
    CHECK_EQUAL(lines("mx.away.dane-cname-insecure.lab.example. 60 IN A "), 1);
    end();
}

TEST(the_odd_cases_have_their_records)
{
    begin();
    write_zone_of("lab.example");
    CHECK_EQUAL(lines("_2525._tcp.mx.dane-many.lab.example. 60 IN TYPE52 \\# 67 030102"), 60);
    CHECK_EQUAL(lines("_2525._tcp.mx.dane-empty.lab.example. 60 IN TYPE52 \\# 3 030101"), 1);
    CHECK_EQUAL(lines("null-mx.lab.example. 60 IN MX 0 ."), 1);
    CHECK_EQUAL(lines("dane-no-mx.lab.example. 60 IN MX"), 0);
    CHECK_EQUAL(lines("dane-no-mx.lab.example. 60 IN A"), 1);
    CHECK_EQUAL(lines("dane-backup.lab.example. 60 IN MX 20 mx2."), 1);
    CHECK_EQUAL(lines("_2525._tcp.mx.dane-tlsa-cname.lab.example. 60 IN CNAME _tlsa.dane-tlsa-cname.lab.example."), 1);
    CHECK_EQUAL(lines("_tlsa.dane-tlsa-cname.lab.example. 60 IN TYPE52 "), 1);
    CHECK_EQUAL(lines("_mta-sts.sts-two-records.lab.example. 60 IN TXT "), 2);
    CHECK_EQUAL(lines("mta-sts.sts-enforce.lab.example. 60 IN A 127.77.1."), 1);
    end();
}

/* --- signed zones ---------------------------------------------------------------------------- */

#define MX_LINE   "may.lab.example.\t60\tIN\tMX\t10 mx.may.lab.example.\n"
#define SIGNATURE "may.lab.example.\t60\tIN\tRRSIG\tMX 13 3 60 20261220093856 20261122093856 3253 lab.example. "

TEST(a_signature_is_broken_and_nothing_else)
{
    struct buf zone = { .max = 4096 };

    buf_add(&zone, SLICE("x.may.lab.example.\t60\tIN\tRRSIG\tMX 13 Q==\n" MX_LINE SIGNATURE "Bcd0==\n"
                         "may.lab.example.\t60\tIN\tRRSIG\tA 13 Bcd0==\n"));
    CHECK(zone_break(&zone, "may.lab.example", "MX"));
    CHECK_SLICE(buf_slice(&zone), "x.may.lab.example.\t60\tIN\tRRSIG\tMX 13 Q==\n" MX_LINE SIGNATURE "Acd0==\n"
                "may.lab.example.\t60\tIN\tRRSIG\tA 13 Bcd0==\n");
    CHECK(zone_break(&zone, "may.lab.example", "MX"));
    CHECK(memmem(zone.memory, zone.end, "Bcd0==\nmay", 10));
    CHECK(!zone_break(&zone, "may.lab.example", "TLSA"));
    CHECK(!zone_break(&zone, "lab.example", "MX"));
    buf_done(&zone);
}

TEST(records_without_data_are_put_into_other_words)
{
    struct buf out = { .max = 4096 };

    zone_mend(SLICE("a.example.\t60\tIN\tTLSA\t3 1 1 \n" "b.example.\t60\tIN\tTLSA\t3 1 1 00ff\n" MX_LINE
                    "c.example.\t60\tIN\tTLSA\t3 1 x\n"), &out);
    CHECK_SLICE(buf_slice(&out), "a.example. 60 IN TYPE52 \\# 3 030101\n" "b.example.\t60\tIN\tTLSA\t3 1 1 00ff\n" MX_LINE
                "c.example.\t60\tIN\tTLSA\t3 1 x\n");
    buf_done(&out);
}
