/* bench/answerer.c - the server of postfix/map_server.h with answers that nobody had to look for.
 *
 *     bench-answerer ADDRESS:PORT
 *
 * Says "ready" and answers until its input ends. Every domain has an MTA-STS policy. */
#include "base/log.h"
#include "net/socket.h"
#include "postfix/map_server.h"
#include "run/fiber.h"

#include <stdio.h>
#include <unistd.h>

static time_ms find(void *self, const struct map_key *key, struct arena *arena, struct verdict *out)
{
    struct slice text = arena_text(arena, "secure match=mx1.%s:.mail.%s servername=hostname", key->name, key->name);

    (void)self;
    *out = (struct verdict){ MAP_FOUND, text, text, "mta-sts" };
    return HOURS(1);
}

static void idle(void *self)
{
    (void)self;
}

static void input_ended(void *owner, int events)
{
    char byte;

    (void)owner;
    (void)events;
    if (read(STDIN_FILENO, &byte, 1) == 0)
        loop_stop();
}

int main(int argc, char **argv)
{
    static const struct map_finder finder = { find, NULL };
    struct error why = { 0 };
    struct map_server *server;
    struct watch *input;
    struct address a;
    int fd = argc == 2 && address_parse(slice_of(argv[1]), &a, &why) ? listen_on(&a, 100, &why) : -1;

    if (fd < 0) {
        fprintf(stderr, "bench-answerer: %s\n", argc == 2 ? why.text : "usage: bench-answerer ADDRESS:PORT");
        return 2;
    }
    log_setup((struct log_settings){ .least = LOG_LEVEL_WARNING });
    loop_open();
    server = map_server_new(&map_default_settings, &finder, idle, NULL);
    map_server_listen(server, fd, MAP_SOCKETMAP);
    input = watch_new(STDIN_FILENO, input_ended, NULL);
    watch_set(input, WATCH_READ);
    puts("ready");
    fflush(stdout);
    loop_run();
    watch_free(input);
    map_server_free(server);
    loop_close();
    return 0;
}
