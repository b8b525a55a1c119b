/* base/log.h - one event, one line.
 *
 *     struct log_line line = log_begin(LOG_LEVEL_INFO, "delivery.sent");
 *     log_slice(&line, "to", recipient);
 *     log_number(&line, "attempts", attempts);
 *     log_end(&line);
 *
 * Every line has a time, a level, the process that speaks, and an event name
 * of dotted words that stays stable. Values are escaped, so that nothing a
 * peer says can forge a line, and cut (they end in "..."), so that it cannot
 * crowd out what follows; a line with something cut or left out says
 * cut=true. No secret is ever given to a log. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/error.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
enum log_sink { LOG_TO_STDERR, LOG_TO_SYSLOG };

struct log_settings {
    enum log_level least;       /* events below it are dropped */
    enum log_format format;
    enum log_sink sink;
};

/* Until this is called: INFO and above, logfmt, stderr. */
void log_setup(struct log_settings settings);

/* Would an event of this level be written? */
bool log_wants(enum log_level level);

/* Before descriptors are closed behind the log's back (a forked child);
 * log_setup opens it again. */
void log_close(void);

/* The name in `process=`, e.g. "inbound.1"; copied. */
void log_name(const char *process);

struct log_line {
    enum log_level level;
    bool wanted, cut, json, record;
    size_t len;
    char text[4000];            /* under PIPE_BUF: lines of several processes never mix */
};

struct log_line log_begin(enum log_level level, const char *event);
void log_slice(struct log_line *l, const char *key, struct slice value);
void log_text(struct log_line *l, const char *key, const char *value);     /* NULL leaves the key out */
void log_number(struct log_line *l, const char *key, int64_t value);
void log_truth(struct log_line *l, const char *key, bool value);
void log_why(struct log_line *l, const struct error *why);                 /* code= and why= */
void log_end(struct log_line *l);                                          /* written, in one system call */

/* Records: the same lines, always JSON and without a level, into a file of their own. Nothing is written, and
 * log_recording is false, until there is one; the descriptor is borrowed, -1 ends it. */
void log_record_to(int fd);
bool log_recording(void);
struct log_line log_record(const char *event);

/* A line with nothing but a sentence and perhaps a reason (`why` may be NULL). */
void log_say(enum log_level level, const char *event, const struct error *why, const char *format, ...)
    printf_like(4, 5);

#endif
