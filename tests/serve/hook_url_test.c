/* Where webhooks may live. */
#include "serve/hook_url.h"

#include "tests/test.h"

static void check_good(const char *text, bool clear, const char *host, uint16_t port, const char *path)
{
    struct error why = { 0 };
    struct hook_url u;

    CHECK_OK(hook_url_parse(slice_of(text), &u, &why), &why);
    CHECK(u.clear == clear && u.port == port);
    CHECK_TEXT(u.host, host);
    CHECK_TEXT(u.path, path);
}

static void check_bad(const char *text, const char *words)
{
    struct error why = { 0 };
    struct hook_url u;

    if (hook_url_parse(slice_of(text), &u, &why) || why.code != E_USAGE || !strstr(why.text, words))
        fail_msg("%s: %s", text, why.text);
}

TEST(https_goes_to_any_host_by_name)
{
    check_good("https://alerts.example.org/postern", false, "alerts.example.org", 443, "/postern");
    check_good("https://alerts.example.org", false, "alerts.example.org", 443, "/");
    check_good("HTTPS://Alerts.Example.ORG:8443/A?b=c&d=%20", false, "alerts.example.org", 8443, "/A?b=c&d=%20");
    check_good("https://alerts.example.org?a=b", false, "alerts.example.org", 443, "/?a=b");
    check_good("https://alerts/x:y/@z", false, "alerts", 443, "/x:y/@z");
    check_good("https://xn--bcher-kva.example/", false, "xn--bcher-kva.example", 443, "/");
}

TEST(http_goes_to_this_machine_only)
{
    check_good("http://127.0.0.1:9000/hook", true, "127.0.0.1", 9000, "/hook");
    check_good("http://127.8.9.10", true, "127.8.9.10", 80, "/");
    check_good("http://[::1]:9000/", true, "::1", 9000, "/");
    check_good("http://localhost/hook", true, "localhost", 80, "/hook");
    check_bad("http://alerts.example.org/", "this machine only");
    check_bad("http://192.0.2.1/", "this machine only");
    check_bad("http://[2001:db8::1]/", "this machine only");
    check_bad("http://localhost.example.org/", "this machine only");
    check_bad("http://0.0.0.0/", "this machine only");
}

TEST(addresses_have_no_certificates)
{
    check_bad("https://192.0.2.1/", "use the host's name");
    check_bad("https://[2001:db8::1]/", "use the host's name");
    check_bad("https://127.0.0.1/", "use the host's name");
}

TEST(what_is_no_url_is_refused_with_a_reason)
{
    check_bad("", "https://");
    check_bad("alerts.example.org/x", "https://");
    check_bad("ftp://alerts.example.org/", "https://");
    check_bad("https:/alerts.example.org/", "https://");
    check_bad(" https://alerts.example.org/", "https://");
    check_bad("https://user@alerts.example.org/", "names no user");
    check_bad("https://user:secret@alerts.example.org/", "names no user");
    check_bad("https://alerts.example.org@127.0.0.1/", "names no user");
    check_bad("https://alerts.example.org:0/", "port");
    check_bad("https://alerts.example.org:65536/", "port");
    check_bad("https://alerts.example.org:/", "port");
    check_bad("https://", "host");
    check_bad("https:///x", "host");
    check_bad("https://:443/x", "host");
    check_bad("https://a..example/", "");
    check_bad("https://*.example.org/", "");
    check_bad("https://127.1/", "");
    check_bad("https://0x7f000001/", "");
    check_bad("http://127.1/", "");
    check_bad("http://2130706433/", "");
    check_bad("https://::1/", "");
    check_bad("https://[::1/", "");
    check_bad("https://alerts.example.org/a b", "percent-encoded");
    check_bad("https://alerts.example.org/a#b", "percent-encoded");
    check_bad("https://alerts.example.org#b", "percent-encoded");
    check_bad("https://alerts.example.org/\\", "percent-encoded");
    check_bad("https://alerts.example.org/\r\nX: y", "percent-encoded");
    check_bad("https://alerts.example.org/\xc3\xb6", "percent-encoded");
    check_bad("https://alerts.example.org\\@127.0.0.1/", "");
    check_bad("https://b\xc3\xbc" "cher.example/", "");
}

TEST(a_path_has_a_bound)
{
    char text[2 * HOOK_PATH_MAX] = "https://alerts.example.org";
    size_t host = strlen(text);
    struct hook_url u;

    memset(text + host, '/', HOOK_PATH_MAX - 1);
    CHECK(hook_url_parse(slice_of(text), &u, NULL) && strlen(u.path) == HOOK_PATH_MAX - 1);
    text[host] = '?';               /* to which a "/" is added */
    CHECK(hook_url_parse(slice_of(text), &u, NULL) && strlen(u.path) == HOOK_PATH_MAX);
    strcat(text, "x");
    check_bad(text, "1024 bytes");
}

TEST(only_hosts_of_this_machine_have_addresses_without_the_dns)
{
    struct address at[2];
    struct hook_url u;
    char text[ADDRESS_TEXT_MAX];

    CHECK(hook_url_parse(SLICE("https://alerts.example.org/"), &u, NULL) && hook_url_addresses(&u, at) == 0);
    CHECK(hook_url_parse(SLICE("http://[::1]/"), &u, NULL) && hook_url_addresses(&u, at) == 1);
    CHECK_TEXT(address_ip_text(&at[0], text), "::1");
    CHECK(hook_url_parse(SLICE("http://localhost/"), &u, NULL) && hook_url_addresses(&u, at) == 2);
    CHECK_TEXT(address_ip_text(&at[0], text), "127.0.0.1");
}
