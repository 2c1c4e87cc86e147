/*
 * A queue directory of classic qmail with some files of any content (kind,
 * directory and number, then the content up to a 0xff byte): what is taken has
 * somebody to go to or a bounce to be sent, all of it is read from the files,
 * and whatever is wrong is named.
 */
#include "../fuzz.h"

#include "admin/import_message.h"
#include "mail/address.h"

enum {
	FILES_MAX = 16,
};

static const char *const kinds[] = {
    "mess", "info", "local", "remote", "bounce", "todo", "intd"};

static char made[FILES_MAX][64];
static size_t made_count;

static void
make_file(struct span *input)
{
	unsigned char what = fuzz_byte(input), where = fuzz_byte(input);
	struct span content = fuzz_until(input, '\377');
	const char *kind = kinds[what % 7];
	char *path = made[made_count];
	char directory[32];

	if (where & 128) {
		(void)snprintf(
		    path, sizeof(made[0]), "%s/%d", kind, 10 + where % 4);
	} else {
		(void)snprintf(
		    directory, sizeof(directory), "%s/%d", kind, what / 8 % 3);
		fuzz_make_directory(directory);
		(void)snprintf(
		    path, sizeof(made[0]), "%s/%d", directory, 10 + where % 4);
	}
	fuzz_write_file(path, content);
	made_count++;
}

static void
prepare(struct span input)
{
	char path[32];

	fuzz_enter_directory();
	for (size_t i = 0; i < 7; i++) {
		fuzz_make_directory(kinds[i]);
		for (int split = 0; split < 3; split++) {
			(void)snprintf(
			    path, sizeof(path), "%s/%d", kinds[i], split);
			(void)rmdir(path);
		}
	}
	made_count = 0;
	while (input.len > 0 && made_count < FILES_MAX)
		make_file(&input);
}

static void
check_taken(
    const struct import_message *message, const struct classic_message *files)
{
	require(files->files[CLASSIC_MESS] != NULL && !files->doubled);
	require(files->files[CLASSIC_TODO] != NULL ||
	    files->files[CLASSIC_INFO] != NULL);
	require(
	    message->new_count + message->local_count + message->remote_count >
		0 ||
	    message->failures.len > 0);
	require(message->sender.len <= ADDRESS_MAX);
	require(span_find(message->sender, '\0') == SPAN_NONE);
	/* a message that was not looked at has nothing else that counts */
	if (files->files[CLASSIC_TODO] != NULL)
		require(message->local_count + message->remote_count == 0 &&
		    message->failures.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int dir = -1;
	struct import_message message;
	struct classic_message files;
	struct classic_queue queue;
	struct str failed = STR_INIT;
	size_t at = 0, count = 0;

	prepare((struct span){(const char *)data, size});
	if (dir == -1)
		dir = open(".", O_RDONLY | O_DIRECTORY);
	require(dir != -1);
	require(classic_queue_list(&queue, dir, &failed) == 0);
	require(queue.strange == 0);
	import_message_init(&message);
	while (classic_queue_next(&queue, &at, &files) == 1) {
		enum import_verdict verdict;

		for (int kind = 0; kind < CLASSIC_KINDS; kind++)
			count += files.files[kind] != NULL;
		str_clear(&message.trouble);
		require(import_message_identify(&message, &queue, &files) == 0);
		verdict = import_message_read(&message, &queue, &files);
		require(
		    (verdict == IMPORT_TROUBLE) == (message.trouble.len > 0));
		if (verdict == IMPORT_TAKE)
			check_taken(&message, &files);
	}
	require(at == queue.count && count <= queue.count);
	import_message_free(&message);
	classic_queue_free(&queue);
	while (made_count > 0)
		(void)unlink(made[--made_count]);
	str_free(&failed);
	return 0;
}
