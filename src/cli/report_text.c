/* TLS reports for people. */
#include "cli/report.h"

#include "base/escape.h"
#include "base/memory.h"
#include "cli/style.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int report_unanswered(const struct error *why)
{
    cli_complain("%s", why->text);
    return error_is_final(why->code) ? EXIT_FAILED : EXIT_TEMPORARY;
}

const char *report_word(const char *text, char shown[400])
{
    return escape_line(slice_of(text), shown, 400);
}

static const char *type_of(const struct report_entry *e)
{
    return e->type_text && e->type_text[0] ? e->type_text : policy_type_name(e->policy.type);
}

static void print_detail(const char *name, const char *text)
{
    char shown[400];

    if (text && text[0])
        printf("            %s%-8s%s %s\n", style.dim, name, style.plain, report_word(text, shown));
}

static void print_failure(const struct report_failure *f)
{
    char shown[400];

    printf("    %6llu  %s%s%s\n", (unsigned long long)f->count, style.bold, report_word(f->result_type, shown), style.plain);
    print_detail("at", f->mx);
    print_detail("address", f->receiving_ip);
    print_detail("from", f->sending_ip);
    print_detail("because", f->reason);
    print_detail("see", f->information);
}

static void print_entry(const struct report_entry *e)
{
    char shown[400], domain[400];

    printf("  %s%s%s %s: %llu good, %s%llu failed%s\n", style.bold, report_word(type_of(e), shown), style.plain,
           report_word(e->policy.domain, domain), (unsigned long long)e->successes, e->failures ? style.bold : "",
           (unsigned long long)e->failures, e->failures ? style.plain : "");
    for (size_t i = 0; i < e->policy.string_count; i++)
        printf("    %s%s%s\n", style.dim, report_word(e->policy.strings[i], shown), style.plain);
    for (size_t i = 0; i < e->detail_count; i++)
        print_failure(&e->details[i]);
}

void report_print(const struct report *r)
{
    char from[CLOCK_TEXT_MAX], to[CLOCK_TEXT_MAX], shown[400], contact[400];

    printf("%s%s%s (%s)\n", style.bold, report_word(r->organization, shown), style.plain, report_word(r->contact, contact));
    printf("  %.19sZ to %.19sZ\n", clock_iso_date(r->begin, from), clock_iso_date(r->end, to));
    printf("  report %s\n", report_word(r->id, shown));
    for (size_t i = 0; i < r->entry_count; i++)
        print_entry(&r->entries[i]);
}

int report_print_json(const struct report *r)
{
    auto_buf struct buf text = { 0 };
    struct error why = { 0 };

    buf_init(&text, REPORT_JSON_MAX);
    if (!report_write(r, &text, &why))
        return report_unanswered(&why);
    printf("%.*s\n", SLICE_ARGS(buf_slice(&text)));
    return EXIT_OK;
}

/* Whatever a stranger wants its report to be called, it stays in the directory (TLSRPT-093). */
static void tame(char *name)
{
    if (*name == '.')
        *name = '_';
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr(".!-_", *name))
            *name = '_';
}

/* A file that is there is left alone: names say which report it is. */
int report_write_file(const char *directory, const char *name, struct slice bytes)
{
    auto_free char *path = NULL;
    auto_close int fd = -1;

    if (asprintf(&path, "%s/%s", directory, name) < 0)
        path = NULL;
    if (path)
        tame(path + strlen(directory) + 1);
    fd = path ? open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644) : -1;
    if (fd < 0 && errno == EEXIST) {
        printf("%s is there already\n", path);
        return EXIT_OK;
    }
    if (fd < 0 || write(fd, bytes.at, bytes.len) != (ssize_t)bytes.len) {
        cli_complain("%s cannot be written: %s", path ? path : name, strerror(errno));
        return EXIT_FAILED;
    }
    printf("%s\n", path);
    return EXIT_OK;
}
