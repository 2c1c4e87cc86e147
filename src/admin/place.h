/*
 * place - makes directories, files and links that are not there yet
 *
 * Nothing that exists is changed; it is named as kept. Every path is said once
 * on standard output: "made PATH" or "kept PATH". Trouble ends the program.
 */
#ifndef ADMIN_PLACE_H
#define ADMIN_PLACE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/span.h"

struct place {
	bool chown; /* give what is made to uid and gid */
	uid_t uid;
	gid_t gid;
};

/* False if it was there. A path that is there but no directory is an error. */
bool place_dir(const struct place *place, const char *path, mode_t mode);
/*
 * The content comes under its name at once, whole: a half-written file is
 * never left to be kept by the next run. False if the name was taken.
 */
bool place_file(const struct place *place, const char *path,
    struct span content, mode_t mode);
bool place_link(const char *path, const char *target);

#endif
