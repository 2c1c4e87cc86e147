#include "local/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"

bool
terminal_is_name(struct span name)
{
	static const char others[] = "_:-";
	char last = '/';

	for (size_t i = 0; i < name.len; i++) {
		char byte = name.s[i], lower = span_lower(byte);

		if (byte == '/' || byte == '.') {
			if (last == '/')
				return false;
		} else if (!(lower >= 'a' && lower <= 'z') &&
		    !(byte >= '0' && byte <= '9') &&
		    (byte == '\0' || strchr(others, byte) == NULL)) {
			return false;
		}
		last = byte;
	}
	return last != '/';
}

int
terminal_write(struct span name, uid_t user, struct span text)
{
	struct str path = STR_INIT;
	struct stat st;
	int fd = -1, result = -1;

	if (!terminal_is_name(name)) {
		errno = EINVAL;
		return -1;
	}
	str_append_cstr(&path, "/dev/");
	str_append_span(&path, name);
	fd = open(
	    path.s, O_WRONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		goto done;
	if (!S_ISCHR(st.st_mode) || !isatty(fd) || st.st_uid != user ||
	    (st.st_mode & S_IXUSR) == 0) {
		errno = EPERM;
		goto done;
	}
	if (write(fd, text.s, text.len) != -1)
		result = 0;
done:
	fd_close(fd); /* keeps errno */
	str_free(&path);
	return result;
}
