// Files: opening a path that cannot leave its root.
#ifndef CLINUX_FILES_H
#define CLINUX_FILES_H

#include <stdint.h>

/// Opens `path` below the directory `root` with `openat2`: no `..` out of it, no absolute path, no
/// symbolic link and no magic link anywhere on the way. `flags` and `mode` are those of `open`;
/// O_CLOEXEC is added. Returns a descriptor, or minus the error number (-ENOSYS on a kernel without
/// the call: there is no fallback, because none is safe).
int clinux_open_beneath(int root, const char *path, int flags, int mode);

/// The bytes that are free for us on the file system of `path`, and whether it lies in memory only.
/// Returns 0, or minus the error number.
int clinux_file_system(const char *path, uint64_t *free_bytes, int *in_memory);

#endif
