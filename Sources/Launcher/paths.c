// The files that a handler may use: an allow-list. Of /etc only names that hold no secret; nothing of
// /home, /root, /run, /var (but caches of fonts), /tmp.

#include "launch.h"

#include <stdlib.h>
#include <string.h>

static const char *const system_paths[] = {
    "/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32",
    "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives",
    "/etc/passwd", "/etc/group", "/etc/nsswitch.conf", "/etc/hosts", "/etc/host.conf", "/etc/resolv.conf",
    "/etc/gai.conf", "/etc/protocols", "/etc/services", "/etc/localtime", "/etc/timezone",
    "/etc/locale.alias", "/etc/debian_version", "/etc/os-release", "/etc/ssl/certs", "/etc/ssl/openssl.cnf",
    "/etc/fonts", "/etc/magic", "/etc/magic.mime", "/etc/mime.types", "/etc/papersize", "/etc/terminfo",
    "/etc/python3", "/etc/python3.11", "/etc/python3.12", "/etc/python3.13", "/etc/perl", "/etc/libreoffice",
    "/etc/ImageMagick-6", "/etc/ImageMagick-7", "/var/cache/fontconfig",
    "/sys/devices/system/cpu", "/sys/devices/system/node",
};

static const char *const device_paths[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

/// A path that is not there grants nothing; the handler says itself what it misses.
static void add(struct rules *rules, const char *name, enum access access) {
    char *path = realpath(name, NULL);
    if (!path) return;
    bool link = strcmp(path, name) != 0;
    rules->items[rules->count++] = (struct rule){.path = path, .alias = link ? strdup(name) : NULL, .access = access};
}

static int by_path(const void *left, const void *right) {
    const struct rule *a = left, *b = right;
    int order = strcmp(a->path, b->path);
    return order ? order : (int)a->access - (int)b->access;
}

void rules_make(struct rules *rules, const struct options *options) {
    _Static_assert(sizeof system_paths / sizeof *system_paths < PATHS_MAX - 8, "the rules must fit with the options'");
    rules->count = 0;
    for (size_t i = 0; i < sizeof system_paths / sizeof *system_paths; i++) add(rules, system_paths[i], ACCESS_READ);
    for (size_t i = 0; i < sizeof device_paths / sizeof *device_paths; i++) add(rules, device_paths[i], ACCESS_DEVICE);
    add(rules, options->program[0], ACCESS_READ);
    for (int i = 0; i < options->read_count; i++) add(rules, options->read[i], ACCESS_READ);
    for (int i = 0; i < options->write_count; i++) {
        bool device = strncmp(options->write[i], "/dev/", 5) == 0;
        add(rules, options->write[i], device ? ACCESS_DEVICE : ACCESS_WRITE);
    }
    add(rules, options->directory, ACCESS_PRIVATE);
    qsort(rules->items, (size_t)rules->count, sizeof *rules->items, by_path);
}
