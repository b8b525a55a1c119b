#include "base/error.h"

#include "base/escape.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum remedy { RETRY, GIVE_UP };

static const struct {
    const char *name, *dsn, *tls_rpt;
    enum remedy remedy;
} meaning[E_COUNT] = {
    [E_NONE] = { "E_NONE", "", NULL, RETRY },
#define X(code, dsn, tls_rpt, remedy) [code] = { #code, dsn, tls_rpt, remedy },
    ERROR_CODES(X)
#undef X
};

static printf_like(2, 0) void say(struct error *why, const char *format, va_list args)
{
    char text[sizeof why->text];

    vsnprintf(text, sizeof text, format, args);
    escape_line(slice_of(text), why->text, sizeof why->text);
}

bool fail(struct error *why, enum error_code code, const char *format, ...)
{
    va_list args;

    if (!why)
        return false;
    why->code = code;
    va_start(args, format);
    say(why, format, args);
    va_end(args);
    return false;
}

bool fail_errno(struct error *why, enum error_code code, const char *format, ...)
{
    int number = errno;
    size_t len;
    va_list args;

    if (!why)
        return false;
    why->code = code;
    va_start(args, format);
    say(why, format, args);
    va_end(args);
    len = strlen(why->text);
    snprintf(why->text + len, sizeof why->text - len, ": %s", strerror(number));
    return false;
}

bool blame(struct error *why, const char *format, ...)
{
    char inner[sizeof why->text];
    size_t len;
    va_list args;

    if (!why)
        return false;
    memcpy(inner, why->text, sizeof inner);
    va_start(args, format);
    say(why, format, args);
    va_end(args);
    len = strlen(why->text);
    if (inner[0])
        snprintf(why->text + len, sizeof why->text - len, ": %s", inner);
    return false;
}

const char *error_name(enum error_code code)
{
    return code < E_COUNT ? meaning[code].name : "E_UNKNOWN";
}

const char *error_dsn(enum error_code code)
{
    return code < E_COUNT ? meaning[code].dsn : "4.0.0";
}

const char *error_tls_rpt(enum error_code code)
{
    return code < E_COUNT ? meaning[code].tls_rpt : NULL;
}

bool error_is_final(enum error_code code)
{
    return code < E_COUNT && meaning[code].remedy == GIVE_UP;
}
