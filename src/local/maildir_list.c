#include "local/maildir_list.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "base/str.h"

static void
add_file(struct maildir_list *list, const char *path, struct timespec mtime)
{
	if (list->count == list->room) {
		list->room = list->room * 2 + 16;
		list->files =
		    mem_resize(list->files, list->room, sizeof(*list->files));
	}
	list->files[list->count].path = mem_alloc(strlen(path) + 1, 1);
	memcpy(list->files[list->count].path, path, strlen(path) + 1);
	list->files[list->count].mtime = mtime;
	list->count++;
}

int
maildir_list_add(struct maildir_list *list, const char *dir, const char *part)
{
	struct str path = STR_INIT;
	struct dirent *entry;
	struct stat st;
	DIR *stream;
	int error;

	str_format(&path, "%s/%s", dir, part);
	stream = opendir(path.s);
	if (stream == NULL) {
		str_free(&path);
		return -1;
	}
	while (errno = 0, (entry = readdir(stream)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		str_format(&path, "%s/%s/%s", dir, part, entry->d_name);
		if (lstat(path.s, &st) == -1) {
			if (errno == ENOENT)
				continue;
			break;
		}
		if (S_ISREG(st.st_mode))
			add_file(list, path.s, st.st_mtim);
	}
	error = errno;
	(void)closedir(stream); /* it was only read */
	str_free(&path);
	errno = error;
	return error == 0 ? 0 : -1;
}

static int
compare(const void *left, const void *right)
{
	const struct maildir_file *a = left, *b = right;

	if (a->mtime.tv_sec != b->mtime.tv_sec)
		return a->mtime.tv_sec < b->mtime.tv_sec ? -1 : 1;
	if (a->mtime.tv_nsec != b->mtime.tv_nsec)
		return a->mtime.tv_nsec < b->mtime.tv_nsec ? -1 : 1;
	return strcmp(a->path, b->path);
}

void
maildir_list_sort(struct maildir_list *list)
{
	if (list->count > 1)
		qsort(list->files, list->count, sizeof(*list->files), compare);
}

void
maildir_list_free(struct maildir_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->files[i].path);
	free(list->files);
	*list = (struct maildir_list)MAILDIR_LIST_INIT;
}
