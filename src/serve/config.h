/* serve/config.h - the configuration file, read into values of the rooms it configures.
 *
 * postern.conf(5) is its manual. Read once by the master (or by a command);
 * immutable afterwards; every process it forks inherits it. Messages name
 * file, line and remedy. */
#ifndef SERVE_CONFIG_H
#define SERVE_CONFIG_H

#include "base/log.h"
#include "deliver/route.h"
#include "discover/host.h"
#include "dns/selftest.h"
#include "policy/memory.h"
#include "net/address.h"
#include "queue/retry.h"
#include "smtp/server.h"
#include "tls/context.h"

enum listener_role { ROLE_MX, ROLE_SUBMISSION };
enum listener_tls { LISTENER_STARTTLS, LISTENER_REQUIRED, LISTENER_IMPLICIT, LISTENER_OFF };

struct listener_config {
    struct address address;
    enum listener_role role;
    enum listener_tls tls;
    enum tls_version minimum;
};

struct dkim_config {
    const char *domain, *selector, *key_file;
};

/* Where a hook calls, and for what. */
struct hook_config {
    const char *name;
    unsigned events;                        /* a bit for each event_kind */
    const char *url;                        /* https://... or, to a loopback address, http://...; NULL: */
    const char *const *command;             /* run with these arguments, NULL behind the last */
    time_ms every;                          /* the same event is told again no sooner: 1 h */
    time_ms timeout;                        /* of one call: 30 s */
};

/* Something that listens besides SMTP: an address, or a Unix socket's path. */
struct endpoint_config {
    struct address address;                 /* when `path` is NULL */
    const char *path;
};

struct config {
    struct arena arena;                     /* of everything below */
    const char *file;
    const char *hostname;
    const char *data_directory;
    const char *user;
    const char *postmaster;                 /* where <Postmaster> without a domain goes (RFC 5321 4.5.1) */
    unsigned inbound_processes, outbound_processes;
    const struct network *trusted;
    size_t trusted_count;
    struct log_settings log;
    const struct tls_identity *identities;  /* none: a self-signed one is made */
    size_t identity_count;
    const struct listener_config *listeners;
    size_t listener_count;
    struct routing routing;
    const struct routing_rule **rules;      /* all that `routing` holds */
    size_t rule_count;
    struct resolver_settings resolver;
    struct retry_rule retry;
    struct smtp_limits limits;
    unsigned hops;                          /* Received fields until 554 5.4.6 */
    unsigned connections, connections_per_client;
    uint64_t minimum_free;                  /* bytes of the data directory's file system */
    struct {
        uint16_t port;
        unsigned connections, connections_per_destination, messages_per_connection;
        time_ms idle_connection, connect_timeout;
        const char *ca_file;                /* for certificates of mail hosts; NULL: the system's */
    } delivery;
    struct decide_settings decide;
    struct dane_settings dane;
    struct memory_settings memory;
    bool requiretls;                        /* offered to clients under TLS */
    struct {
        bool enabled;
        uint16_t port;
        const char *ca_file;                /* for policy hosts; NULL: the system's */
        time_ms patience, fetch_time;
        bool defer_on_error;
        bool private_addresses;             /* policy hosts may be at 10.0.0.0/8 and the like */
        const struct sts_pin *pins;
        size_t pin_count;
    } sts;
    struct {
        bool enabled;
        struct selftest_names names;
    } selftest;
    struct {
        unsigned keep;                      /* days that statistics go back: 90 */
        const char *file;                   /* every attempt and session as a line of JSON; NULL: nowhere */
    } facts;
    const struct dkim_config *dkim;         /* by domain: whose submitted mail, and whose reports, are signed */
    size_t dkim_count;
    struct {                                /* TLS-RPT, RFC 8460 */
        bool enabled;                       /* reports are made and sent */
        const char *organization, *contact; /* set when enabled */
        time_ms spread;                     /* after midnight UTC they go out over so long: 4 h */
        time_ms give_up;                    /* after the first try: 24 h */
        bool failures_only;                 /* days without failures are not reported */
        bool private_addresses;             /* reports may be posted to 10.0.0.0/8 and the like */
        const char *const *receive;         /* addresses whose mail is taken for reports of others */
        size_t receive_count;
        const char *const *domains;         /* ours: reports about others are put aside; none: those of `domain` sections */
        size_t domain_count;
    } report;
    struct {                                /* answers for Postfix */
        const struct endpoint_config *socketmap, *tcp_table;
        size_t socketmap_count, tcp_table_count;
        const char *tlsrpt;                 /* path of the datagram socket; NULL: none */
        bool tlsrpt_attributes;             /* map QUERY has them too, not only QUERYwithTLSRPT */
    } postfix;
    struct {
        const struct address *listen;       /* HTTPS */
        size_t listen_count;
    } web;
    const struct hook_config *hooks;
    size_t hook_count;
    struct {
        time_ms certificate, queue_age;     /* EVENT_CERTIFICATE: so long before it expires, 14 days; 4 h */
    } alarm;
};

/* Calls `tell` for each problem, "file:line: what; remedy". NULL when there was any. A command that only asks needs no
 * name of its own and nothing to listen on. */
enum config_use { CONFIG_TO_SERVE, CONFIG_TO_ASK };
struct config *config_read(const char *file, enum config_use use, void (*tell)(void *arg, const char *text), void *arg);
void config_free(struct config *c);

bool config_is_trusted(const struct config *c, const struct address *a);

/* Who signs for a domain; NULL: nobody. */
const struct dkim_config *config_dkim_for(const struct config *c, struct slice domain);

unsigned config_events(const struct config *c);     /* a bit for each event_kind that some hook wants */

#endif
