// statex-launch: starts one handler process in isolation, supervises it, and sees to it that nothing
// of it is left. The words of its command line are in options.c, its messages in report.c.

#include "launch.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
    struct options options;
    options_parse(argc, argv, &options);
    if (options.sweep) {
        int error = folder_sweep(options.sweep);
        if (error) fprintf(stderr, "statex-launch: %s: %s\n", options.sweep, strerror(error));
        return error ? 1 : 0;
    }
    return supervise(&options);
}
