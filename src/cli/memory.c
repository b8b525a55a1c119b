/* postern memory: what destinations used to offer. */
#include "cli/memory.h"

#include "base/escape.h"
#include "base/memory.h"

#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

struct wish {
    const char *file;
    bool json, all, yes, replace;
    const char *act;
    int count;              /* of what follows the act */
    char **names;
    FILE *input;            /* of import */
};

bool memory_of_note(const struct note *n, struct remembered *out)
{
    out->next_hop = n->key;
    return memory_decode(n->value, &out->memory);
}

int memory_unanswered(const struct error *why)
{
    cli_complain("%s", why->text);
    return error_is_final(why->code) ? EXIT_FAILED : EXIT_TEMPORARY;
}

/* --- one by name ------------------------------------------------------------ */

/* As it was typed; else as domains are kept: lower case, no dot at the end, no brackets around an address. */
static const char *tidy(const char *typed, struct arena *arena)
{
    struct slice s = slice_of(typed);
    char *text;

    if (s.len > 1 && s.at[s.len - 1] == '.')
        s.len--;
    if (s.len > 2 && s.at[0] == '[' && s.at[s.len - 1] == ']')
        s = slice(s.at + 1, s.len - 2);
    if (slice_starts_nocase(s, SLICE("IPv6:")))
        s = slice_after(s, 5);
    text = (char *)arena_string(arena, s);
    for (char *c = text; *c; c++)
        *c = byte_lower(*c);
    return text;
}

/* False: said on stderr, and `*code` is the exit code. */
static bool find(struct asking *store, const char *typed, struct arena *arena, struct note *out, int *code)
{
    struct error why = { 0 };
    char shown[400];

    if (typed[0] && strlen(typed) <= NOTE_KEY_MAX) {
        if (asking_note(store, NOTE_MEMORY, typed, arena, out, &why) ||
            (why.code == E_NOT_FOUND && asking_note(store, NOTE_MEMORY, tidy(typed, arena), arena, out, &why)))
            return true;
        if (why.code != E_NOT_FOUND) {
            *code = memory_unanswered(&why);
            return false;
        }
    }
    cli_complain("nothing is remembered of \"%s\"; \"postern memory list\" shows of whom",
                 escape_line(slice_of(typed), shown, sizeof shown));
    *code = EXIT_FAILED;
    return false;
}

static int show_each(struct asking *store, const struct memory_settings *s, const struct wish *w)
{
    int code = EXIT_OK;

    for (int i = 0; i < w->count; i++) {
        auto_arena struct arena arena = { 0 };
        struct remembered r;
        struct note note;

        arena_init(&arena, 4 * NOTE_VALUE_MAX);
        if (!find(store, w->names[i], &arena, &note, &code))
            continue;
        if (memory_of_note(&note, &r)) {
            memory_show(&r, s, w->json);
        } else {
            cli_complain("what is kept of %s was made by another version", w->names[i]);
            code = EXIT_FAILED;
        }
    }
    return code;
}

/* --- forgetting ------------------------------------------------------------------ */

static bool forget(struct asking *store, const char *next_hop, int *code)
{
    const struct note nothing = { .kind = NOTE_MEMORY, .key = next_hop, .due = TIME_NEVER };
    struct error why = { 0 };

    if (asking_put_note(store, &nothing, &why))
        return true;
    *code = memory_unanswered(&why);
    return false;
}

static int forget_each(struct asking *store, const struct wish *w)
{
    int code = EXIT_OK;

    for (int i = 0; i < w->count; i++) {
        auto_arena struct arena arena = { 0 };
        char shown[400];
        struct note note;

        arena_init(&arena, 4 * NOTE_VALUE_MAX);
        if (find(store, w->names[i], &arena, &note, &code) && forget(store, note.key, &code))
            printf("forgotten: %s\n", escape_line(slice_of(note.key), shown, sizeof shown));
    }
    return code;
}

struct names {
    char **at;
    size_t count, room;
};

static void note_name(void *arg, const struct note *n)
{
    struct names *names = arg;

    if (names->count == names->room) {
        names->room = 2 * names->room + 64;
        names->at = memory_grow(names->at, names->room, sizeof *names->at);
    }
    names->at[names->count++] = memory_text(slice_of(n->key));
}

static bool is_agreed(const struct wish *w, size_t count)
{
    char answer[8] = "";

    if (w->yes || count == 0)
        return true;
    fprintf(stderr, "forget all that is known of %zu next hop%s? [y/N] ", count, count == 1 ? "" : "s");
    return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int forget_names(struct asking *store, const struct wish *w, const struct names *names)
{
    int code = EXIT_OK;
    size_t done = 0;

    if (!is_agreed(w, names->count)) {
        cli_complain("nothing is forgotten");
        return EXIT_FAILED;
    }
    while (done < names->count && forget(store, names->at[done], &code))
        done++;
    printf("forgotten: %zu next hop%s\n", done, done == 1 ? "" : "s");
    return code;
}

static int forget_all(struct asking *store, const struct wish *w)
{
    struct names names = { 0 };
    struct error why = { 0 };
    int code;

    if (asking_notes(store, NOTE_MEMORY, note_name, &names, &why))
        code = forget_names(store, w, &names);
    else
        code = memory_unanswered(&why);
    for (size_t i = 0; i < names.count; i++)
        free(names.at[i]);
    free(names.at);
    return code;
}

/* --- the command ---------------------------------------------------------------------- */

static int parse_options(struct wish *w, int argc, char **argv)
{
    enum { JSON = 256, ALL, YES, REPLACE };
    static const struct option options[] = { { "json", no_argument, NULL, JSON }, { "all", no_argument, NULL, ALL },
        { "yes", no_argument, NULL, YES }, { "replace", no_argument, NULL, REPLACE }, { 0 } };
    int option;

    opterr = 0;
    w->file = DEFAULT_CONFIG;
    while ((option = getopt_long(argc, argv, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c': w->file = optarg; break;
        case JSON: w->json = true; break;
        case ALL: w->all = true; break;
        case YES: w->yes = true; break;
        case REPLACE: w->replace = true; break;
        default: return cli_usage("memory", "\"%s\" is not known, or lacks its value", argv[optind - 1]);
        }
    }
    if (optind == argc)
        return cli_usage("memory", "say what: list, forget, export or import");
    w->act = argv[optind];
    w->count = argc - optind - 1;
    w->names = argv + optind + 1;
    return EXIT_OK;
}

/* Each act takes some of the options, and so many names. */
static int check_wish(const struct wish *w)
{
    static const struct {
        const char *act;
        bool json, all, replace;
        int least, most;
        const char *names;
    } acts[] = {
        { "list", .json = true, .most = INT32_MAX, .names = "takes domains" },
        { "forget", .all = true, .most = INT32_MAX, .names = "needs a domain, or --all" },
        { "export", .names = "takes no name: it writes to standard output" },
        { "import", .replace = true, .least = 1, .most = 1, .names = "needs one file, or - for standard input" },
    };

    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (strcmp(acts[i].act, w->act) != 0)
            continue;
        if ((w->json && !acts[i].json) || ((w->all || w->yes) && !acts[i].all) || (w->replace && !acts[i].replace))
            return cli_usage("memory", "%s does not take %s", w->act,
                             w->json && !acts[i].json ? "--json" : w->replace ? "--replace" : w->all ? "--all" : "--yes");
        if (w->count < acts[i].least || w->count > acts[i].most || (acts[i].all && w->all != (w->count == 0)))
            return cli_usage("memory", "%s %s", w->act, acts[i].names);
        if (w->all && !w->yes && !isatty(STDIN_FILENO))
            return cli_usage("memory", "forget --all asks first; where nobody can answer, add --yes");
        return EXIT_OK;
    }
    return cli_usage("memory", "\"%s\" is not known: list, forget, export or import", w->act);
}

static int act(struct asking *store, const struct memory_settings *s, const struct wish *w)
{
    if (strcmp(w->act, "list") == 0)
        return w->count ? show_each(store, s, w) : memory_list(store, s, w->json);
    if (strcmp(w->act, "forget") == 0)
        return w->all ? forget_all(store, w) : forget_each(store, w);
    if (strcmp(w->act, "export") == 0)
        return memory_export(store);
    return memory_import(store, s, w->input, w->names[0], w->replace);
}

static int run(const struct wish *w)
{
    struct config *config = cli_config_read(w->file, CONFIG_TO_ASK);
    struct error why = { 0 };
    struct asking *store;
    int code;

    if (!config)
        return EXIT_FAILED;
    store = asking_open(config, ASK_RUNNING_OR_DISK, &why);
    code = store ? act(store, &config->memory, w) : memory_unanswered(&why);
    asking_close(store);
    config_free(config);
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    cli_complain("the output cannot be written");
    return EXIT_FAILED;
}

int cli_memory(int argc, char **argv)
{
    struct wish wish = { 0 };
    int code = parse_options(&wish, argc, argv);

    if (code == EXIT_OK)
        code = check_wish(&wish);
    if (code != EXIT_OK)
        return code;
    if (strcmp(wish.act, "import") != 0)
        return run(&wish);
    wish.input = memory_input(wish.names[0]);
    if (!wish.input)
        return EXIT_FAILED;
    code = run(&wish);
    fclose(wish.input);
    return code;
}
