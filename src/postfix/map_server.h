/* postfix/map_server.h - answers questions of Postfix over socketmap and tcp_table.
 *
 * A reply that is kept costs one read and one write, for however many requests
 * came together; no fiber, no memory, no log line. A new question is looked up
 * on a fiber, once, however many ask; its connection waits, so that replies
 * keep their order, and others go on. What is still asked for is looked up anew
 * before it expires. Connections, lookups and answers are bounded. */
#ifndef POSTFIX_MAP_SERVER_H
#define POSTFIX_MAP_SERVER_H

#include "postfix/map_key.h"
#include "postfix/verdict.h"

enum map_protocol { MAP_SOCKETMAP, MAP_TCP_TABLE };

/* Waits. Fills `out`, memory from `arena`; says for how long it may be kept, 0 for not at all. */
struct map_finder {
    time_ms (*find)(void *self, const struct map_key *key, struct arena *arena, struct verdict *out);
    void *self;
};

struct map_settings {
    bool reported;                  /* the map QUERY, and tcp_table, answer as QUERYwithTLSRPT does */
    uint16_t port;                  /* of a next hop that names none: 25 */
    size_t connections;             /* at once: 1000; then nobody new is let in */
    size_t lookups;                 /* at once: 128; others stand in line */
    size_t answers;                 /* kept: 50,000, */
    size_t answer_bytes;            /* of 64 MiB in all */
    time_ms idle;                   /* a connection without a question is closed after: 60 s */
    time_ms patience;               /* who waits so long is told to try later: 60 s (Postfix waits for 100) */
};
extern const struct map_settings map_default_settings;

struct map_server;
/* `idle`: nothing is under way any more after map_server_drain. */
struct map_server *map_server_new(const struct map_settings *s, const struct map_finder *finder,
                                  void (*idle)(void *self), void *self);
void map_server_free(struct map_server *s);         /* nothing may be under way; NULL is fine */

void map_server_listen(struct map_server *s, int fd, enum map_protocol protocol);  /* the socket stays the caller's */

/* Nobody new is let in; who waits is answered, then all connections close. In a hurry lookups are cancelled. */
void map_server_drain(struct map_server *s, bool hurry);
bool map_server_is_busy(const struct map_server *s);

/* What is kept of a domain, under whichever keys, or being found of it, is out of date; NULL: of all. */
void map_server_forget(struct map_server *s, const char *domain);

struct map_figures {
    uint64_t questions, kept;       /* asked; of them, answered from what is kept */
    uint64_t lookups;
    size_t connections, answers;    /* now */
};
struct map_figures map_server_figures(const struct map_server *s);

#endif
