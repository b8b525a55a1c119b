#include "https/fetch.h"

#include "base/memory.h"
#include "tls/name.h"

#include <assert.h>

enum {
    HEADER_MAX = 16 * 1024,         /* of all header lines of an answer, interim answers and trailers included */
    CA_KEPT_S = 60 * 60,            /* then the bundle is read again: it may have changed */
};

/* --- what is asked for --------------------------------------------------------- */

/* curl would take "127.1" or "0x7f000001" for an address. RFC 1123 2.1: "the
 * highest-level component label will be alphabetic", nowadays at its start. */
static bool is_host_name(struct slice host)
{
    size_t dot = slice_find_last(host, '.');
    struct slice last = dot < host.len ? slice_after(host, dot + 1) : host;

    return tls_name_is_usable(host) && slice_find(host, '*') == host.len && byte_is_alpha(last.at[0]);
}

/* An IPv4-mapped one becomes IPv4, as address_from gives it back. */
static struct address plain_address(const struct address *a)
{
    struct sockaddr_storage socket_address;

    address_to(a, &socket_address);
    return address_from((const struct sockaddr *)&socket_address);
}

static bool is_address(const char *host)
{
    struct address unused;

    return address_parse_ip(slice_of(host), &unused);
}

/* It stands as it is in the request's first line. */
static bool is_path(struct slice path)
{
    for (size_t i = 0; i < path.len; i++)
        if (path.at[i] <= ' ' || path.at[i] > '~')
            return false;
    return slice_starts(path, SLICE("/"));
}

static bool check(const struct https_request *r, bool clear, struct error *why)
{
    if (!is_host_name(slice_of(r->host)) && !(clear && is_address(r->host)))
        return fail(why, E_STS_FETCH, "\"%s\" is not a host name", r->host);
    if (!is_path(slice_of(r->path)))
        return fail(why, E_STS_FETCH, "%s: \"%s\" is not a path", r->host, r->path);
    return r->address_count > 0 || fail(why, E_STS_FETCH, "%s has no address", r->host);
}

static char *make_url(const struct https_request *r, bool clear)
{
    bool brackets = strchr(r->host, ':');
    struct buf url;
    char *text;

    buf_init(&url, strlen(r->host) + strlen(r->path) + sizeof "https://[]:65535");
    buf_text(&url, brackets ? "%s://[%s]:%u%s" : "%s://%s:%u%s", clear ? "http" : "https", r->host, r->port, r->path);
    text = memory_text(buf_slice(&url));
    buf_done(&url);
    return text;
}

static bool init(struct fetch *f, const struct https_request *r, bool clear, struct error *why)
{
    if (!check(r, clear, why))
        return false;
    *f = (struct fetch){ .port = r->port, .most = r->most, .clear = clear };
    f->host = memory_text(slice_of(r->host));
    f->expected.host = f->host;
    f->url = make_url(r, clear);
    for (size_t i = 0; i < r->address_count && i < FETCH_ADDRESSES_MAX; i++)
        f->addresses[f->address_count++] = plain_address(&r->addresses[i]);
    buf_init(&f->body, r->most);
    return true;
}

bool fetch_init(struct fetch *f, const struct https_request *r, struct error *why)
{
    return init(f, r, false, why);
}

bool fetch_init_post(struct fetch *f, const struct https_post *p, struct error *why)
{
    struct buf line;

    if (!init(f, &p->to, p->clear, why))
        return false;
    f->any_certificate = p->any_certificate;
    buf_init(&line, sizeof "Content-Type: " + strlen(p->media_type));
    buf_text(&line, "Content-Type: %s", p->media_type);
    f->document_type = memory_text(buf_slice(&line));
    buf_done(&line);
    f->document = memory_text(p->body);
    f->document_len = p->body.len;
    return true;
}

void fetch_done(struct fetch *f)
{
    assert(!f->easy);
    free(f->host);
    free(f->url);
    free(f->document_type);
    free(f->document);
    free(f->content_type);
    buf_done(&f->body);
}

/* --- what curl calls ----------------------------------------------------------- */

static bool was_given(const struct fetch *f, const struct address *a)
{
    for (size_t i = 0; i < f->address_count; i++) {
        if (address_same_ip(&f->addresses[i], a))
            return true;
    }
    return false;
}

/* Whatever else may be configured around curl, it connects nowhere else. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct fetch *f = arg;
    struct address address = address_from(&to->addr);

    if (!was_given(f, &address) || address.port != f->port)
        return CURL_SOCKET_BAD;
    address_ip_text(&address, f->peer);
    return multi_open_socket(f->multi, to);
}

static CURLcode begin_tls(CURL *easy, void *ssl_ctx, void *arg)
{
    struct fetch *f = arg;

    f->phase = FETCH_SHAKING_HANDS;
    if (!f->any_certificate)
        tls_web_expect(ssl_ctx, &f->expected);
    return CURLE_OK;
}

static int begin_asking(void *arg, char *peer_ip, char *local_ip, int peer_port, int local_port)
{
    struct fetch *f = arg;

    f->phase = FETCH_ASKED;
    snprintf(f->peer, sizeof f->peer, "%s", peer_ip);
    return CURL_PREREQFUNC_OK;
}

/* What it returns is never the number of bytes given, which ends the transfer. */
static size_t refuse(struct fetch *f, const char *format, ...) printf_like(2, 3);
static size_t refuse(struct fetch *f, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(f->refused, sizeof f->refused, format, args);
    va_end(args);
    return 0;
}

static bool encodes(struct slice line, struct slice field, struct slice harmless)
{
    return slice_starts_nocase(line, field) && !slice_equal_nocase(slice_trim(slice_after(line, field.len)), harmless);
}

/* Nothing was said of compression, and curl would undo a transfer coding unasked. */
static size_t take_header(char *at, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    struct slice line = slice(at, size * count);

    f->phase = FETCH_HEADER;
    f->header_bytes += line.len;
    if (f->header_bytes > HEADER_MAX)
        return refuse(f, "the header of the answer is longer than %d bytes", HEADER_MAX);
    if (encodes(line, SLICE("Content-Encoding:"), SLICE("identity")))
        return refuse(f, "the answer is compressed, which was not asked for");
    if (encodes(line, SLICE("Transfer-Encoding:"), SLICE("chunked")))
        return refuse(f, "the answer has a transfer coding other than chunked");
    return line.len;
}

static size_t refuse_length(struct fetch *f)
{
    return refuse(f, "the answer is longer than %zu bytes", f->most);
}

static size_t take_body(char *at, size_t size, size_t count, void *arg)
{
    struct fetch *f = arg;
    struct slice piece = slice(at, size * count);

    f->phase = FETCH_BODY;
    buf_add(&f->body, piece);
    return f->body.failed ? refuse_length(f) : piece.len;
}

/* --- addresses ----------------------------------------------------------------- */

/* curl 7.88 driven by events forgets to go on when an address does not answer
 * in its time and the next of the same family would have its turn (curl issue
 * 11920). So it is given at most one of each family, and races these two. */

static const struct address *nth_of_family(const struct fetch *f, int family, size_t n)
{
    for (size_t i = 0; i < f->address_count; i++) {
        if (f->addresses[i].family == family && n-- == 0)
            return &f->addresses[i];
    }
    return NULL;
}

static bool has_round(const struct fetch *f, size_t round)
{
    return nth_of_family(f, AF_INET, round) || nth_of_family(f, AF_INET6, round);
}

/* Half of what is left when others wait behind this one. */
static time_ms time_to_connect(const struct fetch *f)
{
    time_ms left = f->connect_until - clock_now();

    if (has_round(f, f->round + 1))
        left /= 2;
    return left > 0 ? left : 1;         /* 0 would be curl's own default */
}

/* "host:port:[2001:db8::1],192.0.2.1", which spares curl all questions. */
static struct curl_slist *addresses_for_curl(const struct fetch *f)
{
    int first = f->addresses[0].family, families[] = { first, first == AF_INET ? AF_INET6 : AF_INET };
    char entry[512], text[ADDRESS_TEXT_MAX], separator = ':';
    int used = snprintf(entry, sizeof entry, "%s:%u", f->host, f->port);

    for (size_t i = 0; i < 2; i++) {
        const struct address *a = nth_of_family(f, families[i], f->round);

        if (!a)
            continue;
        used += snprintf(entry + used, sizeof entry - (size_t)used, a->family == AF_INET6 ? "%c[%s]" : "%c%s", separator,
                         address_ip_text(a, text));
        separator = ',';
    }
    return curl_slist_append(NULL, entry);
}

/* --- setting up ---------------------------------------------------------------- */

/* An option that this curl does not know must not be one that is not set. */
#define SET(option, value)                                                              \
    do {                                                                                \
        if (code == CURLE_OK)                                                           \
            code = curl_easy_setopt(f->easy, option, value);                            \
    } while (0)

static CURLcode set_callbacks(struct fetch *f)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_PRIVATE, f->transfer);
    SET(CURLOPT_ERRORBUFFER, f->words);
    SET(CURLOPT_OPENSOCKETFUNCTION, open_socket);
    SET(CURLOPT_OPENSOCKETDATA, f);
    SET(CURLOPT_SSL_CTX_FUNCTION, begin_tls);
    SET(CURLOPT_SSL_CTX_DATA, f);
    SET(CURLOPT_PREREQFUNCTION, begin_asking);
    SET(CURLOPT_PREREQDATA, f);
    SET(CURLOPT_HEADERFUNCTION, take_header);
    SET(CURLOPT_HEADERDATA, f);
    SET(CURLOPT_WRITEFUNCTION, take_body);
    SET(CURLOPT_WRITEDATA, f);
    return code;
}

/* Without "Expect: 100-continue", which some hosts leave without an answer. */
static CURLcode set_method(struct fetch *f)
{
    struct curl_slist *longer;
    CURLcode code = CURLE_OK;

    if (!f->document_type) {
        SET(CURLOPT_HTTPGET, 1L);
        return code;
    }
    f->fields = curl_slist_append(NULL, f->document_type);
    longer = curl_slist_append(f->fields, "Expect:");
    if (!f->fields || !longer)
        return CURLE_OUT_OF_MEMORY;
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_HTTPHEADER, f->fields);
    SET(CURLOPT_POSTFIELDS, f->document);       /* which curl does not copy */
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)f->document_len);
    return code;
}

static CURLcode set_request(struct fetch *f)
{
    CURLcode code = set_method(f);

    SET(CURLOPT_URL, f->url);
    SET(CURLOPT_PATH_AS_IS, 1L);
    SET(CURLOPT_USERAGENT, "postern");
    SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(CURLOPT_HTTP09_ALLOWED, 0L);
    SET(CURLOPT_PROTOCOLS_STR, f->clear ? "http" : "https");
    SET(CURLOPT_FOLLOWLOCATION, 0L);        /* RFC 8461 3.3: "HTTP 3xx redirects MUST NOT be followed"; TLSRPT-079 */
    SET(CURLOPT_PROXY, "");                 /* nor one that the environment names */
    SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    SET(CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)f->most);
    return code;
}

static CURLcode set_connection(struct fetch *f)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_SHARE, f->names);
    if (f->resolve)
        SET(CURLOPT_RESOLVE, f->resolve);
    SET(CURLOPT_FRESH_CONNECT, 1L);
    SET(CURLOPT_FORBID_REUSE, 1L);
    SET(CURLOPT_CONNECTTIMEOUT_MS, (long)time_to_connect(f));
    SET(CURLOPT_NOSIGNAL, 1L);
    return code;
}

/* A resumed session would come without its certificate being checked again. */
static CURLcode set_tls(struct fetch *f)
{
    CURLcode code = CURLE_OK;

    SET(CURLOPT_SSL_VERIFYPEER, f->any_certificate ? 0L : 1L);
    SET(CURLOPT_SSL_VERIFYHOST, f->any_certificate ? 0L : 2L);
    SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
    SET(CURLOPT_CAPATH, NULL);              /* curl keeps what it read only of a file */
    if (f->ca_file)
        SET(CURLOPT_CAINFO, f->ca_file);
    SET(CURLOPT_CA_CACHE_TIMEOUT, (long)CA_KEPT_S);
    return code;
}

static CURLcode set_up(struct fetch *f)
{
    CURLcode code;

    f->easy = curl_easy_init();
    f->names = curl_share_init();
    if (!f->easy || !f->names)
        return CURLE_OUT_OF_MEMORY;
    if (!is_address(f->host) && !(f->resolve = addresses_for_curl(f)))
        return CURLE_OUT_OF_MEMORY;
    if (curl_share_setopt(f->names, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) != CURLSHE_OK)
        return CURLE_FAILED_INIT;
    code = set_callbacks(f);
    if (code == CURLE_OK)
        code = set_request(f);
    if (code == CURLE_OK)
        code = set_connection(f);
    return code == CURLE_OK ? set_tls(f) : code;
}

/* --- what came of it ----------------------------------------------------------- */

static bool blame_peer(const struct fetch *f, struct error *why)
{
    return f->peer[0] ? blame(why, "%s[%s]", f->host, f->peer) : blame(why, "%s", f->host);
}

static const char *last_header(const struct fetch *f, const char *name)
{
    struct curl_header *h;

    if (curl_easy_header(f->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK
        || curl_easy_header(f->easy, name, h->amount - 1, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return h->value;
}

/* RFC 9112 9.8: "A response that has neither chunked transfer coding nor
 * Content-Length is complete only if a valid closure alert has been received."
 * curl 7.88 takes any end for the end. Where anybody may answer anything may be
 * cut off; nobody stands in for that alert. */
static bool is_whole(const struct fetch *f, long status)
{
    curl_off_t length = -1;

    if (f->clear || f->any_certificate)
        return true;
    curl_easy_getinfo(f->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    return length >= 0 || last_header(f, "Transfer-Encoding") || status == 204 || status == 304 || f->expected.closed;
}

static bool take_reply(struct fetch *f)
{
    const char *type = last_header(f, "Content-Type");      /* of several the last, as browsers do */
    long status = 0;

    curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &status);
    if (!is_whole(f, status))
        return fail(&f->why, E_STS_FETCH, "the connection broke off, the answer may be incomplete");
    f->status = (int)status;
    f->content_type = type ? memory_text(slice_of(type)) : NULL;
    return true;
}

static bool tell_progress(const struct fetch *f, struct error *why)
{
    switch (f->phase) {
    case FETCH_QUEUED:
        return fail(why, E_STS_FETCH, "too many other requests were under way");
    case FETCH_CONNECTING:
        return fail(why, E_STS_FETCH, "no connection in time");
    case FETCH_SHAKING_HANDS:
        return fail(why, E_STS_FETCH, "the TLS handshake did not end in time");
    case FETCH_ASKED:
        return fail(why, E_STS_FETCH, "no answer in time");
    case FETCH_HEADER:
        return fail(why, E_STS_FETCH, "the header of the answer did not end in time");
    case FETCH_BODY:
        break;
    }
    return fail(why, E_STS_FETCH, "the answer did not end in time (%zu bytes came)", buf_len(&f->body));
}

static void tell_no_connection(struct fetch *f)
{
    long number = 0;

    curl_easy_getinfo(f->easy, CURLINFO_OS_ERRNO, &number);
    fail(&f->why, E_STS_FETCH, f->address_count == 1 ? "no connection: %s" : "no connection to any address, at last: %s",
         number ? strerror((int)number) : f->words);
}

static void tell(struct fetch *f, CURLcode code)
{
    const char *words = f->words[0] ? f->words : curl_easy_strerror(code);

    if (code == CURLE_FILESIZE_EXCEEDED)
        refuse_length(f);
    if (f->refused[0])
        fail(&f->why, E_STS_FETCH, "%s", f->refused);
    else if (code == CURLE_PEER_FAILED_VERIFICATION)
        fail(&f->why, E_STS_WEBPKI, "%s", f->expected.trouble[0] ? f->expected.trouble : words);
    else if (code == CURLE_COULDNT_CONNECT)
        tell_no_connection(f);
    else if (code == CURLE_OPERATION_TIMEDOUT)
        tell_progress(f, &f->why);
    else if (code == CURLE_OUT_OF_MEMORY && (f->phase == FETCH_ASKED || f->phase == FETCH_HEADER))
        fail(&f->why, E_STS_FETCH, "a line in the header of the answer is too long");     /* curl's bound */
    else
        fail(&f->why, E_STS_FETCH, "%s", words);
}

static void settle(struct fetch *f, CURLcode code)
{
    if (code == CURLE_OK && take_reply(f))
        return;
    if (code != CURLE_OK)
        tell(f, code);
    blame_peer(f, &f->why);
}

bool fetch_too_late(const struct fetch *f, struct error *why)
{
    tell_progress(f, why);
    return blame_peer(f, why);
}

/* --- from the beginning to the end ---------------------------------------------- */

static bool start_round(struct fetch *f, struct multi *m)
{
    CURLcode code = set_up(f);

    f->phase = FETCH_CONNECTING;
    f->words[0] = '\0';
    f->multi = m;
    if (code == CURLE_OK && multi_add(m, f->easy))
        return true;
    f->multi = NULL;
    settle(f, code != CURLE_OK ? code : CURLE_FAILED_INIT);
    fetch_stop(f);
    return false;
}

bool fetch_start(struct fetch *f, struct multi *m, const char *ca_file, time_ms connect, void *transfer)
{
    f->ca_file = ca_file;
    f->transfer = transfer;
    f->connect_until = clock_now() + connect;
    return start_round(f, m);
}

bool fetch_ended(struct fetch *f, CURLcode code)
{
    bool unconnected = code == CURLE_COULDNT_CONNECT || (code == CURLE_OPERATION_TIMEDOUT && f->phase == FETCH_CONNECTING);
    struct multi *m = f->multi;

    if (unconnected && has_round(f, f->round + 1)) {
        fetch_stop(f);
        f->round++;
        return !start_round(f, m);
    }
    settle(f, code);
    fetch_stop(f);
    return true;
}

void fetch_stop(struct fetch *f)
{
    if (f->multi)
        multi_remove(f->multi, f->easy);
    curl_easy_cleanup(f->easy);
    curl_share_cleanup(f->names);
    curl_slist_free_all(f->resolve);
    curl_slist_free_all(f->fields);
    f->multi = NULL;
    f->easy = NULL;
    f->names = NULL;
    f->resolve = NULL;
    f->fields = NULL;
}
