/* serve/config_file.h - the grammar of the configuration file (libConfuse), and
 * the checks of single values, made while their line is known.
 *
 * serve/config.c turns what is parsed into values. */
#ifndef SERVE_CONFIG_FILE_H
#define SERVE_CONFIG_FILE_H

#include "serve/config.h"

#include <confuse.h>

#define COUNT(words) (sizeof(words) / sizeof *(words))

/* The words of options that choose, in the order of their enums. */
extern const char *const role_words[2], *const tls_words[4], *const log_words[4], *const format_words[2],
    *const sink_words[2], *const insecure_mx_words[3], *const sts_with_dane_words[2], *const scope_words[2],
    *const requiretls_sts_words[2], *const lookup_failure_words[2], *const mode_words[3], *const memory_words[4];
bool config_word(const char *value, const char *const *words, size_t count, unsigned *index) must_check;

/* "127.0.0.1:8461", "[::1]:8461", or the path of a Unix socket. `text` is borrowed. */
bool config_endpoint_parse(const char *text, struct endpoint_config *out, struct error *why) must_check;

/* NULL after telling what is wrong. libConfuse's error function has no argument
 * of its own, so one file is read at a time; config_problems counts. */
cfg_t *config_file_parse(const char *file, void (*tell)(void *arg, const char *text), void *arg);

/* Tell of one more; `file` NULL: the one being read; line 0: it as a whole. */
void config_problem(const char *file, int line, const char *text);
unsigned config_problems(void);

#endif
