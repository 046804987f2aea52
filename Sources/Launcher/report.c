// What the launcher says: one JSON object a line to the worker, fixed records between its own
// processes.
//
//   {"event":"started","pid":4711,"isolation":"strict","missing":[]}
//   {"event":"failed","reason":"…","isolation":"basic","missing":["…"]}
//   {"event":"wiped"}   {"event":"wiped","error":"…"}
//   {"event":"ended","cause":"exit","status":0}   {"event":"ended","cause":"exit","signal":11}
//   {"event":"ended","cause":"memory","detail":"…"}   (also stopped, cpu, processes, disk)
//
// The worker says one byte at a time: `j` a job begins, `w` wipe, `t` SIGTERM and then the end after
// the grace, `k` the end. Closing the socket is `k`.

#include "launch.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/// A line that is cut, rather than overrun, when it is too long for a worker to care.
struct line {
    char text[4096];
    size_t count;
};

__attribute__((format(printf, 2, 3))) static void put(struct line *line, const char *format, ...) {
    size_t room = sizeof line->text - line->count;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(line->text + line->count, room, format, arguments);
    va_end(arguments);
    if (written > 0) line->count += (size_t)written < room ? (size_t)written : room - 1;
}

static void put_string(struct line *line, const char *text) {
    put(line, "\"");
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;
        if (byte == '"' || byte == '\\') put(line, "\\%c", byte);
        else put(line, "%c", byte < 0x20 || byte > 0x7e ? '?' : byte);
    }
    put(line, "\"");
}

/// A worker that does not read must not stop the supervisor, so the line is dropped then.
static void send_line(int control, struct line *line) {
    put(line, "\n");
    (void)send(control, line->text, line->count, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void put_isolation(struct line *line, const struct plan *plan, enum level level) {
    put(line, ",\"isolation\":\"%s\",\"missing\":[", level_name(level));
    for (int i = 0; i < plan->missing_count; i++) {
        if (i) put(line, ",");
        put_string(line, plan->missing[i]);
    }
    put(line, "]}");
}

void report_started(int control, pid_t pid, const struct plan *plan, enum level level) {
    struct line line = {.count = 0};
    put(&line, "{\"event\":\"started\",\"pid\":%d", (int)pid);
    put_isolation(&line, plan, level);
    send_line(control, &line);
}

void report_failed(int control, const char *text, const struct plan *plan, enum level level) {
    struct line line = {.count = 0};
    put(&line, "{\"event\":\"failed\",\"reason\":");
    put_string(&line, text);
    put_isolation(&line, plan, level);
    send_line(control, &line);
}

void report_wiped(int control, const char *error) {
    struct line line = {.count = 0};
    put(&line, "{\"event\":\"wiped\"");
    if (error) {
        put(&line, ",\"error\":");
        put_string(&line, error);
    }
    put(&line, "}");
    send_line(control, &line);
}

void report_ended(int control, const struct notice *end) {
    static const char *const causes[] = {"exit", "stopped", "memory", "cpu", "processes", "disk"};
    struct line line = {.count = 0};
    put(&line, "{\"event\":\"ended\",\"cause\":\"%s\"", causes[end->cause]);
    if (end->cause == CAUSE_EXIT) {
        if (WIFSIGNALED(end->status)) put(&line, ",\"signal\":%d", WTERMSIG(end->status));
        else put(&line, ",\"status\":%d", WEXITSTATUS(end->status));
    }
    if (end->text[0]) {
        put(&line, ",\"detail\":");
        put_string(&line, end->text);
    }
    put(&line, "}");
    send_line(control, &line);
}

void notice_send(int socket, const struct notice *notice) {
    (void)send(socket, notice, sizeof *notice, MSG_NOSIGNAL);
}

void notice_fail(int socket, const char *step, const char *subject) {
    struct notice notice = {.kind = NOTICE_FAILED};
    snprintf(notice.text, sizeof notice.text, "%s%s%.150s: %s", step, subject ? " " : "", subject ? subject : "",
             strerror(errno));
    notice_send(socket, &notice);
    _exit(127);
}
