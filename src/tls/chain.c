/* Whether the peer's chain holds: one walk to the client's anchors and, when it
 * is asked, another to what the TLSA records name. Neither knows of the other. */
#include "tls/inside.h"

/* RFC 8460 4.3 knows "certificate-expired"; one that is not yet valid is merely not trusted (PD-E11). */
static bool is_expiry(int problem)
{
    return problem == X509_V_ERR_CERT_HAS_EXPIRED || problem == X509_V_ERR_ERROR_IN_CERT_NOT_AFTER_FIELD;
}

static int note_problem(int ok, X509_STORE_CTX *store)
{
    struct chain_problems *found = X509_STORE_CTX_get_app_data(store);
    int problem = X509_STORE_CTX_get_error(store);
    int *first = is_expiry(problem) ? &found->dates : &found->chain;

    if (!ok && *first == X509_V_OK)
        *first = problem;
    return 1;
}

bool chain_walk(X509_STORE_CTX *store, struct chain_problems *found)
{
    bool finished;

    *found = (struct chain_problems){ X509_V_OK, X509_V_OK };
    X509_STORE_CTX_set_app_data(store, found);
    X509_STORE_CTX_set_verify_cb(store, note_problem);
    finished = X509_verify_cert(store) > 0;
    if (!finished && found->chain == X509_V_OK)
        found->chain = X509_V_ERR_UNSPECIFIED;
    return finished;
}

int chain_verify(X509_STORE_CTX *store, void *unused)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);

    /* OpenSSL has set this up for DANE when records were given. */
    X509_STORE_CTX_set0_dane(store, NULL);
    chain_walk(store, &t->pkix);
    if (t->dane.result != TLS_DANE_NOT_ASKED)
        dane_verify(t, store);
    return 1;
}
