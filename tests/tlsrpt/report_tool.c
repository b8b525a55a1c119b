/* Makes TLS reports for tests/system/test_tlsrpt_schema.py, the whole way from what is counted to what is sent:
 *
 *     report_tool json|pretty|mail < DESCRIPTION      the report, or the message with it, on standard output
 *     report_tool measure DOMAINS KINDS               time and memory of that many reports, of KINDS failures each
 *
 * DESCRIPTION is JSON: {"domain", "day", "organization", "contact", "to", "failures-only", "policies": [{"domain", "text",
 * "mx": [...]} or {"domain", "records": [[3, 1, 1, "hex"]]}], "tallies": [{"policy": its index or null, "count",
 * "result-type", "sending-ip", "receiving-ip", "mx", "helo", "reason"}]}. */
#include "base/memory.h"
#include "tlsrpt/build.h"
#include "tlsrpt/mail.h"

#include <err.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

enum { POLICIES_MOST = 200, BYTES_MOST = 64 * 1024 * 1024, KEY_BYTES = 2048 };

struct store {                      /* what postern's would have: policies by id, keys in order */
    struct arena arena;
    uint64_t ids[POLICIES_MOST];
    struct report_policy policies[POLICIES_MOST];
    size_t policy_count;
    struct row {
        struct slice key;
        uint64_t count;
    } *rows;
    size_t row_count, row_room;
};

static const char *text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));

    return value ? value : "";
}

/* --- filling the store ---------------------------------------------------------------- */

static struct slice unhex(struct arena *arena, const char *hex)
{
    size_t len = strlen(hex) / 2;
    unsigned char *bytes = arena_take(arena, len + 1);

    for (size_t i = 0; i < len; i++)
        if (sscanf(hex + 2 * i, "%2hhx", &bytes[i]) != 1)
            errx(2, "no hex: %s", hex);
    return slice(bytes, len);
}

static bool policy_of_records(struct store *s, const json_t *described, struct report_policy *out)
{
    const json_t *records = json_object_get(described, "records");
    size_t count = json_array_size(records);
    struct tlsa *tlsa = arena_take(&s->arena, (count + 1) * sizeof *tlsa);

    for (size_t i = 0; i < count; i++) {
        const json_t *r = json_array_get(records, i);

        tlsa[i] = (struct tlsa){ (uint8_t)json_integer_value(json_array_get(r, 0)),
                                 (uint8_t)json_integer_value(json_array_get(r, 1)),
                                 (uint8_t)json_integer_value(json_array_get(r, 2)),
                                 unhex(&s->arena, json_string_value(json_array_get(r, 3))) };
    }
    return report_policy_of_tlsa(text(described, "domain"), tlsa, count, &s->arena, out);
}

static bool policy_of_text(struct store *s, const json_t *described, struct report_policy *out)
{
    const json_t *patterns = json_object_get(described, "mx"), *file = json_object_get(described, "text");
    const char *mx[20];
    size_t count = 0;

    for (; count < json_array_size(patterns) && count < sizeof mx / sizeof *mx; count++)
        mx[count] = json_string_value(json_array_get(patterns, count));
    return report_policy_of_sts(text(described, "domain"), slice(json_string_value(file), json_string_length(file)), mx,
                                count, &s->arena, out);
}

/* By way of the bytes that would be kept of it. */
static void keep_policy(struct store *s, const struct report_policy *p)
{
    auto_buf struct buf bytes;

    buf_init(&bytes, 128 * 1024);
    report_policy_encode(p, &bytes);
    s->ids[s->policy_count] = report_policy_id(p);
    if (bytes.failed || !report_policy_decode(buf_slice(&bytes), &s->arena, &s->policies[s->policy_count++]))
        errx(2, "the policy of %s cannot be kept", p->domain);
}

static void count(struct store *s, const struct report_tally *t, uint64_t number)
{
    auto_buf struct buf key;

    buf_init(&key, KEY_BYTES);
    report_tally_encode(t, &key);
    if (s->row_count == s->row_room) {
        s->row_room = s->row_room ? 2 * s->row_room : 64;
        s->rows = memory_grow(s->rows, s->row_room, sizeof *s->rows);
    }
    s->rows[s->row_count++] = (struct row){ arena_copy(&s->arena, buf_slice(&key)), number };
}

static void count_described(struct store *s, const char *domain, const json_t *t)
{
    const json_t *policy = json_object_get(t, "policy");
    const struct report_tally tally = {
        .domain = domain,
        .policy = json_is_integer(policy) ? s->ids[json_integer_value(policy)] : REPORT_POLICY_NONE,
        .result_type = text(t, "result-type"), .sending_ip = text(t, "sending-ip"), .receiving_ip = text(t, "receiving-ip"),
        .mx = text(t, "mx"), .helo = text(t, "helo"), .reason = text(t, "reason"),
    };

    count(s, &tally, (uint64_t)json_integer_value(json_object_get(t, "count")));
}

static int compare_rows(const void *left, const void *right)
{
    const struct slice a = ((const struct row *)left)->key, b = ((const struct row *)right)->key;
    int order = memcmp(a.at, b.at, a.len < b.len ? a.len : b.len);

    return order ? order : a.len < b.len ? -1 : a.len > b.len;
}

static void store_done(struct store *s)
{
    free(s->rows);
    arena_done(&s->arena);
}

/* --- from the store to the report --------------------------------------------------------- */

static struct report_build *build_from(struct store *s, const char *domain, uint32_t day)
{
    struct report_build *b = build_new(domain, day);
    uint64_t wanted[POLICIES_MOST];
    struct report_tally t;
    size_t most;

    for (size_t i = 0; i < s->row_count; i++) {
        auto_arena struct arena scratch;

        arena_init(&scratch, 2 * KEY_BYTES);
        if (!report_tally_decode(s->rows[i].key, &scratch, &t))
            errx(2, "a key cannot be read");
        build_add(b, &t, s->rows[i].count);
    }
    most = build_policies(b, wanted, POLICIES_MOST);
    for (size_t i = 0; i < most && i < POLICIES_MOST; i++)
        for (size_t p = 0; p < s->policy_count; p++)
            if (s->ids[p] == wanted[i])
                build_policy(b, wanted[i], &s->policies[p]);
    return b;
}

static void make(const struct report *r, const char *domain, const char *to, const char *form, struct buf *out)
{
    struct report_mail m = { r, domain, to, "mx.example.org", r->end + HOURS(2), slice("", 0) };
    auto_buf struct buf json, packed;
    struct error why;

    buf_init(&json, BYTES_MOST);
    buf_init(&packed, BYTES_MOST);
    if (!(strcmp(form, "pretty") == 0 ? report_write_pretty : report_write)(r, &json, &why) ||
        !gzip_pack(buf_slice(&json), &packed, &why))
        errx(1, "%s", why.text);
    m.gzipped = buf_slice(&packed);
    if (strcmp(form, "mail") == 0)
        report_mail_write(&m, out);
    else
        buf_add(out, buf_slice(&json));
}

static int print(const json_t *described, const char *form)
{
    const struct report_author author = { text(described, "organization"), text(described, "contact") };
    const json_t *policies = json_object_get(described, "policies"), *tallies = json_object_get(described, "tallies");
    const char *domain = text(described, "domain");
    struct store s = { 0 };
    auto_buf struct buf out;
    struct report_build *b;
    struct report report;
    struct error why;
    bool made;

    arena_init(&s.arena, BYTES_MOST);
    buf_init(&out, BYTES_MOST);
    for (size_t i = 0; i < json_array_size(policies); i++) {
        const json_t *one = json_array_get(policies, i);
        struct report_policy p;

        if (!(json_object_get(one, "records") ? policy_of_records : policy_of_text)(&s, one, &p))
            errx(2, "no room for policy %zu", i);
        keep_policy(&s, &p);
    }
    for (size_t i = 0; i < json_array_size(tallies); i++)
        count_described(&s, domain, json_array_get(tallies, i));
    if (s.row_count > 0)
        qsort(s.rows, s.row_count, sizeof *s.rows, compare_rows);
    b = build_from(&s, domain, (uint32_t)json_integer_value(json_object_get(described, "day")));
    made = build_end(b, &author, json_is_true(json_object_get(described, "failures-only")), &report, &why);
    if (made) {
        make(&report, domain, text(described, "to"), form, &out);
        fwrite(buf_slice(&out).at, 1, buf_len(&out), stdout);
    } else {
        warnx("%s: %s", error_name(why.code), why.text);
    }
    build_free(b);
    store_done(&s);
    return made ? 0 : 3;
}

/* --- measuring -------------------------------------------------------------------------------- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A domain with a policy, a success, and `kinds` failures. */
static void fill(struct store *s, const char *domain, unsigned long kinds)
{
    static const char policy[] = "version: STSv1\r\nmode: enforce\r\nmx: *.example.net\r\nmax_age: 604800\r\n";
    const char *const mx[] = { "*.example.net" };
    char host[300], helo[300], ip[60];
    struct report_tally t = { .domain = domain, .result_type = "" };
    struct report_policy p;

    if (!report_policy_of_sts(domain, slice_of(policy), mx, 1, &s->arena, &p))
        errx(2, "no room");
    keep_policy(s, &p);
    t.policy = s->ids[0];
    count(s, &t, 100);
    for (unsigned long i = 0; i < kinds; i++) {
        snprintf(host, sizeof host, "mx%06lu.%s", i, domain);
        snprintf(helo, sizeof helo, "server%06lu.%s", i, domain);
        snprintf(ip, sizeof ip, "2001:db8:%lx:%lx::25", i >> 16, i & 0xffff);
        t = (struct report_tally){ domain, s->ids[0], "certificate-not-trusted", "192.0.2.1", ip, host, helo,
                                   "self-signed-certificate" };
        count(s, &t, i + 1);
    }
}

static int measure(unsigned long domains, unsigned long kinds)
{
    const struct report_author author = { "Example Org", "tls-reports@example.org" };
    double counting = 0, building = 0, begin, filled;
    struct rusage usage;
    uint64_t bytes = 0;

    for (unsigned long i = 0; i < domains; i++) {
        struct store s = { 0 };
        auto_buf struct buf mail;
        char domain[60];
        struct report_build *b;
        struct report report;
        struct error why;

        snprintf(domain, sizeof domain, "customer-%06lu.example.net", i);
        arena_init(&s.arena, BYTES_MOST);
        buf_init(&mail, BYTES_MOST);
        begin = seconds();
        fill(&s, domain, kinds);
        filled = seconds();
        b = build_from(&s, domain, 20778);
        if (!build_end(b, &author, false, &report, &why))
            errx(1, "%s", why.text);
        make(&report, domain, "reports@example.net", "mail", &mail);
        bytes += buf_len(&mail);
        building += seconds() - filled;
        counting += filled - begin;
        build_free(b);
        store_done(&s);
    }
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"reports\": %lu, \"kinds\": %lu, \"build-seconds\": %.3f, \"fill-seconds\": %.3f, \"mail-bytes\": %" PRIu64
           ", \"peak-kib\": %ld}\n", domains, kinds, building, counting, bytes, usage.ru_maxrss);
    return 0;
}

int main(int argc, char **argv)
{
    json_error_t trouble;
    json_t *described;
    int code;

    if (argc == 4 && strcmp(argv[1], "measure") == 0)
        return measure(strtoul(argv[2], NULL, 10), strtoul(argv[3], NULL, 10));
    if (argc != 2)
        errx(2, "usage: report_tool json|pretty|mail < DESCRIPTION, or report_tool measure DOMAINS KINDS");
    described = json_loadf(stdin, JSON_ALLOW_NUL, &trouble);
    if (!described)
        errx(2, "%s", trouble.text);
    code = print(described, argv[1]);
    json_decref(described);
    return code;
}
