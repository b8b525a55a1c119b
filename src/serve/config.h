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
};

/* Calls `tell` for each problem, "file:line: what; remedy". NULL when there was any. A command that only asks needs no
 * name of its own and nothing to listen on. */
enum config_use { CONFIG_TO_SERVE, CONFIG_TO_ASK };
struct config *config_read(const char *file, enum config_use use, void (*tell)(void *arg, const char *text), void *arg);
void config_free(struct config *c);

bool config_is_trusted(const struct config *c, const struct address *a);

#endif
