#include "tests/test.h"

#include "lab/certificates.h"
#include "lab/files.h"
#include "tls/issue.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct address base = { .family = AF_INET, .ip = { 127, 77, 0, 0 } };
static char directory[64];
static struct error why;

static struct plan *begin(void)
{
    strcpy(directory, "/tmp/postern-lab-test-XXXXXX");
    CHECK(mkdtemp(directory));
    return plan_new(directory, &base);
}

static void end(struct plan *p)
{
    plan_free(p);
    folder_remove(directory);
    CHECK(access(directory, F_OK) != 0);
}

static const struct plan_host *host(const struct plan *p, const char *domain)
{
    for (size_t i = 0; i < p->host_count; i++)
        if (strcmp(p->hosts[i].of->domain, domain) == 0)
            return &p->hosts[i];
    return NULL;
}

static size_t certificates_in(const char *file)
{
    auto_buf struct buf data = { .max = 64 * 1024 };
    size_t count = 0;

    while (tls_association(file, count, 0, 0, &data, NULL))
        count++;
    return count;
}

TEST(every_host_gets_its_certificate_and_key)
{
    struct plan *p = begin();
    struct stat info;

    CHECK_OK(certificates_make(p, clock_wall(), &why), &why);
    for (size_t i = 0; i < p->host_count; i++) {
        const struct tls_server_settings settings = { .identities = &p->hosts[i].files, .identity_count = 1 };
        struct tls_server *server = tls_server_new(&settings, &why);

        CHECK_OK(server, &why);
        tls_server_free(server);
        CHECK(stat(p->hosts[i].files.key_file, &info) == 0 && (info.st_mode & 0777) == 0600);
    }
    end(p);
}

TEST(a_chain_has_the_issuer_where_the_case_wants_it)
{
    struct plan *p = begin();

    CHECK_OK(certificates_make(p, clock_wall(), &why), &why);
    CHECK_EQUAL(certificates_in(host(p, "dane-ta")->files.chain_file), 2);
    CHECK_EQUAL(certificates_in(host(p, "dane-ta-missing")->files.chain_file), 1);
    CHECK_EQUAL(certificates_in(host(p, "dane-ee")->files.chain_file), 1);
    end(p);
}

TEST(certificates_that_are_there_are_kept)
{
    auto_buf struct buf before = { .max = 4096 }, after = { .max = 4096 };
    struct plan *p = begin();

    CHECK_OK(certificates_make(p, clock_wall(), &why), &why);
    CHECK(file_read(p->ca.chain_file, &before, &why) && file_read(host(p, "may")->files.chain_file, &before, &why));
    CHECK_OK(certificates_make(p, clock_wall(), &why), &why);
    CHECK(file_read(p->ca.chain_file, &after, &why) && file_read(host(p, "may")->files.chain_file, &after, &why));
    CHECK(slice_equal(buf_slice(&before), buf_slice(&after)));
    end(p);
}

/* RFC 6698 2.1.2 and 2.1.3: the whole or the key, in full or as a digest. */
TEST(associations_have_the_lengths_of_their_kinds)
{
    struct plan *p = begin();
    const struct tls_order order = { .name = "mx.example.org", .until = DAYS(1) };
    auto_buf struct buf full = { .max = 4096 }, key = { .max = 4096 }, short_digest = { .max = 64 }, digest = { .max = 64 };

    CHECK(!tls_issue(&order, &p->ca, &why));        /* there is no directory for its key yet */
    CHECK(folder_make(plan_path(p, "certificates"), &why));
    CHECK_OK(tls_issue(&order, &p->ca, &why), &why);
    CHECK(tls_association(p->ca.chain_file, 0, 0, 0, &full, &why));
    CHECK(tls_association(p->ca.chain_file, 0, 1, 0, &key, &why));
    CHECK(tls_association(p->ca.chain_file, 0, 1, 1, &short_digest, &why));
    CHECK(tls_association(p->ca.chain_file, 0, 1, 2, &digest, &why));
    CHECK(buf_len(&full) > buf_len(&key) && buf_len(&key) == 91);   /* a P-256 SubjectPublicKeyInfo */
    CHECK_EQUAL(buf_len(&short_digest), 32);
    CHECK_EQUAL(buf_len(&digest), 64);
    CHECK(memmem(buf_slice(&full).at, buf_len(&full), buf_slice(&key).at, buf_len(&key)));
    CHECK(!tls_association(p->ca.chain_file, 1, 1, 1, &digest, &why));
    CHECK(!tls_association("/does/not/exist", 0, 1, 1, &digest, &why));
    end(p);
}

TEST(an_issuer_that_is_not_there_is_an_error)
{
    struct plan *p = begin();
    const struct tls_order order = { .name = "mx.example.org", .until = DAYS(1), .issuer = &p->anchor };

    CHECK(folder_make(plan_path(p, "certificates"), &why));
    CHECK(!tls_issue(&order, &p->ca, &why));
    CHECK_EQUAL(why.code, E_TLS_SETUP);
    CHECK(strstr(why.text, "anchor.pem"));
    end(p);
}
