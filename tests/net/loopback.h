/* tests/net/loopback.h - two ends of a TCP connection on real fibers, and certificates for them.
 *
 * cmocka leaves a failed test by longjmp, which must not happen on a fiber:
 * what a fiber finds it says with HOLDS, and the test fails at
 * loopback_close. A test that hangs is killed after 30 seconds. */
#ifndef TESTS_NET_LOOPBACK_H
#define TESTS_NET_LOOPBACK_H

#include "tests/test.h"

#include "net/socket.h"
#include "run/fiber.h"

/* False, and remembered, when the claim does not hold. */
#define HOLDS(claim) loopback_holds(claim, #claim, "", __FILE__, __LINE__)
#define HOLDS_OK(call, why) loopback_holds(call, #call, (why)->text, __FILE__, __LINE__)
bool loopback_holds(bool claim, const char *words, const char *reason, const char *file, int line);

/* Each test that needs a loop lies between these. */
void loopback_open(void);
void loopback_close(void);      /* checks every HOLDS, and that no descriptor leaked */

/* Starts a fiber and counts it; loopback_run turns the loop until all have ended. */
struct fiber *loopback_start(void (*run)(void *arg), void *arg);
void loopback_run(void);

/* A connected pair; `ends[1]` is the side that connected. */
void loopback_pair(int ends[2]);
/* A listening socket on a free port of 127.0.0.1; says which. */
int loopback_listen(int backlog, struct address *where);

/* Runs `server` and `client` on fibers with a conn each, which they close. */
typedef void loopback_side(struct conn *c);
void loopback_talk(loopback_side *server, loopback_side *client);
/* Runs `server` on a fiber, against bytes that were or will be put into a raw socket. */
void loopback_serve(int fd, loopback_side *server);

/* For use on a side; what does not hold is remembered. */
time_ms in(time_ms span);                                   /* from now */
bool hears(struct conn *c, const char *wanted);             /* the next line */
void ends_with(struct conn *c, enum error_code code);       /* the next read fails like this */

void pour(struct conn *c, uint64_t from, size_t len);       /* writes a pattern that shows what is lost or doubled */

/* Whole sides: megabytes in pieces of many sizes that must arrive unchanged;
 * writing until the deadline to a peer that does not read. */
enum { POURED = 5 * 1000 * 1000 + 17 };
void pour_much(struct conn *c);
void drink_much(struct conn *c);
void write_without_reading(struct conn *c);

/* A server with a self-signed certificate for mx.example.org, and a client
 * that wants to talk to it; made once. */
const struct tls_server *loopback_tls_server(void);
const struct tls_want *loopback_tls_want(void);

#endif
