// The command line. It is read by a program that is trusted (the worker); a mistake in it ends the
// launcher with 64 and a sentence on stderr.

#include "launch.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "statex-launch [OPTION]... --directory DIR --control-fd N -- /PROGRAM [ARGUMENT]...\n"
    "statex-launch --sweep ROOT\n"
    "  --memory BYTES --cpu-seconds N --processes N --files N --file-size BYTES\n"
    "  --disk BYTES --entries N       limits; 0: none\n"
    "  --grace MS                     between SIGTERM and the end\n"
    "  --user UID                     the handler's user, when root starts it\n"
    "  --read PATH, --write PATH      what it may use besides the system's programs and libraries\n"
    "  --network allow|deny\n"
    "  --isolation basic|partial|strict   the least that is accepted\n"
    "  --without namespaces|landlock|seccomp   leave a layer out\n";

__attribute__((format(printf, 1, 2))) static _Noreturn void refuse(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("statex-launch: ", stderr);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n%s", usage);
    va_end(arguments);
    exit(64);
}

static uint64_t number(const char *name, const char *text, uint64_t limit) {
    char *end = NULL;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || value > limit)
        refuse("--%s takes a number from 0 to %llu, not %s", name, (unsigned long long)limit, text);
    return value;
}

static int choice(const char *name, const char *text, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0) return i;
    refuse("--%s does not know %s", name, text);
}

static const char *absolute(const char *name, const char *text) {
    if (text[0] != '/') refuse("%s must be an absolute path, not %s", name, text);
    return text;
}

static void append(const char *name, const char *text, const char **list, int *count) {
    if (*count == PATHS_MAX) refuse("--%s may be given %d times", name, PATHS_MAX);
    list[(*count)++] = absolute(name, text);
}

static const char *const levels[] = {"basic", "partial", "strict"};

const char *level_name(enum level level) { return levels[level]; }

enum {
    O_MEMORY = 1, O_CPU, O_PROCESSES, O_FILES, O_FILE_SIZE, O_DISK, O_ENTRIES, O_GRACE, O_USER, O_DIRECTORY,
    O_READ, O_WRITE, O_NETWORK, O_CONTROL, O_ISOLATION, O_WITHOUT, O_SWEEP
};

static const struct option known[] = {
    {"memory", required_argument, NULL, O_MEMORY},       {"cpu-seconds", required_argument, NULL, O_CPU},
    {"processes", required_argument, NULL, O_PROCESSES}, {"files", required_argument, NULL, O_FILES},
    {"file-size", required_argument, NULL, O_FILE_SIZE}, {"disk", required_argument, NULL, O_DISK},
    {"entries", required_argument, NULL, O_ENTRIES},     {"grace", required_argument, NULL, O_GRACE},
    {"user", required_argument, NULL, O_USER},           {"directory", required_argument, NULL, O_DIRECTORY},
    {"read", required_argument, NULL, O_READ},           {"write", required_argument, NULL, O_WRITE},
    {"network", required_argument, NULL, O_NETWORK},     {"control-fd", required_argument, NULL, O_CONTROL},
    {"isolation", required_argument, NULL, O_ISOLATION}, {"without", required_argument, NULL, O_WITHOUT},
    {"sweep", required_argument, NULL, O_SWEEP},         {NULL, 0, NULL, 0},
};

void options_parse(int argc, char **argv, struct options *options) {
    static const char *const networks[] = {"deny", "allow"};
    static const char *const layers[] = {"namespaces", "landlock", "seccomp"};
    const uint64_t bytes = INT64_MAX;
    *options = (struct options){.grace_ms = 2000, .user = -1, .control = -1};
    int found;
    int index = 0;
    // The plus ends the options at the first argument, so that the program's own are left alone.
    while ((found = getopt_long(argc, argv, "+", known, &index)) != -1) {
        if (found == '?') exit(64);
        const char *name = known[index].name;
        switch (found) {
        case O_MEMORY: options->memory = number(name, optarg, bytes); break;
        case O_CPU: options->cpu_seconds = number(name, optarg, INT32_MAX); break;
        case O_PROCESSES: options->processes = number(name, optarg, 1 << 20); break;
        case O_FILES: options->files = number(name, optarg, 1 << 20); break;
        case O_FILE_SIZE: options->file_size = number(name, optarg, bytes); break;
        case O_DISK: options->disk = number(name, optarg, bytes); break;
        case O_ENTRIES: options->entries = number(name, optarg, INT32_MAX); break;
        case O_GRACE: options->grace_ms = number(name, optarg, 3600000); break;
        case O_USER: options->user = (int64_t)number(name, optarg, INT32_MAX); break;
        case O_DIRECTORY: options->directory = absolute(name, optarg); break;
        case O_READ: append(name, optarg, options->read, &options->read_count); break;
        case O_WRITE: append(name, optarg, options->write, &options->write_count); break;
        case O_NETWORK: options->network = choice(name, optarg, networks, 2) == 1; break;
        case O_CONTROL: options->control = (int)number(name, optarg, 1 << 20); break;
        case O_ISOLATION: options->demanded = (enum level)choice(name, optarg, levels, 3); break;
        case O_WITHOUT: options->without |= 1u << choice(name, optarg, layers, 3); break;
        case O_SWEEP: options->sweep = absolute(name, optarg); break;
        }
    }
    if (options->sweep) return;
    if (!options->directory) refuse("--directory is missing");
    if (options->control < 3) refuse("--control-fd must name a descriptor above 2");
    if (optind >= argc) refuse("the program is missing");
    options->program = argv + optind;
    absolute("the program", options->program[0]);
}
